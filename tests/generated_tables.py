"""What lies in the tables of generated C, counted from its text."""

from __future__ import annotations

import re

_SIZES = {"int8_t": 1, "int16_t": 2, "int32_t": 4, "uint32_t": 4, "float": 4}


def table_bytes(header: str) -> int:
    """The bytes of all tables that a generated header declares."""
    found = re.findall(r"static const (\w+) \w+\[(\d+)\]", header)
    assert found
    return sum(_SIZES[c_type] * int(length) for c_type, length in found)
