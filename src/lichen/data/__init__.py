"""Known data sets, their splits and their scaling, as NumPy arrays; nothing here needs PyTorch."""
