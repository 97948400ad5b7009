"""Inputs that come by rows as C: what an inference says of them and how it asks for them; `runtime/lichen_row_source.h` is the twin."""

from __future__ import annotations

from lichen.backend.program import PlannedFunction, Program, StreamedStep
from lichen.ir.module import Value
from lichen.ir.operator import operator

ROW_SOURCE = "lichen_row_source.h"
"""What the interface of a model whose inputs come by rows includes."""


def infer_by_rows(program: Program) -> str:
    """What `infer` does with its inputs, as a comment."""
    steps = [step for step in program.infer.steps if isinstance(step, StreamedStep)]
    times = max(len(step.region.passes) for step in steps if step.region.sources)
    often = "each once" if times == 1 else f"{times} times over"
    return f"""/* Reads the inputs and leaves the outputs in the arena, where the inputs may be overwritten. An input that comes by rows is read from
   `source`: its rows 0, 1, 2, ... in this order, {often}, when it is needed. Where `source` fails the inference ends: there are no
   outputs, and state may have changed in part. */"""


def fetch(value: Value, index: int, place: str) -> str:
    """The stage that asks for row `row` of input `index` and puts it to `place`."""
    shape = " x ".join(map(str, value.type.shape))
    call = f"source->read(source->context, {index}, (unsigned)row, {place})"
    return f"        /* {value.name} [{shape}], input {index} */\n        if (!{call}) return;"


def row_constants(model: str, infer: PlannedFunction) -> str:
    """How many inputs come by rows, and whether an inference that ends too early may leave state changed in part."""
    changes = any(operator(op.kind).updates for op in infer.function.operations)
    prefix = f"#define {model.upper()}"
    return f"{prefix}_ROW_INPUTS {len(infer.row_inputs)}\n{prefix}_INFER_CHANGES_STATE {int(changes)}\n"


def row_bytes_declaration(name: str) -> str:
    """Of the function that says how long the rows of an input are."""
    return f"""
/* Bytes of a row of input `index`; 0 for an input that is written into the arena. */
size_t {name}_input_row_bytes(unsigned index);
"""


def row_bytes_definition(name: str, body: str) -> str:
    """The function, of which `body` are the statements."""
    return f"""
size_t {name}_input_row_bytes(unsigned index)
{{
{body}
}}
"""
