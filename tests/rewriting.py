"""Passes as text in, text out."""

from __future__ import annotations

import base64
from textwrap import dedent

import lichen.ops  # noqa: F401  registers the operators
from graphs import random_array
from lichen.ir.interpret import Interpreter
from lichen.ir.module import Array
from lichen.ir.parse import parse_module
from lichen.ir.print import print_module
from lichen.ir.verify import verify
from lichen.passes import PASSES, run_passes


def rewrite(text: str, *names: str) -> str:
    """The body of `infer` after the passes, which must leave it verified and computing the same bytes."""
    module, original = parse_module(text), parse_module(text)
    changed = run_passes(module, names) if len(names) > 1 else PASSES[names[0]](module)
    verify(module)
    assert changed == (print_module(module) != print_module(original))
    inputs = [random_array(v.type) for v in original.infer.inputs]
    for before, after in zip(Interpreter(original).run(inputs), Interpreter(module).run(inputs), strict=True):
        assert before.tobytes() == after.tobytes()
    return body(print_module(module))


def body(text: str) -> str:
    """What stands between the braces of `infer`, without indentation."""
    lines = text[text.index("  func infer") :].splitlines()[1:]
    return "\n".join(line.strip() for line in lines[: lines.index("  }")])


def module(x: str, *lines: str, constants: str = "") -> str:
    """A module whose `infer` takes `x` and consists of `lines`."""
    function = "\n".join(f"    {line}" for line in lines)
    return f"module m {{\n{constants}\n  func infer({x}) {{\n{function}\n  }}\n}}\n"


def const(name: str, type_: str, data: Array) -> str:
    """The line that defines a constant."""
    return f'  const @{name} : {type_} = "{base64.b64encode(data.tobytes()).decode()}"'


def expect(got: str, wanted: str) -> None:
    """Text equals text, indentation aside."""
    assert got == dedent(wanted).strip()
