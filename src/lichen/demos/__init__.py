"""Published results, rebuilt on real data, one file each."""
