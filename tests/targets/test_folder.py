from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lichen.errors import InputError
from lichen.targets.folder import ModelFolder, open_folder

IMAGE = {"name": "x", "shape": [1, 4, 2, 1], "dtype": "int8", "scale": 0.1, "zero_point": 0, "offset": 0, "bytes": 8}
TENSOR = {"name": "x", "shape": [1, 4], "dtype": "int8", "scale": 0.1, "zero_point": 0, "offset": 0, "bytes": 4}
OP = {"name": "y", "kind": "dense", "macs": 1, "results": []}
GOOD = {
    **{"format": 1, "name": "toy", "board": "uno", "optimize": "size", "digest": "0123456789abcdef"},
    **{"macs": 0, "arena_bytes": 4, "state_bytes": 0, "weights_bytes": 0},
    **{"state": [], "inputs": [TENSOR], "outputs": [TENSOR], "ops": [], "files": {"toy.h": ""}},
}


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
        (GOOD | {"name": "../evil"}, "must be a C identifier"),
        (GOOD | {"name": "a\nb"}, "must be a C identifier"),
        (GOOD | {"name": 7}, "must be a C identifier"),
        (GOOD | {"board": None}, "'board' is null but must be the name of a board"),
        (GOOD | {"optimize": "-fplugin=evil.so"}, "must be speed, balanced or size"),
        (GOOD | {"digest": 1.0}, "must be 16 hex digits"),
        (GOOD | {"arena_bytes": True}, "'arena_bytes' is true but must be a whole number"),
        (GOOD | {"inputs": {}}, "'inputs' is no array"),
        (GOOD | {"ops": [7]}, r"'ops\[0\]' is no object"),
        (GOOD | {"ops": [{"name": "y"}]}, r"'ops\[0\].kind' is missing"),
        (GOOD | {"inputs": [TENSOR | {"shape": [1, 10**400]}]}, "elements at most"),
        (GOOD | {"outputs": [TENSOR | {"bytes": 5}]}, "has 5 bytes where its type has 4"),
        (GOOD | {"outputs": [TENSOR | {"offset": 1}]}, "does not lie in the arena of 4 bytes"),
        (GOOD | {"inputs": [IMAGE]}, "does not lie in the arena of 4 bytes"),
        (GOOD | {"inputs": [IMAGE | {"rows": 3}]}, "does not lie in the arena of 4 bytes"),
        (GOOD | {"inputs": [IMAGE | {"rows": 0}]}, "keeps 0 rows of a tensor of shape"),
        (GOOD | {"arena_bytes": 99, "inputs": [IMAGE | {"rows": 5}]}, "keeps 5 rows of a tensor of shape"),
        (GOOD | {"inputs": [IMAGE | {"rows": None}]}, "keeps null rows of a tensor of shape"),
        (GOOD | {"inputs": [TENSOR | {"rows": 1}]}, r"keeps 1 rows of a tensor of shape \[1, 4\]"),
        (GOOD | {"outputs": [TENSOR | {"rows": 1}]}, "has rows, which only inputs of the inference have"),
        (GOOD | {"inputs": [IMAGE | {"rows": 2}]}, "has no toy.c"),
        (GOOD | {"state": [TENSOR]}, "does not lie in the 0 bytes of state"),
        (GOOD | {"decoded_bytes": -1}, "'decoded_bytes' is -1 but must be a whole number"),
        (GOOD | {"ops": [OP | {"coded": {}}]}, "'coded of y' is no array"),
        (GOOD | {"ops": [OP | {"coded": [{"name": "y"}]}]}, r"'coded of y\[0\].form' is missing"),
        (GOOD | {"files": {"../toy.h": ""}}, "the generated files' digests"),
        ("[" * 100000, "not valid JSON"),
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
