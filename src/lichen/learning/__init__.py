"""Learning on the device: what is trainable, how it follows its gradients, and what is kept count of meanwhile."""
