"""Lichen compiles a network to C for a microcontroller and proves it right before it is flashed."""

__version__ = "0.1.0"
