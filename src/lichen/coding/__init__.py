"""Weights entropy-coded in flash: canonical Huffman codes, and the forms a layer's weights are written in."""
