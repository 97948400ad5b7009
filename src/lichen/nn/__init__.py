"""The PyTorch side: small models, a training loop, post-training quantisation and the report on what it cost."""
