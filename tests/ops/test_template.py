"""The operator that others are copied from: it works as it stands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import lichen.ops
from lichen.backend import emit as emit_module
from lichen.ir import operator as registry
from native_check import assert_native_equals_interpreter
from ops_oracle import i8, one_op, run

TEMPLATE = Path(lichen.ops.__file__).parent / "TEMPLATE"


def test_the_template_is_a_working_operator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its Python registers, verifies and evaluates; its kernel, from the comment, compiles and gives the same bytes."""
    monkeypatch.setattr(registry, "_REGISTRY", dict(registry._REGISTRY))
    text = TEMPLATE.read_text()
    exec(compile(text, str(TEMPLATE), "exec"), {"__name__": "template"})
    header = text[text.index("#   /* lichen_twice_s8.h") : text.index('"""Twice')]
    (tmp_path / "lichen_twice_s8.h").write_text("\n".join(line[4:] for line in header.splitlines()) + "\n")
    for path in emit_module.KERNELS.glob("*.h"):
        (tmp_path / path.name).write_text(path.read_text())
    monkeypatch.setattr(emit_module, "KERNELS", tmp_path)
    module = one_op("twice", [i8(2, 3, zero=5)], [i8(2, 3, zero=5)])
    assert run(module, np.array([[5, 6, 4], [127, -128, 0]], np.int8))[0].tolist() == [[5, 7, 3], [127, -128, -5]]
    assert_native_equals_interpreter([module, module])
