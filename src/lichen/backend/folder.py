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
from lichen.backend.program import Program
from lichen.errors import InputError
from lichen.ir.module import Value
from lichen.ir.operator import operator

FORMAT = 1
MANIFEST = "manifest.json"


def write_folder(path: Path, program: Program, sources: Sources, board: str, optimize: str) -> None:
    """Writes the generated files and their manifest into the existing, empty folder `path`."""
    for name, text in sources.files.items():
        (path / name).write_text(text, "utf-8")
    text = json.dumps(manifest(program, sources, board, optimize), indent=1)
    (path / MANIFEST).write_text(text + "\n", "utf-8")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A new empty folder beside `path` that takes its place when the block ends well, and vanishes when it does not.

    Raises `InputError` if `path` holds anything but a model folder.
    """
    path = path.absolute()
    if path.is_file() or (path.is_dir() and any(path.iterdir()) and not (path / MANIFEST).is_file()):
        raise InputError(f"{path} exists and is not a model folder; choose another --out")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}); choose another --out") from error
    try:
        yield fresh
        fresh.chmod(0o755)
        if path.is_dir():
            old = fresh.with_name(f"{fresh.name}.old")
            path.rename(old)
            fresh.rename(path)
            shutil.rmtree(old)
        else:
            fresh.rename(path)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def manifest(program: Program, sources: Sources, board: str, optimize: str) -> dict[str, Any]:
    """What `docs/design.md` says stands in `manifest.json`."""
    function = program.module.infer
    return {
        "format": FORMAT,
        "lichen": __version__,
        "name": program.module.name,
        "board": board,
        "optimize": optimize,
        "digest": sources.digest,
        "macs": sum(operator(op.kind).macs(op) for op in function.operations),
        "arena_bytes": program.arena_bytes,
        "state_bytes": program.state_bytes,
        "weights_bytes": sources.weights_bytes,
        "inputs": [_tensor(program, v) for v in function.inputs],
        "outputs": [_tensor(program, v) for v in function.outputs],
        "ops": [
            {
                "index": index,
                "name": step.operation.name,
                "kind": step.operation.kind,
                "kernel": step.call.kernel,
                "macs": operator(step.operation.kind).macs(step.operation),
                "results": [
                    {"name": v.name, "offset": program.offsets[v], "bytes": v.type.bytes}
                    for v in step.operation.results
                ],
            }
            for index, step in enumerate(program.steps)
        ],
        "plan": program.plan.to_dict(),
        "files": {name: hashlib.sha256(text.encode()).hexdigest() for name, text in sorted(sources.files.items())},
    }


def _tensor(program: Program, value: Value) -> Mapping[str, Any]:
    q = value.type.quantisation
    return {
        "name": value.name,
        "shape": list(value.type.shape),
        "dtype": str(value.type.dtype.numpy),
        "scale": q.scale[0] if q is not None else None,
        "zero_point": q.zero_point[0] if q is not None else None,
        "offset": program.offsets[value],
        "bytes": value.type.bytes,
    }
