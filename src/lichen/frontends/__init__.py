"""Models of other tools become graphs: `load` chooses the reader by the suffix of the file."""

from __future__ import annotations

from pathlib import Path

from lichen.errors import InputError, MissingToolError
from lichen.ir.module import Module

MAX_BYTES = 1 << 28  # far beyond any microcontroller


def load(path: str | Path) -> Module:
    """The model in a `.tflite`, `.pt2` or `.lichen` file as a verified module named after the file.

    Raises `InputError` in one sentence for a file that is missing, damaged or of another kind, `UnsupportedError` for a model
    with something Lichen does not have, `MissingToolError` where the reader needs a package that is not installed.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path} is not a file")
    if path.stat().st_size > MAX_BYTES:
        raise InputError(f"{path} is larger than {MAX_BYTES >> 20} MB; no microcontroller holds such a model")
    # Readers are imported when they are needed: PyTorch alone takes seconds.
    match path.suffix.lower():
        case ".tflite":
            from lichen.frontends.tflite import load_tflite

            return load_tflite(path)
        case ".pt2":
            try:
                from lichen.frontends.torch_export import load_pt2
            except ImportError as error:
                raise MissingToolError(
                    f"reading {path.name} needs PyTorch ({error}); install it with: pip install 'lichen[torch]'"
                ) from error

            return load_pt2(path)
        case ".lichen":
            from lichen.frontends.text import load_text

            return load_text(path)
    raise InputError(f"{path.name} is none of .tflite, .pt2 and .lichen, the kinds of models that can be read")
