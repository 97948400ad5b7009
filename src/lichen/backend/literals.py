"""NumPy arrays and Python numbers as C99 literals that are also C++."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from lichen.ir.module import Array

C_TYPES = {"int8": "int8_t", "uint8": "uint8_t", "int16": "int16_t", "int32": "int32_t", "int64": "int64_t"}
C_TYPES |= {"float32": "float", "bool": "uint8_t"}
"""NumPy element type -> C element type."""

C_NAMES = frozenset(
    [
        "assert",
        "complex",
        "ctype",
        "endian",
        "errno",
        "features",
        "fenv",
        "float",
        "inttypes",
        "iso646",
        "limits",
        "locale",
        "math",
        "setjmp",
        "signal",
        "stdalign",
        "stdarg",
        "stdatomic",
        "stdbool",
        "stddef",
        "stdint",
        "stdio",
        "stdlib",
        "stdnoreturn",
        "string",
        "strings",
        "tgmath",
        "threads",
        "time",
        "uchar",
        "wchar",
        "wctype",
        "alloca",
        "int8",
        "int16",
        "int32",
        "int64",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
        "intptr",
        "uintptr",
        "intmax",
        "uintmax",
        "ptrdiff",
        "size",
        "ssize",
        "max_align",
        "newlib",
        "port",
    ]
)
"""Names that a model must not have: `<name>.h` would shadow a header of C, of its library or of the firmware, or `<name>_t` be one of its types."""

WIDTH = 120


def literal(value: int | float) -> str:
    """One number. Floats are float32, in the shortest decimal that reads back to the same bits."""
    if isinstance(value, float | np.floating):
        return _float(float(value))
    number = int(value)
    return "INT32_MIN" if number == -(2**31) else str(number)


def initialiser(array: Array) -> str:
    """The elements of an array, comma-separated, wrapped to lines of 120 columns."""
    items = array.ravel().tolist() if array.dtype != np.bool_ else array.ravel().astype(np.uint8).tolist()
    if array.dtype == np.float32:
        return wrap(map(_float, items))
    return wrap(map(literal, items))


def wrap(items: Iterable[str], head: str = "    ", tail: str = ",", indent: int = 4) -> str:
    """`items` (one at least) joined by commas between `head` and `tail`, in lines of 120 columns; all but the first are indented."""
    *most, last = items
    lines: list[str] = []
    line, fresh = head, True
    for piece in (*(f"{item}," for item in most), f"{last}{tail}"):
        if not fresh and len(line) + 1 + len(piece) > WIDTH:
            lines.append(line)
            line, fresh = " " * indent, True
        line += piece if fresh else f" {piece}"
        fresh = False
    return "\n".join([*lines, line])


def _float(value: float) -> str:
    if math.isinf(value):
        return "INFINITY" if value > 0 else "-INFINITY"
    text = str(np.float32(value))
    return f"{text}f" if "." in text or "e" in text else f"{text}.0f"
