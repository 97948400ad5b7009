"""From a trained network to a smaller one: distillation, pruning, quantisation, each stage measured by the compiler."""
