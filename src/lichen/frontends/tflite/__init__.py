"""Reads `.tflite` files. They are untrusted: what does not hold together is refused, what is not supported is named.

How this works inside: `flatbuffer` reads tables and follows no offset unchecked; `schema` turns the file into records; `graph` turns
tensors into values, in SSA form; one rule for each built-in operator (`convolutions`, `elementwise`, `layout`, `streaming`) emits
our operations through a `Node`. Every operation is verified as it is emitted, so that a message has the operator's place in the
file, and the module as a whole at the end.
"""

from __future__ import annotations

from pathlib import Path

import lichen.ops  # noqa: F401  (registers the operators)
from lichen.errors import InputError, LichenError
from lichen.frontends.tflite import convolutions, elementwise, layout, streaming  # noqa: F401  (register their rules)
from lichen.frontends.tflite.graph import Graph
from lichen.frontends.tflite.rules import import_operator, supported_operators
from lichen.frontends.tflite.schema import read_model
from lichen.ir.module import Module, identifier
from lichen.ir.verify import verify

__all__ = ["import_tflite", "load_tflite", "supported_operators"]


def load_tflite(path: Path) -> Module:
    """The model in a file, named after it. Raises `InputError` or `UnsupportedError` that begins with the name of the file."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    try:
        return import_tflite(data, identifier(path.stem))
    except LichenError as error:
        raise type(error)(f"{path.name}: {error}") from error
    except (ArithmeticError, AssertionError, LookupError, MemoryError, RecursionError, TypeError, ValueError) as error:
        # None is known; a file that finds one is still the user's to mend, and must not look like a crash.
        raise InputError(f"{path.name}: the file is damaged ({type(error).__name__}: {error})") from error


def import_tflite(data: bytes, name: str) -> Module:
    """The model in the bytes of a file as a verified module with one function, `infer`.

    Raises `UnsupportedError` for an operator, attribute or type that Lichen does not have, `InputError` for a damaged file.
    """
    subgraphs = read_model(data)
    graph = Graph(subgraphs[0], subgraphs)
    for operator in subgraphs[0].operators:
        import_operator(operator, graph)
    graph.variables.finish()
    module = Module(name, {"infer": graph.finish()})
    try:
        verify(module)
    except LichenError as error:
        raise InputError(str(error)) from error
    return module
