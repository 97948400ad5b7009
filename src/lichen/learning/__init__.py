"""Learning on the device: what is trainable, and how it follows its gradients."""
