"""What a model does before its first inference: state, and the check of its coded weights."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from lichen.backend.program import Program
from lichen.ir.module import Array

CHECK = "lichen_flash_crc32.h"
"""What a model with coded weights includes to check them."""


def coded_constants(program: Program) -> str:
    """What tells from the interface of a model that its weights are coded."""
    name, upper = program.module.name, program.module.name.upper()
    return f"""#define {upper}_CODED 1 /* {name}_init says whether the coded weights in flash are whole */
#define {upper}_DECODED_BYTES {program.decoded_bytes} /* in the instance: weights that {name}_init decodes */
"""


def init_declaration(name: str, is_coded: bool) -> str:
    """The function to call first."""
    if not is_coded:
        return f"""/* To be called once, before all else: sets the state to its initial values. */
void {name}_init({name}_t *self);"""
    return f"""/* To be called once, before all else: sets the state to its initial values. False if the coded weights in flash are damaged; what is
   inferred then is meaningless, but nothing else is touched. */
bool {name}_init({name}_t *self);"""


def init_definition(name: str, statements: Sequence[str], checked: Sequence[tuple[str, Array]]) -> str:
    """Its definition; `checked` are the tables of coded weights by their C names."""
    body = "\n".join(statements) or "    (void)self; /* no state */"
    if not checked:
        return f"void {name}_init({name}_t *self)\n{{\n{body}\n}}\n"
    expected = 0
    for _, data in checked:
        expected = zlib.crc32(data.tobytes(), expected)
    sums = "\n".join(f"    crc = lichen_flash_crc32(crc, {table}, {data.size});" for table, data in checked)
    return f"""bool {name}_init({name}_t *self)
{{
    uint32_t crc = LICHEN_CRC32_START;
{body}
{sums}
    return crc == UINT32_C(0x{expected:08x});
}}
"""
