"""Which layer lost it: what quantisation costs, layer by layer and stage by stage."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lichen.errors import InputError
from lichen.ir.interpret import Interpreter
from lichen.ir.module import Array, Constant, Module, Operation, Value
from lichen.ir.operator import operator
from lichen.ir.types import TensorType
from lichen.nn.train import accuracy, predict


@dataclass(frozen=True)
class LayerError:
    """What one int8 layer differs from its float counterpart, over all samples.

    Signal-to-quantisation-noise ratios are in dB, 20 more for each decimal digit that is right, infinite for no difference.
    `own_sqnr` is what the layer loses when it is fed the float network's values, quantised; `sqnr` is what is lost up to its result,
    by all layers before it as well. `max_error` is the largest difference in steps of the result's scale, and `saturated` the
    share of float values outside the range that int8 has here.
    """

    name: str
    kind: str
    own_sqnr: float
    sqnr: float
    max_error: float
    saturated: float


@dataclass(frozen=True)
class StageAccuracy:
    """The share of samples classified rightly by one stage: `float`, `pt2e`, `int8`."""

    stage: str
    accuracy: float


@dataclass
class _Noise:
    """Sums over samples, for one layer."""

    signal: float = 0.0
    own: float = 0.0
    total: float = 0.0
    max_error: float = 0.0
    outside: int = 0
    elements: int = 0


@dataclass
class _Trace:
    """Results of all operations in one run, by name."""

    values: dict[str, Array] = field(default_factory=dict)

    def __call__(self, operation: Operation, results: Sequence[Array]) -> None:
        self.values |= {v.name: r for v, r in zip(operation.results, results, strict=True)}


def error_report(reference: Module, quantised: Module, samples: Iterable[NDArray[Any]]) -> list[LayerError]:
    """The layers of `quantised` that `reference` has too, the one that itself loses most first.

    Both modules come from one network, through `from_exported_program`: layers are matched by name and shape, so names must not be
    changed in between. `samples` are float32 inputs of the reference, each in its full shape (1, …). Raises `InputError` if there
    are none, or if the modules have no layer in common.
    """
    noise: dict[Operation, _Noise] = {}
    float_run, int8_run = Interpreter(reference), Interpreter(quantised)
    seen = 0
    for sample in samples:
        expected, got = _Trace(), _Trace()
        float_run.run([np.asarray(sample, np.float32)], expected)
        real_inputs = {v.name: sample for v in reference.infer.inputs}
        int8_run.run([_stored(sample, v.type) for v in quantised.infer.inputs], got)
        _add(quantised, real_inputs | expected.values, got.values, noise)
        seen += 1
    if seen == 0:
        raise InputError("the error report needs at least one sample")
    if not noise:
        raise InputError("the two modules have no layer in common; make both from the same network")
    return sorted((_layer_error(op, sums) for op, sums in noise.items()), key=lambda layer: layer.own_sqnr)


def stage_accuracies(
    model: nn.Module,
    program: Callable[[torch.Tensor], torch.Tensor],
    quantised: Module,
    x: NDArray[np.float32],
    y: NDArray[np.int64],
) -> list[StageAccuracy]:
    """Accuracy on `x` (n, …; images NHWC) and classes `y` (n) of the float model, the PT2E program's module and the int8 graph."""
    interpreter = Interpreter(quantised)
    (source,) = quantised.infer.inputs
    scores = np.stack([interpreter.run([_stored(sample[None], source.type)])[0] for sample in x])
    return [
        StageAccuracy("float", accuracy(predict(model.eval(), x), y)),
        StageAccuracy("pt2e", accuracy(predict(program, x, batch_size=1), y)),
        StageAccuracy("int8", accuracy(scores, y)),
    ]


def format_report(layers: Sequence[LayerError]) -> str:
    """The report as a table of text, in the order given."""
    rows = [("layer", "operator", "own dB", "total dB", "steps", "clipped")]
    rows += [
        (e.name, e.kind, _decibels(e.own_sqnr), _decibels(e.sqnr), f"{e.max_error:.1f}", f"{e.saturated:.1%}")
        for e in layers
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(w) if i < 2 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )


def _add(
    quantised: Module, expected: Mapping[str, Array], got: Mapping[str, Array], noise: dict[Operation, _Noise]
) -> None:
    """One sample's differences."""
    for op in quantised.infer.operations:
        if not _is_comparable(op, expected):
            continue
        own = operator(op.kind).evaluate(op, *(_operand(v, expected) for v in op.operands))
        sums = noise.setdefault(op, _Noise())
        for value, alone in zip(op.results, own, strict=True):
            real, type_ = expected[value.name].astype(np.float64), value.type
            after_all = _real(got[value.name], type_)
            sums.signal += float((real**2).sum())
            sums.own += float(((_real(alone, type_) - real) ** 2).sum())
            sums.total += float(((after_all - real) ** 2).sum())
            sums.max_error = max(sums.max_error, float(np.abs(after_all - real).max()) / type_.scale)
            low, high = (_real(np.array(limit), type_) for limit in type_.dtype.range)
            sums.outside += int(((real < low - type_.scale / 2) | (real > high + type_.scale / 2)).sum())
            sums.elements += real.size


def _is_comparable(op: Operation, expected: Mapping[str, Array]) -> bool:
    """Whether the float network has the operation's results, and what it is computed from."""

    def known(value: Value) -> bool:
        return value.name in expected and expected[value.name].shape == value.type.shape

    quantised = all(v.type.quantisation is not None for v in op.results)
    operands = all(isinstance(v, Constant) or known(v) for v in op.operands)
    return bool(op.results) and quantised and operands and all(known(v) for v in op.results)


def _operand(value: Value, expected: Mapping[str, Array]) -> Array:
    return value.data if isinstance(value, Constant) else _stored(expected[value.name], value.type)


def _stored(real: Array, type_: TensorType) -> Array:
    """Real numbers as a tensor of `type_` stores them."""
    if type_.dtype.is_float:
        return np.asarray(real, np.float32)
    low, high = type_.dtype.range
    stored = np.rint(np.asarray(real, np.float64) / type_.scale) + type_.zero_point
    clipped: Array = np.clip(stored, low, high).astype(type_.dtype.numpy)
    return clipped


def _real(stored: Array, type_: TensorType) -> NDArray[np.float64]:
    if type_.dtype.is_float:
        return stored.astype(np.float64)
    real: NDArray[np.float64] = (stored.astype(np.float64) - type_.zero_point) * type_.scale
    return real


def _layer_error(op: Operation, sums: _Noise) -> LayerError:
    return LayerError(
        op.name,
        op.kind,
        _sqnr(sums.signal, sums.own),
        _sqnr(sums.signal, sums.total),
        sums.max_error,
        sums.outside / sums.elements,
    )


def _sqnr(signal: float, noise: float) -> float:
    if noise == 0.0:
        return math.inf
    return 10.0 * math.log10(signal / noise) if signal > 0.0 else -math.inf


def _decibels(value: float) -> str:
    return f"{value:.1f}" if math.isfinite(value) else ("exact" if value > 0 else "lost")
