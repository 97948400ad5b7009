"""A generated model folder as the targets see it: its manifest, and a glue header that hides the model's name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lichen.errors import InputError
from lichen.ir.module import Array
from lichen.targets.manifest import read_manifest

_FUNCTIONS = ("init", "infer", "input", "output", "input_bytes", "output_bytes")
_STATE_FUNCTIONS = ("save", "load")
_LEARN_FUNCTIONS = (
    *("learn", "learn_input", "learn_output", "learn_input_bytes", "learn_output_bytes"),
    *("learning_rate", "lesson"),
)
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
        return int(self.manifest["state_bytes"])

    def states(self, state: bytes) -> dict[str, Array]:
        """The states by name, of the bytes of state in a blob."""
        found = {}
        for entry in self.manifest["state"]:
            raw = np.frombuffer(
                state, np.dtype(entry["dtype"]).newbyteorder("<"), math.prod(entry["shape"]), entry["offset"]
            )
            found[entry["name"]] = raw.reshape(entry["shape"])
        return found

    @property
    def learns(self) -> bool:
        """Whether the model has a function `learn`."""
        return "learn" in self.manifest.get("functions", {})

    @property
    def row_inputs(self) -> int:
        """How many inputs come row by row."""
        return sum("rows" in tensor for tensor in self.manifest["inputs"])

    def function(self, name: str) -> Mapping[str, Any]:
        """Inputs, outputs and operators of `infer` or of another function. Raises `InputError` if it does not have it."""
        functions = {"infer": self.manifest, **self.manifest.get("functions", {})}
        if name not in functions:
            raise InputError(f"{self.name} has no function {name}, only {', '.join(functions)}")
        found: Mapping[str, Any] = functions[name]
        return found

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
            functions += _LEARN_FUNCTIONS if self.learns else ()
            functions += ("input_row_bytes",) if self.row_inputs else ()
            lines += [f"#define model_{function} {self.name}_{function}" for function in functions]
            constants = _CONSTANTS + (("LEARN_INPUTS",) if self.learns else ())
            constants += ("ROW_INPUTS", "INFER_CHANGES_STATE") if self.row_inputs else ()
            lines += [f"#define MODEL_{constant} {self.name.upper()}_{constant}" for constant in constants]
            lines += [f"#ifdef {self.name.upper()}_CODED", "#define MODEL_CODED 1", "#endif"]
        sizes = {key: self.manifest[key.lower()] for key in ("ARENA_BYTES", "STATE_BYTES")}
        sizes |= {"INPUTS": len(self.manifest["inputs"]), "OUTPUTS": len(self.manifest["outputs"])}
        sizes |= {"ROW_INPUTS": self.row_inputs} if self.row_inputs else {}
        wrong = " || ".join(f"MODEL_{key} != {value}" for key, value in sizes.items())
        lines += [
            f"#if MODEL_DIGEST != UINT64_C(0x{self.manifest['digest']}) || {wrong}",
            f'#error "manifest.json does not belong to {self.name}.h; compile the model again"',
            "#endif",
        ]
        return "\n".join([*lines, f'#define MODEL_NAME "{self.name}"', "#endif", ""])


def open_folder(path: Path) -> ModelFolder:
    """The model folder at `path`. `InputError` if it is none that this version of Lichen wrote, or has been damaged."""
    manifest = read_manifest(path)
    return ModelFolder(path, manifest["name"], manifest["board"], manifest["optimize"], manifest)
