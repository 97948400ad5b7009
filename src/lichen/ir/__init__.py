"""The graph: types, modules, verifier, text form, interpreter, and what an operator is."""
