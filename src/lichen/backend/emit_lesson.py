"""The lesson of a model that learns, as C: looks at the inputs of `learn`, one call of it, and a look at the loss.

What is looked for follows from the operators that take the inputs: numbers must be finite, a label must be a class, or find a neuron.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from lichen.ir.module import Function, Value
from lichen.ir.types import DType

LEARN = "learn"
HEADER = "lichen_lesson.h"


def lesson_declaration(model: str) -> str:
    """What the header of a model says of its lesson."""
    return f"""
/* A lesson: looks at the inputs of `learn`, refuses them with a status from LICHEN_LESSON_NOT_FINITE on and changes nothing, or calls
   {model}_learn. LICHEN_LESSON_DIVERGED where the loss is then no finite number. */
lichen_lesson_status {model}_lesson({model}_t *self);
"""


def lesson_definition(model: str, learn: Function, address: Callable[[Value], str]) -> str:
    """The function of that name; `address` gives the C expression of where a value of `learn` lies."""
    looks = "".join(f"    {look};\n" for value in learn.inputs for look in _looks(learn, value, address))
    return f"""
lichen_lesson_status {model}_lesson({model}_t *self)
{{
    int8_t *const arena = self->arena.bytes;
    lichen_lesson_status status = LICHEN_LESSON_OK;
{looks}    if (status >= LICHEN_LESSON_NOT_FINITE) return status;
    {model}_{LEARN}(self);
    return lichen_lesson_judged(status, *({address(learn.outputs[0])}));
}}
"""


def _looks(learn: Function, value: Value, address: Callable[[Value], str]) -> Iterator[str]:
    if value.type.dtype is DType.FLOAT32:
        yield f"lichen_lesson_numbers(&status, {address(value)}, {value.type.elements})"
    for op in learn.consumers(value):
        if op.kind == "softmax_cross_entropy" and op.operands[1] is value:
            yield f"lichen_lesson_label(&status, {address(value)}, {op.operands[0].type.elements})"
        if op.kind == "assign_class":
            labels = op.operands[1]
            yield f"lichen_lesson_class(&status, {address(value)}, {address(labels)}, {labels.type.elements})"
