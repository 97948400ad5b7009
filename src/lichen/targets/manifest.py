"""`manifest.json`, read as input that anybody may have written: what has passed is whole, of the right types, and fits together."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from lichen.backend.folder import FORMAT, MANIFEST
from lichen.errors import InputError
from lichen.ir.types import MAX_ELEMENTS, MAX_RANK, DType

_MOST = 2**31 - 1  # bytes or pieces of anything on a microcontroller
_MOST_MACS = 2**63 - 1


@dataclass(frozen=True)
class _Rule:
    """What a value must be, in words and as a predicate."""

    what: str
    holds: Callable[[Any], bool]


_Schema: TypeAlias = "_Rule | list[_Schema] | dict[str, _Schema]"
"""A rule for a value, a list of such for each item of an array (`[rule]`), or a rule for each key an object must have."""


def _whole(least: int, most: int) -> _Rule:
    return _Rule(f"a whole number from {least} to {most}", lambda v: type(v) is int and least <= v <= most)


_NAME = _Rule("a C identifier", lambda v: isinstance(v, str) and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", v) is not None)
_SIZE = _whole(0, _MOST)
_TENSOR: _Schema = {
    "name": _NAME,
    "shape": _Rule(
        f"up to {MAX_RANK} dimensions with {MAX_ELEMENTS} elements at most",
        lambda v: (
            isinstance(v, list)
            and len(v) <= MAX_RANK
            and all(type(n) is int and 1 <= n <= MAX_ELEMENTS for n in v)
            and math.prod(v) <= MAX_ELEMENTS
        ),
    ),
    "dtype": _Rule("an element type", lambda v: v in [str(dtype.numpy) for dtype in DType]),
    "offset": _SIZE,
    "bytes": _SIZE,
}
_OP: _Schema = {
    "name": _NAME,
    "kind": _NAME,
    "macs": _whole(0, _MOST_MACS),
    "results": [{"name": _NAME, "offset": _SIZE, "bytes": _SIZE}],
}
_CODED: _Schema = [
    {
        "name": _NAME,
        "form": _Rule("dense or sparse", lambda v: v in ("dense", "sparse")),
        "decoded": _Rule("fused, tile or start", lambda v: v in ("fused", "tile", "start")),
        "bytes": _SIZE,
        "plain_bytes": _SIZE,
        "symbols": _SIZE,
        "instructions": _whole(0, _MOST_MACS),
    }
]
_MANIFEST: _Schema = {
    "name": _NAME,
    "board": _Rule("the name of a board", lambda v: isinstance(v, str)),
    "optimize": _Rule("speed, balanced or size", lambda v: v in ("speed", "balanced", "size")),
    "digest": _Rule("16 hex digits", lambda v: isinstance(v, str) and re.fullmatch(r"[0-9a-f]{16}", v) is not None),
    "macs": _whole(0, _MOST_MACS),
    "arena_bytes": _whole(1, _MOST),
    "state_bytes": _SIZE,
    "weights_bytes": _SIZE,
    "state": [_TENSOR],
    "inputs": [_TENSOR],
    "outputs": [_TENSOR],
    "ops": [_OP],
    "files": _Rule(
        "the generated files' digests",
        lambda v: isinstance(v, dict) and all(re.fullmatch(r"\w+\.(c|h|lichen)", name) for name in v),
    ),
}


_FUNCTION: _Schema = {"inputs": [_TENSOR], "outputs": [_TENSOR], "ops": [_OP]}


def read_manifest(folder: Path) -> Mapping[str, Any]:
    """The manifest of a model folder: every key that Lichen reads is there and usable, every tensor lies inside the arena, every
    generated file exists. Raises `InputError`.
    """
    file = folder / MANIFEST
    try:
        if file.exists() and not file.is_file():
            raise InputError(f"{file} is not a file; compile the model again")
        manifest = json.loads(file.read_text("utf-8"))
    except OSError as error:
        raise InputError(
            f"{folder} is not a model folder: cannot read {file} ({error.strerror}); make one with lichen compile"
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file} is not valid JSON; compile the model again") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise InputError(
            f"{file} is not a manifest of format {FORMAT}; compile the model again with this version of Lichen"
        )
    fault = _fault(manifest, _MANIFEST, "") or _fault_of_functions(manifest) or _fault_of_coding(manifest)
    fault = fault or _misfit(manifest)
    if fault:
        raise InputError(f"{file}: {fault}; compile the model again")
    for name in (f"{manifest['name']}.c", f"{manifest['name']}.lichen", *manifest["files"]):
        if not (folder / name).is_file():
            raise InputError(f"{folder} has no {name}; compile the model again")
    return manifest


def _fault(value: Any, schema: _Schema, where: str) -> str | None:
    """The first thing in `value` that `schema` does not allow, as a sentence; `None` if there is none."""
    if isinstance(schema, _Rule):
        shown = json.dumps(value)
        return None if schema.holds(value) else f"'{where}' is {shown[:60]} but must be {schema.what}"
    if isinstance(schema, list):
        if not isinstance(value, list):
            return f"'{where}' is no array"
        faults = (_fault(item, schema[0], f"{where}[{index}]") for index, item in enumerate(value))
        return next(filter(None, faults), None)
    if not isinstance(value, dict):
        return f"'{where}' is no object"
    for key, rule in schema.items():
        path = f"{where}.{key}" if where else key
        fault = _fault(value[key], rule, path) if key in value else f"'{path}' is missing"
        if fault:
            return fault
    return None


def _fault_of_functions(manifest: Mapping[str, Any]) -> str | None:
    """The same for the functions beside `infer`, of which a model need not have any."""
    functions = manifest.get("functions", {})
    if not isinstance(functions, dict):
        return "'functions' is no object"
    faults = (_fault(function, _FUNCTION, f"functions.{name}") for name, function in functions.items())
    return next(filter(None, faults), None)


def _fault_of_coding(manifest: Mapping[str, Any]) -> str | None:
    """The same for what coding gave the weights, which need not be coded, least of all by an older Lichen."""
    sizes = [key for key in ("decoded_bytes", "plain_weights_bytes") if key in manifest]
    fault = _fault(manifest, dict.fromkeys(sizes, _SIZE), "")
    if fault:
        return fault
    ops = [op for function in (manifest, *manifest.get("functions", {}).values()) for op in function["ops"]]
    faults = (_fault(op["coded"], _CODED, f"coded of {op['name']}") for op in ops if "coded" in op)
    return next(filter(None, faults), None)


def _misfit(manifest: Mapping[str, Any]) -> str | None:
    """The first tensor whose size does not follow from its type, or that does not lie in the arena or the state."""
    functions = [manifest, *manifest.get("functions", {}).values()]
    tensors = [tensor for function in functions for tensor in (*function["inputs"], *function["outputs"])]
    for tensor in (tensor for tensor in tensors if "rows" in tensor):
        if not any(tensor is other for other in manifest["inputs"]):
            return f"tensor {tensor['name']} has rows, which only inputs of the inference have"
        shape, kept = tensor["shape"], tensor["rows"]
        if len(shape) != 4 or shape[0] != 1 or type(kept) is not int or not 1 <= kept <= shape[1]:
            return f"tensor {tensor['name']} keeps {json.dumps(kept)[:60]} rows of a tensor of shape {shape}"
    for tensor in (*tensors, *manifest["state"]):
        size = math.prod(tensor["shape"]) * np.dtype(tensor["dtype"]).itemsize
        if tensor["bytes"] != size:
            return f"tensor {tensor['name']} has {tensor['bytes']} bytes where its type has {size}"
    results = (result for op in manifest["ops"] for result in op["results"])
    for tensor in [*tensors, *results]:
        kept = tensor["bytes"] // tensor["shape"][1] * tensor["rows"] if "rows" in tensor else tensor["bytes"]
        if tensor["offset"] + kept > manifest["arena_bytes"]:
            return f"tensor {tensor['name']} does not lie in the arena of {manifest['arena_bytes']} bytes"
    for state in manifest["state"]:
        if state["offset"] + state["bytes"] > manifest["state_bytes"]:
            return f"state {state['name']} does not lie in the {manifest['state_bytes']} bytes of state"
    return None
