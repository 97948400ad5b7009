"""Operators that map each element by itself, against TensorFlow Lite Micro on all 256 bytes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from element_strategies import (
    INTEGER_PAIRS,
    RESULTS,
    dequantize_modules,
    element_map_modules,
    quantised,
    quantize_modules,
)
from lichen.compiler import compile_model
from lichen.device.executor import open_executor
from lichen.errors import VerifyError
from lichen.ir.kernel import PLAIN, Core
from lichen.ir.module import Array, Module
from lichen.ir.operator import operator
from lichen.ir.types import DType, TensorType
from lichen.targets.folder import open_folder
from native_check import DSP, assert_native_equals_interpreter, random_input
from ops_oracle import Micro, bytes_of, every_byte, f32, i8, one_op, run

FLOAT_FUNCTIONS: dict[str, Callable[[Array], Array]] = {
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.25 * x),
    "hard_swish": lambda x: x * np.clip(x + 3, 0, 6) / 6,
    "logistic": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
}
ATTRIBUTES = {"leaky_relu": {"alpha": 0.25}}


@pytest.mark.parametrize("kind", sorted(FLOAT_FUNCTIONS))
def test_all_bytes_are_those_of_tflm(kind: str) -> None:
    """Every stored input under 120 random quantisations, extreme ones included."""
    rng = np.random.default_rng(11)
    for case in range(120):
        scale = 10.0 ** rng.uniform(-4.3 if kind == "hard_swish" else -7, 2)
        zero = int(rng.choice([-128, 127, 0, rng.integers(-128, 128)]))
        result_scale, result_zero = scale * 10.0 ** rng.uniform(-2, 2), int(rng.integers(-128, 128))
        result_scale, result_zero = RESULTS.get(kind, (result_scale, result_zero))
        attributes = {"alpha": float(np.float32(rng.choice([0.01, 0.25, 1.5, -0.5])))} if kind == "leaky_relu" else {}
        if kind == "relu6" and case % 2:
            result_scale, result_zero = scale, zero
        result = i8(1, 256, scale=result_scale, zero=result_zero)
        module = one_op(kind, [i8(1, 256, scale=scale, zero=zero)], [result], attributes)
        micro = Micro(kind.upper(), module, {"Alpha": attributes["alpha"]} if attributes else None)
        np.testing.assert_array_equal(run(module, every_byte())[0], micro(every_byte()), f"{scale} {zero} {result}")


@pytest.mark.parametrize("kind", sorted(FLOAT_FUNCTIONS))
def test_float_follows_the_definition(kind: str) -> None:
    """Within the stated tolerance, far out as well."""
    x = np.concatenate([np.linspace(-12, 12, 999), [-200, 200, 0]]).astype(np.float32)
    module = one_op(kind, [f32(len(x))], [f32(len(x))], ATTRIBUTES.get(kind))
    with np.errstate(over="ignore"):
        expected = FLOAT_FUNCTIONS[kind](x.astype(np.float64))
    np.testing.assert_allclose(run(module, x)[0], expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("core", [PLAIN, DSP], ids=lambda core: core.name)
@settings(max_examples=2, deadline=None, phases=[Phase.generate])
@given(data=st.data())
def test_native_code_equals_the_interpreter(core: Core, data: st.DataObject) -> None:
    """C under sanitizers gives the interpreter's results for every operator of this file."""
    modules = [data.draw(element_map_modules(kind)) for kind in sorted(FLOAT_FUNCTIONS) for _ in range(2)]
    modules += [one_op(kind, [f32(9)], [f32(9)], ATTRIBUTES.get(kind)) for kind in sorted(FLOAT_FUNCTIONS)]
    modules += [data.draw(quantize_modules()) for _ in range(6)]
    modules.append(data.draw(dequantize_modules()))
    assert_native_equals_interpreter(modules, samples=2, core=core)


def by_words() -> list[Module]:
    """Operators of int8 and int16 elements that are read four at a time, in every number that may be left over."""
    modules = []
    for n in (1, 2, 3, 4, 5, 6, 7, 8, 1023):
        x, y = i8(1, n, scale=0.1, zero=3), i8(1, n, scale=0.07, zero=-9)
        int16 = quantised(DType.INT16, 0.0007, 0, 1, n), quantised(DType.INT16, 3.0, -12, 1, n)
        modules += [one_op("quantize", [x], [y]), one_op("dequantize", [x], [f32(1, n)])]
        modules += [one_op("quantize", [wide], [y]) for wide in int16]
    return modules


def test_elements_by_words_natively() -> None:
    """C for cores with DSP instructions under sanitizers."""
    assert_native_equals_interpreter(by_words(), samples=1, core=DSP)


def test_the_chip_takes_elements_by_words(needs: Callable[..., None], tmp_path: Path) -> None:
    """The instructions themselves, on the emulated Cortex-M4."""
    needs("arm-none-eabi-gcc", "qemu-system-arm")
    for index, module in enumerate(by_words()[-4:]):
        x = random_input(module.infer.inputs[0].type, np.random.default_rng(index))
        folder = compile_model(module, "mps2-an386", tmp_path / f"m{index}").path
        with open_executor(open_folder(folder), "qemu") as executor:
            np.testing.assert_array_equal(executor.run([x[None]])[0][0], run(module, x)[0])


@pytest.mark.parametrize("kind", sorted(FLOAT_FUNCTIONS))
def test_elements_may_be_replaced_in_place(kind: str) -> None:
    """Element k is read before it is written, and is not read again."""
    module = one_op(kind, [f32(2)], [f32(2)], ATTRIBUTES.get(kind))
    accesses = operator(kind).accesses(module.infer.operations[0])
    assert accesses.atomic
    assert accesses.reads[0].tolist() == accesses.writes[0].tolist() == [[0, 4], [4, 8]]


@pytest.mark.parametrize("kind", sorted(FLOAT_FUNCTIONS))
def test_type_rule(kind: str) -> None:
    """Same shape, both int8 or both float32, scales within the arithmetic."""
    scale, zero = RESULTS.get(kind, (0.1, 0))
    for x, result in [
        (i8(3), i8(2, scale=scale, zero=zero)),
        (i8(3), f32(3)),
        (f32(3), i8(3, scale=scale, zero=zero)),
        (TensorType((3,), DType.INT16), TensorType((3,), DType.INT16)),
        (TensorType((3,), DType.INT8), i8(3, scale=scale, zero=zero)),
        (i8(3), TensorType((3,), DType.INT8)),
    ]:
        with pytest.raises(VerifyError):
            one_op(kind, [x], [result], ATTRIBUTES.get(kind))


@pytest.mark.parametrize(
    ("kind", "x", "result"),
    [
        ("logistic", i8(3), i8(3, scale=1 / 128, zero=-128)),
        ("tanh", i8(3), i8(3, scale=1 / 128, zero=1)),
        ("logistic", i8(3, scale=1e-30), i8(3, scale=1 / 256, zero=-128)),
        ("hard_swish", i8(3, scale=1.0), i8(3, scale=1e-5)),
        ("hard_swish", i8(3, scale=1e-9), i8(3, scale=1e-9)),
        ("relu", i8(3, scale=1e30), i8(3, scale=1e-30)),
        ("leaky_relu", i8(3, scale=1e30), i8(3, scale=1e-30)),
    ],
)
def test_scales_out_of_range_are_refused(kind: str, x: TensorType, result: TensorType) -> None:
    """Quantisations that the reference itself cannot compute end in a sentence."""
    with pytest.raises(VerifyError):
        one_op(kind, [x], [result], ATTRIBUTES.get(kind))


def test_alpha_must_be_a_number_of_float32() -> None:
    """Infinite and huge slopes are refused."""
    for alpha in (float("nan"), float("inf"), 1e300):
        with pytest.raises(VerifyError):
            one_op("leaky_relu", [f32(3)], [f32(3)], {"alpha": alpha})


# --- quantize, dequantize


@pytest.mark.parametrize("pair", INTEGER_PAIRS)
def test_requantisation_gives_the_bytes_of_tflm(pair: tuple[DType, DType]) -> None:
    """Every stored input (random ones for int16) under random quantisations, and the shift by 128 of uint8 images."""
    rng = np.random.default_rng(5)
    source, target = pair
    for case in range(40):
        scale = 10.0 ** rng.uniform(-4, 1)
        ratio = 1.0 if case % 4 == 0 else 10.0 ** rng.uniform(-2, 2)
        low, high = target.range
        x = quantised(source, scale, 0 if source is DType.INT16 else int(rng.integers(*source.range)), 1, 256)
        result = quantised(target, scale * ratio, int(rng.integers(low, high + 1)), 1, 256)
        module = one_op("quantize", [x], [result])
        data = bytes_of(x, rng) if source is DType.INT16 else every_byte(source)
        np.testing.assert_array_equal(run(module, data)[0], Micro("QUANTIZE", module)(data), f"{x} {result}")


def test_float_quantisation_gives_the_bytes_of_tflm() -> None:
    """Halves, values around them, and saturation on both sides."""
    rng = np.random.default_rng(6)
    for scale in (1.0, 0.1, 0.5, 3e-3):
        module = one_op("quantize", [f32(1, 2000)], [i8(1, 2000, scale=scale, zero=int(rng.integers(-128, 128)))])
        steps = np.concatenate([np.arange(-500, 500) + 0.5, rng.normal(scale=100, size=1000)])
        x = (steps * np.float32(scale)).astype(np.float32).reshape(1, -1)
        np.testing.assert_array_equal(run(module, x)[0], Micro("QUANTIZE", module)(x))


def test_float_quantisation_saturates() -> None:
    """Infinities and not-a-number become a stored value, never an undefined conversion."""
    module = one_op("quantize", [f32(4)], [i8(4, scale=1e-3)])
    x = np.array([np.inf, -np.inf, np.nan, 3e38], np.float32)
    assert run(module, x)[0].tolist() == [127, -128, -128, 127]


def test_dequantisation_gives_the_bits_of_tflm() -> None:
    """All 256 stored values under random quantisations."""
    rng = np.random.default_rng(8)
    for _ in range(30):
        x = i8(1, 256, scale=10.0 ** rng.uniform(-6, 3), zero=int(rng.integers(-128, 128)))
        module = one_op("dequantize", [x], [f32(1, 256)])
        np.testing.assert_array_equal(run(module, every_byte())[0], Micro("DEQUANTIZE", module)(every_byte()))


def test_quantize_and_dequantize_type_rules() -> None:
    """Only known pairs of types, of the same shape, with a quantisation."""
    for kind, x, result in [
        ("quantize", f32(3), f32(3)),
        ("quantize", f32(3), i8(4)),
        ("quantize", f32(3), TensorType((3,), DType.INT8)),
        ("quantize", TensorType((3,), DType.INT8), i8(3)),
        ("quantize", i8(3, scale=1e30), i8(3, scale=1e-30)),
        ("quantize", TensorType((3,), DType.INT32), i8(3)),
        ("dequantize", f32(3), f32(3)),
        ("dequantize", TensorType((3,), DType.INT8), f32(3)),
        ("dequantize", i8(3), f32(4)),
    ]:
        with pytest.raises(VerifyError):
            one_op(kind, [x], [result])
