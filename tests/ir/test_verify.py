"""The verifier refuses every module that a pass must not leave behind."""

from collections.abc import Callable

import numpy as np
import pytest

from graphs import conv_module, int8
from lichen.errors import VerifyError
from lichen.ir.module import Constant, Module, Operation, State, Value
from lichen.ir.verify import verify


def use_before_definition(module: Module) -> None:
    module.infer.operations[0].operands[0] = Value("later", module.infer.inputs[0].type)


def double_definition(module: Module) -> None:
    module.infer.operations.append(module.infer.operations[0])


def same_name_twice(module: Module) -> None:
    module.infer.operations[0].results[0].name = "x"


def foreign_output(module: Module) -> None:
    module.infer.outputs = [Value("elsewhere", int8((1,)))]


def no_output(module: Module) -> None:
    module.infer.outputs = []


def bad_name(module: Module) -> None:
    module.infer.inputs[0].name = "not a name"


def missing_attribute(module: Module) -> None:
    del module.infer.operations[0].attributes["stride"]


def attribute_of_another_type(module: Module) -> None:
    module.infer.operations[0].attributes["activation"] = 3


def too_few_operands(module: Module) -> None:
    del module.infer.operations[0].operands[1:]


def data_of_another_shape(module: Module) -> None:
    weights = module.infer.operations[0].operands[1]
    assert isinstance(weights, Constant)
    weights.data = np.zeros((1,), np.int8)


def state_as_a_value(module: Module) -> None:
    type_ = module.infer.inputs[0].type
    module.infer.operations[0].operands[0] = State("s", type_, np.zeros(type_.shape, np.int8))


def value_to_be_changed(module: Module) -> None:
    x = module.infer.inputs[0]
    module.infer.operations.append(Operation("write_state", [x, x], []))


def unknown_operator(module: Module) -> None:
    module.infer.operations.append(Operation("teleport", [], []))


BREAKAGES = [
    use_before_definition,
    double_definition,
    same_name_twice,
    foreign_output,
    no_output,
    bad_name,
    missing_attribute,
    attribute_of_another_type,
    too_few_operands,
    data_of_another_shape,
    state_as_a_value,
    value_to_be_changed,
]


@pytest.mark.parametrize("break_it", BREAKAGES)
def test_broken_modules_are_refused(break_it: Callable[[Module], None]) -> None:
    """A well-formed module passes; broken in one place it does not."""
    module = conv_module()
    verify(module)
    break_it(module)
    with pytest.raises(VerifyError):
        verify(module)
