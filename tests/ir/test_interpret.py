"""The interpreter's calling rules; its arithmetic is tested operator by operator."""

import numpy as np
import pytest

from graphs import conv_module, random_array
from lichen.errors import InputError
from lichen.ir.interpret import Interpreter


def test_inputs_must_match_their_types() -> None:
    """Another number of inputs, shape or element type is refused, and says what is expected."""
    interpreter = Interpreter(conv_module())
    x = random_array(conv_module().infer.inputs[0].type)
    for inputs in ([], [x, x], [x[0]], [x.astype(np.float32)]):
        with pytest.raises(InputError, match="the model takes"):
            interpreter.run(inputs)


def test_observer_sees_every_operation() -> None:
    """`observe` is called once an operation, with its results."""
    module, seen = conv_module(), []
    Interpreter(module).run(
        [random_array(module.infer.inputs[0].type)], lambda op, results: seen.append((op.name, results[0].shape))
    )
    assert seen == [("y", (1, 6, 7, 5))]
