"""The model folder on disk: generated files and `manifest.json`, put in place all at once or not at all."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lichen import __version__
from lichen.backend.emit import Sources
from lichen.backend.program import PlannedFunction, Program, Step, StreamedStep
from lichen.coding.weights import CodedWeights
from lichen.errors import InputError
from lichen.ir.module import State, Value

FORMAT = 1
MANIFEST = "manifest.json"


def write_folder(path: Path, program: Program, sources: Sources, board: str, optimize: str) -> None:
    """Writes the generated files and their manifest into the existing, empty folder `path`. Raises `InputError` if it cannot."""
    described = json.dumps(manifest(program, sources, board, optimize), indent=1)
    with _writing(path.parent):
        for name, text in (*sources.files.items(), (MANIFEST, described + "\n")):
            (path / name).write_text(text, "utf-8")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A new empty folder beside `path` that takes its place when the block ends well, and vanishes when it does not.

    Files that a user has put into a model folder move along. Raises `InputError` if `path` holds anything but a model folder, or
    cannot be written.
    """
    path = path.resolve()  # a link to a folder stands for the folder
    written = _files_written(path)
    with _writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        yield fresh
        with _writing(path):
            fresh.chmod(0o755)
            _put_in_place(fresh, path, written)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """What goes wrong in the block is that `path` cannot be written, because of its permissions or a full disk."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}); choose another --out") from error


def _files_written(path: Path) -> frozenset[str]:
    """The names of the files in `path` that an earlier compilation wrote. Raises `InputError` if it is not a model folder."""
    try:
        if not path.exists() or (path.is_dir() and not any(path.iterdir())):
            return frozenset()
        manifest = json.loads((path / MANIFEST).read_text("utf-8"))
        if "lichen" not in manifest:  # many programs have a manifest.json
            raise ValueError
        return frozenset((MANIFEST, *manifest["files"]))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path} exists and is not a model folder; choose another --out") from error


def _put_in_place(fresh: Path, path: Path, written: frozenset[str]) -> None:
    """Renames `fresh` to `path`; what stands there and is not `written` by an earlier compilation is kept."""
    if not path.exists():
        fresh.rename(path)
        return
    old = fresh.with_name(f"{fresh.name}.old")
    path.rename(old)
    fresh.rename(path)
    for file in old.iterdir():
        if file.name not in written and not (path / file.name).exists():
            file.rename(path / file.name)
    shutil.rmtree(old)


def manifest(program: Program, sources: Sources, board: str, optimize: str) -> dict[str, Any]:
    """What `docs/design.md` says stands in `manifest.json`."""
    infer = program.infer
    found: dict[str, Any] = {
        "format": FORMAT,
        "lichen": __version__,
        "name": program.module.name,
        "board": board,
        "optimize": optimize,
        "digest": sources.digest,
        "macs": infer.macs,
        "arena_bytes": program.arena_bytes,
        "state_bytes": program.state_bytes,
        "decoded_bytes": program.decoded_bytes,
        "weights_bytes": sources.weights_bytes,
        "plain_weights_bytes": sources.plain_weights_bytes,
        "state": [_state(state, offset) for state, offset in program.state_offsets.items()],
        **_function(infer, program.coding),
        "files": {name: hashlib.sha256(text.encode()).hexdigest() for name, text in sorted(sources.files.items())},
    }
    if program.others:
        found["functions"] = {p.function.name: {"macs": p.macs, **_function(p, program.coding)} for p in program.others}
    return found


def _function(planned: PlannedFunction, coding: CodedWeights) -> dict[str, Any]:
    return {
        "inputs": [_tensor(planned, v) for v in planned.function.inputs],
        "outputs": [_tensor(planned, v) for v in planned.function.outputs],
        "ops": [{"index": index, **_step(planned, step, coding)} for index, step in enumerate(planned.steps)],
        "plan": planned.plan.to_dict(),
    }


def _step(planned: PlannedFunction, step: Step | StreamedStep, coding: CodedWeights) -> dict[str, Any]:
    layers = [layer for call in step.calls if (layer := coding.of(call)) is not None]
    coded = {"coded": [layer.to_dict() for layer in dict.fromkeys(layers)]} if layers else {}
    return {
        "name": step.operation.name,
        "kind": step.kind,
        "kernel": " ".join(dict.fromkeys(call.kernel for call in step.calls)),
        "macs": step.macs,
        "results": [{"name": v.name, "offset": planned.offsets[v], "bytes": v.type.bytes} for v in step.results],
        **coded,
    }


def _state(state: State, offset: int) -> Mapping[str, Any]:
    return {
        "name": state.name,
        "shape": list(state.type.shape),
        "dtype": str(state.type.dtype.numpy),
        "offset": offset,
        "bytes": state.type.bytes,
    }


def _tensor(planned: PlannedFunction, value: Value) -> Mapping[str, Any]:
    q = value.type.quantisation
    by_rows = {"rows": planned.row_inputs[value]} if value in planned.row_inputs else {}
    return {
        "name": value.name,
        "shape": list(value.type.shape),
        "dtype": str(value.type.dtype.numpy),
        "scale": q.scale[0] if q is not None else None,
        "zero_point": q.zero_point[0] if q is not None else None,
        "offset": planned.offsets[value],
        "bytes": value.type.bytes,
        **by_rows,
    }
