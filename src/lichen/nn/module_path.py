"""Where a node of an exported program comes from."""

from __future__ import annotations

from torch.fx import Node


def module_path(node: Node) -> tuple[str, str]:
    """Path and class of the innermost `nn.Module` that the node comes from; empty where the program does not say."""
    stack = node.meta.get("nn_module_stack") or {}
    for path, kind in reversed(list(stack.values())):
        name = kind if isinstance(kind, str) else f"{kind.__module__}.{kind.__qualname__}"
        if not name.startswith("torch.export"):
            return str(path), name
    return "", ""
