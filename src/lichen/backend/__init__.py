"""C emission: a planned module becomes a folder of C99 that needs no runtime."""
