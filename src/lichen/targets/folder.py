"""A generated model folder as the targets see it: its manifest, and a glue header that hides the model's name."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lichen.errors import InputError

FORMAT = 1
_FUNCTIONS = ("init", "infer", "input", "output", "input_bytes", "output_bytes")
_STATE_FUNCTIONS = ("save", "load")
_CONSTANTS = ("DIGEST", "ARENA_BYTES", "STATE_BYTES", "INPUTS", "OUTPUTS")


@dataclass(frozen=True)
class ModelFolder:
    """`manifest` is the content of `manifest.json` as `docs/design.md` lays it down."""

    path: Path
    name: str
    board: str
    optimize: str
    manifest: Mapping[str, Any]

    @property
    def source(self) -> Path:
        """The model's C file."""
        return self.path / f"{self.name}.c"

    @property
    def weights_prefix(self) -> str:
        """How the names of its tables begin."""
        return f"{self.name}_w_"

    @property
    def state_bytes(self) -> int:
        """Of what survives from call to call; 0 for a model without state."""
        return int(self.manifest.get("state_bytes", 0))

    def glue(self) -> str:
        """`model.h`: the model's interface under names that do not depend on the model, for code that serves any."""
        lines = [
            "/* The interface of one model, for code that serves any model. */",
            "#ifndef LICHEN_GLUE_H",
            "#define LICHEN_GLUE_H",
        ]
        if self.name == "model":  # has these names already, in a header of the same name as this one
            lines += ['#include_next "model.h"']
        else:
            lines += [f'#include "{self.name}.h"', f"typedef {self.name}_t model_t;"]
            functions = _FUNCTIONS + (_STATE_FUNCTIONS if self.state_bytes else ())
            lines += [f"#define model_{function} {self.name}_{function}" for function in functions]
            lines += [f"#define MODEL_{constant} {self.name.upper()}_{constant}" for constant in _CONSTANTS]
        return "\n".join([*lines, f'#define MODEL_NAME "{self.name}"', "#endif", ""])


def open_folder(path: Path) -> ModelFolder:
    """Reads `path/manifest.json`. `InputError` if it is not a model folder that this version of Lichen wrote."""
    file = path / "manifest.json"
    try:
        manifest = json.loads(file.read_text("utf-8"))
    except OSError as error:
        raise InputError(
            f"{path} is not a model folder: cannot read {file} ({error.strerror}); make one with lichen compile"
        ) from error
    except ValueError as error:
        raise InputError(f"{file} is not valid JSON; compile the model again") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise InputError(
            f"{file} is not a manifest of format {FORMAT}; compile the model again with this version of Lichen"
        )
    name, board, optimize = (manifest.get(key) for key in ("name", "board", "optimize"))
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise InputError(f"{file}: the name {name!r} is not a C identifier; compile the model again")
    if not isinstance(board, str) or optimize not in ("speed", "size"):
        raise InputError(f"{file}: 'board' or 'optimize' is missing or wrong; compile the model again")
    if not (path / f"{name}.c").is_file():
        raise InputError(f"{path} has no {name}.c; compile the model again")
    return ModelFolder(path, name, board, optimize, manifest)
