from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from graphs import conv_module, random_array
from lichen.errors import InputError, LichenError
from lichen.ir.interpret import Interpreter
from lichen.ir.module import Array
from lichen.targets.folder import ModelFolder, open_folder
from lichen.targets.native import NativeModel, run_sanitized

Compile = Callable[..., ModelFolder]


@pytest.fixture(autouse=True)
def tools(needs: Callable[..., None]) -> None:
    """All tests here use the host's compiler."""
    needs("cc")


def samples(count: int) -> Array:
    """Inputs of `conv_module`."""
    return np.stack([random_array(conv_module().infer.inputs[0].type, seed) for seed in range(count)])


def altered(model: ModelFolder, old: str, new: str) -> ModelFolder:
    """The model with its C source changed."""
    text = model.source.read_text()
    assert old in text
    model.source.write_text(text.replace(old, new))
    return open_folder(model.path)


@pytest.mark.parametrize("optimize", ["speed", "size"])
def test_the_library_and_the_sanitized_program_give_the_interpreter_s_bytes(
    compile_model: Compile, optimize: str
) -> None:
    """Many samples in one call, each the same as in Python, in whatever the arena held before."""
    model, inputs = compile_model(optimize=optimize), samples(50)
    expected = np.stack([Interpreter(conv_module()).run([sample])[0] for sample in inputs])
    for poison in (None, 0x00, 0xA5):
        np.testing.assert_array_equal(NativeModel(model, poison).run([inputs])[0], expected)
    np.testing.assert_array_equal(run_sanitized(model, [inputs], 0x5A)[0], expected)
    assert NativeModel(model).run([inputs[:0]])[0].shape == (0, 1, 6, 7, 5)


def test_inputs_by_rows_give_the_interpreter_s_bytes(compile_model: Compile) -> None:
    """Only three rows of the image are in the arena, and what it held before shows nowhere."""
    model, inputs = compile_model(by_rows=True), samples(20)
    assert model.manifest["inputs"][0]["rows"] == 3 and model.manifest["arena_bytes"] < 600
    expected = np.stack([Interpreter(conv_module()).run([sample])[0] for sample in inputs])
    for poison in (None, 0xA5):
        np.testing.assert_array_equal(NativeModel(model, poison).run([inputs])[0], expected)
    np.testing.assert_array_equal(run_sanitized(model, [inputs], 0x5A)[0], expected)
    (output,) = model.manifest["outputs"]
    after = NativeModel(model).run_until([inputs[:1]], len(model.manifest["ops"]))
    assert after[output["offset"] :][: output["bytes"]] == expected[0].tobytes()


def test_the_arena_in_front_of_a_call_is_that_of_an_inference_stopped_there(compile_model: Compile) -> None:
    """Before the first call the input is in place and the output is not; after the last the output is."""
    model, inputs = compile_model(), samples(1)
    native = NativeModel(model)
    (input_,), (output,) = model.manifest["inputs"], model.manifest["outputs"]
    before, after = native.run_until([inputs], 0), native.run_until([inputs], len(model.manifest["ops"]))
    assert len(before) == model.manifest["arena_bytes"]
    assert before[input_["offset"] :][: input_["bytes"]] == inputs.tobytes()
    expected = Interpreter(conv_module()).run([inputs[0]])[0].tobytes()
    assert after[output["offset"] :][: output["bytes"]] == expected != before[output["offset"] :][: output["bytes"]]
    assert native.run([inputs])[0].tobytes() == expected, "a run after a stopped one must run through"


def test_poison_shows_what_an_inference_does_not_write(compile_model: Compile) -> None:
    """C that forgets its output gives the poison instead of what an earlier sample left there."""
    model = compile_model()
    call = model.source.read_text().index("lichen_conv2d_s8_dsp(")
    text = model.source.read_text()
    end = text.index(";", call) + 1
    model = altered(model, text[call:end], "(void)arena;")
    results = NativeModel(model, poison=0x77).run([samples(2)])[0]
    output, input_ = model.manifest["outputs"][0], model.manifest["inputs"][0]
    tail = max(0, input_["offset"] + input_["bytes"] - output["offset"])
    assert (results.reshape(2, -1)[:, tail:] == 0x77).all()


@pytest.mark.parametrize(
    ("wrong", "finding"),
    [
        ("(&self->arena.bytes[0])[sizeof *self] = 1;", "heap-buffer-overflow"),
        ("volatile int n = INT32_MAX; n++;", "signed integer overflow"),
    ],
)
def test_the_sanitizers_see_wrong_c(compile_model: Compile, wrong: str, finding: str) -> None:
    """A write past the arena, or an overflow, ends in the sanitizer's words."""
    model = altered(compile_model(), "    LICHEN_MARK(0);", f"    {wrong}\n    LICHEN_MARK(0);")
    with pytest.raises(LichenError, match=f"the generated C of toy is wrong: .*{finding}"):
        run_sanitized(model, [samples(1)])


def test_inputs_of_another_type_or_shape_are_refused(compile_model: Compile) -> None:
    """Bytes are never reinterpreted."""
    native, good = NativeModel(compile_model()), samples(2)
    for bad in ([good.astype(np.float32)], [good[:, 0]], [good[..., :2]], [], [good, good]):
        with pytest.raises(InputError):
            native.run(bad)
    with pytest.raises(InputError, match="one sample"):
        native.run_until([good], 0)


def test_two_instances_share_nothing(compile_model: Compile) -> None:
    """Instances of one library have memories of their own."""
    model, inputs = compile_model(), samples(2)
    first, second = NativeModel(model), NativeModel(model)
    one, two = first.run([inputs[:1]])[0], second.run([inputs[1:]])[0]
    np.testing.assert_array_equal(first.run([inputs[:1]])[0], one)
    np.testing.assert_array_equal(second.run([inputs[1:]])[0], two)
