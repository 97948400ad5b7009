"""What the README claims is what the code does."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from lichen.cli.app import VERBS
from lichen.frontends.tflite import supported_operators

ROOT = Path(__file__).parents[1]
RESOURCES = {"VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "CALL_ONCE"}


def test_listed_operators_are_the_supported_ones() -> None:
    """No operator is missing from the list, and none is promised that is not there."""
    text = (ROOT / "README.md").read_text("utf-8")
    paragraph = text[text.index("`.tflite` (int8 and float32):") :].partition("`torch.export` programs")[0]
    listed = set(re.findall(r"\b[A-Z][A-Z0-9_]{2,}\b", paragraph))
    assert listed == set(supported_operators()) - RESOURCES


@pytest.mark.parametrize("name", ["README.md", "README.ko.md"])
def test_examples_are_code(name: str) -> None:
    """Python examples parse and are about ten lines; command lines use verbs that exist."""
    text = (ROOT / name).read_text("utf-8")
    for example in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        ast.parse(example)
    verbs = set(re.findall(r"^lichen (\w+)", text, re.MULTILINE))
    assert verbs and verbs <= set(VERBS)


def test_both_languages_give_the_same_figures() -> None:
    """The tables of the two READMEs are the same, letter by letter."""
    tables = [
        [line for line in (ROOT / name).read_text("utf-8").splitlines() if line.startswith(("│", "| "))]
        for name in ("README.md", "README.ko.md")
    ]
    assert tables[0] and tables[0] == tables[1]
