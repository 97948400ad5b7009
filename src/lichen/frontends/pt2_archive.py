"""Reads `.pt2` files as untrusted input.

`torch.export.load` trusts its file: it unpickles, loads shared libraries, evaluates expressions and resolves any name in the `torch`
package. So the archive is read here first, everything checked that the loader would act upon, and only the parts a network needs
go on to the loader, in a new archive in memory. The pickled example inputs are left out.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch.export import ExportedProgram

from lichen.errors import InputError, UnsupportedError
from lichen.nn.quiet import quiet

_MAX_BYTES = 1 << 28  # far beyond any microcontroller
_KEPT = re.compile(
    r"[^/]+/(?:archive_format|archive_version|byteorder|\.data/[a-z_]+|models/model\.json"
    r"|data/(?:weights/weight_\d+|constants/tensor_\d+|weights/model_weights_config\.json|constants/model_constants_config\.json))\Z"
)
_EXAMPLE = re.compile(r"[^/]+/data/sample_inputs/model\.pt\Z")
_TARGET = re.compile(r"(?:torch\.ops\.(?:aten|quantized_decomposed)\.\w+\.\w+|_operator\.getitem)\Z")


def read_program(path: Path) -> ExportedProgram:
    """The program in a `.pt2` file.

    Raises `InputError` for a file that is damaged or holds anything but one network with plain weights, `UnsupportedError` for
    operators that are not ATen's and for dynamic shapes.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"the file cannot be read: {error.strerror}") from error
    clean = _cleaned(data)
    try:
        with quiet():
            return torch.export.load(io.BytesIO(clean))
    except Exception as error:  # the loader raises whatever a damaged description leads it to
        raise InputError(
            f"the program in the file is damaged: torch.export.load fails with {type(error).__name__}"
        ) from error


def _cleaned(data: bytes) -> bytes:
    """An archive of what the loader needs and may have."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _copied(archive)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError, RecursionError, RuntimeError) as error:
        raise InputError(f"the file is damaged or no archive of torch.export.save ({error})") from error


def _copied(archive: zipfile.ZipFile) -> bytes:
    entries = archive.infolist()
    # Uncompressed, as torch.export.save writes it: an archive cannot unpack to more than its own size.
    if any(e.compress_type != zipfile.ZIP_STORED for e in entries) or sum(e.file_size for e in entries) > _MAX_BYTES:
        raise InputError("the file is compressed or too large; write it with torch.export.save")
    if len({e.filename for e in entries}) != len(entries):
        raise InputError("the file holds an entry twice")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as clean:
        for entry in entries:
            content = archive.read(entry)  # checks the CRC
            if _EXAMPLE.match(entry.filename):
                content = b""
            elif not _KEPT.match(entry.filename):
                raise InputError(
                    f"the file holds '{entry.filename[:80]}', which is no part of a network with plain weights"
                )
            elif entry.filename.endswith("_config.json"):
                _check_payloads(json.loads(content))
            elif entry.filename.endswith("/models/model.json"):
                content = _checked_model(json.loads(content))
            clean.writestr(entry.filename, content)
    return buffer.getvalue()


def _check_payloads(config: Any) -> None:
    """Weights and constants must be plain bytes, not pickles."""
    payloads = config.get("config") if isinstance(config, dict) else None
    if not isinstance(payloads, dict) or not all(isinstance(p, dict) for p in payloads.values()):
        raise InputError("the table of weights in the file is damaged")
    for name, payload in payloads.items():
        if payload.get("use_pickle") is not False:
            raise InputError(f"'{name}' is stored as a pickle, which could run any code; store dense CPU tensors only")


def _checked_model(model: Any) -> bytes:
    """The description of the graph, without guards, which are Python source."""
    if not isinstance(model, dict) or not isinstance(model.get("graph_module"), dict):
        raise InputError("the description of the graph in the file is damaged")
    model["guards_code"] = []
    _check_tree(model)
    return json.dumps(model).encode()


def _check_tree(item: Any) -> None:
    """No symbolic expression, which the loader would evaluate, and no operator but ATen's and PT2E's."""
    if isinstance(item, list):
        for part in item:
            _check_tree(part)
    elif isinstance(item, dict):
        if "as_expr" in item or "expr_str" in item:
            raise UnsupportedError(
                "the program has dynamic shapes; export the model without dynamic_shapes, for one sample of fixed size"
            )
        target = item.get("target")
        if "inputs" in item and isinstance(target, str) and not _TARGET.match(target):
            raise UnsupportedError(f"operator {target[:80]} is not one of ATen's or PT2E's")
        for part in item.values():
            _check_tree(part)
