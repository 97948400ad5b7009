"""Architectures found under what a board can hold."""
