from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lichen.errors import InputError
from lichen.targets.folder import ModelFolder, open_folder

GOOD = {"format": 1, "name": "toy", "board": "uno", "optimize": "size"}


def test_a_generated_folder_opens(compile_model: Callable[..., ModelFolder]) -> None:
    """What the emitter writes, the targets read."""
    model = compile_model("uno", optimize="speed")
    assert (model.name, model.board, model.optimize) == ("toy", "uno", "speed")
    assert model.source.is_file()


@pytest.mark.parametrize(
    ("manifest", "complaint"),
    [
        (None, "is not a model folder"),
        ("{", "not valid JSON"),
        ("[]", "not a manifest of format 1"),
        (GOOD | {"format": 2}, "not a manifest of format 1"),
        (GOOD | {"name": "../evil"}, "is not a C identifier"),
        (GOOD | {"name": "a\nb"}, "is not a C identifier"),
        (GOOD | {"name": 7}, "is not a C identifier"),
        (GOOD | {"board": None}, "'board' or 'optimize'"),
        (GOOD | {"optimize": "-fplugin=evil.so"}, "'board' or 'optimize'"),
        (GOOD, "has no toy.c"),
    ],
)
def test_anything_else_is_refused_with_one_sentence(manifest: object, complaint: str, tmp_path: Path) -> None:
    """A folder is input that anybody may have made: nothing in it reaches a command line unchecked."""
    if manifest is not None:
        (tmp_path / "manifest.json").write_text(manifest if isinstance(manifest, str) else json.dumps(manifest))
    with pytest.raises(InputError, match=complaint) as caught:
        open_folder(tmp_path)
    assert str(tmp_path) in str(caught.value)
