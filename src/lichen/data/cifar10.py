"""CIFAR-10: Krizhevsky, "Learning multiple layers of features from tiny images", 2009. Its first training batch and a fifth of its test part.

The test part is 2,008 of the 10,000 test images, MLPerf Tiny's 200 among them.
"""

from __future__ import annotations

import base64
import pickle
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from lichen.data.published import Arrays, Published

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SIDE = 32


@dataclass(frozen=True)
class Cifar10:
    """Images (n, 32, 32, 3), float32 from 0 to 1, channels red, green, blue; and their classes (n,), int64, see `CLASSES`."""

    train_x: NDArray[np.float32]
    train_y: NDArray[np.int64]
    test_x: NDArray[np.float32]
    test_y: NDArray[np.int64]


def load_cifar10() -> Cifar10:
    """10,000 training images and 2,008 test images, in the order of the originals.

    From `LICHEN_DATA/cifar10/train10000.npz` and `test2000.npz`, or downloaded (163 MB). Raises `InputError` where they are not to be had,
    `MissingToolError` where a download needs the package pooch.
    """
    found = _PUBLISHED.load()

    def images(name: str) -> NDArray[np.float32]:
        return found[name].astype(np.float32) / np.float32(255)

    return Cifar10(
        images("train_x"), found["train_y"].astype(np.int64), images("test_x"), found["test_y"].astype(np.int64)
    )


def _read(folder: Path) -> Arrays:
    arrays: dict[str, NDArray[Any]] = {}
    for part, file in (("train", "train10000.npz"), ("test", "test2000.npz")):
        with np.load(folder / file, allow_pickle=False) as stored:
            arrays |= {f"{part}_x": stored["x"], f"{part}_y": stored["y"]}
    return arrays


def _convert(archive: Path) -> Arrays:
    """From `cifar-10-python.tar.gz`: pickled batches of planar images."""
    arrays: dict[str, NDArray[Any]] = {}
    chosen = {"data_batch_1": ("train", np.arange(10_000)), "test_batch": ("test", _test_images())}
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member, (part, rows) in chosen.items():
                file = tar.extractfile(f"cifar-10-batches-py/{member}")
                if file is None:
                    raise ValueError(f"{member} is no file")
                batch = _Batch(file).load()
                planar = batch[b"data"].reshape(-1, 3, SIDE, SIDE)[rows]
                arrays[f"{part}_x"] = np.ascontiguousarray(planar.transpose(0, 2, 3, 1))
                arrays[f"{part}_y"] = np.array(batch[b"labels"], np.uint8)[rows]
    except (tarfile.TarError, EOFError, pickle.UnpicklingError, AttributeError, TypeError) as error:
        raise ValueError(str(error) or "it ends too early") from error
    return arrays


class _Batch(pickle.Unpickler):
    """Makes arrays and nothing else: what a pickle names would otherwise be run."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file, encoding="bytes")  # strings of Python 2

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("numpy", "ndarray"):
            return np.ndarray
        if (module, name) == ("numpy", "dtype"):
            return lambda code, *_: np.dtype(code)  # NumPy warns of the arguments that its older versions have written
        if module.endswith("core.multiarray") and name == "_reconstruct":
            return _reconstruct
        raise pickle.UnpicklingError(f"it names {module}.{name}")


def _reconstruct(kind: type[NDArray[Any]], shape: tuple[int, ...], code: bytes) -> NDArray[Any]:
    """What NumPy's pickles call; they set shape, type and content afterwards."""
    return kind.__new__(kind, shape, code.decode())


def _test_images() -> NDArray[np.intp]:
    """Which of the 10,000 test images."""
    bits = np.unpackbits(np.frombuffer(base64.b64decode(_CHOSEN), np.uint8))
    return np.flatnonzero(bits)


_CHOSEN = (  # one bit for each test image
    "QABIEAqhZCKgAOYQAQgAAxUFEAAEACgCEAIIIh6KAAAgAgCJwoRAEhEEERAIShBIAN4QIQBEEIMYIAOEDEFkKBQQFCUBCGQAkEgUAASQACAFTAsC"
    "wIBAggQQA4gAQABAgARBYIAwwKAAAQAgAAAAgQAgIAUAAEpAEAAgESAZAEYAAUkJkAECWiYAFAIAIIAglAGBDkhgBIAAMAgABjsBYCQgkAIAAAAA"
    "gACUAAoQAABAwAAMAAwiFAwAAi8igQkAABIJAxCIgqQAQACEMhDEIEBRQkAQDAEgAAAbBRBSAEoECQBEgJAQAQBQIAEAAwCBKIwDQAUDBMAwjAGA"
    "EUApaQCCECQEV5QFNJSQAQAQEhJIkABAQIUAAASAAACAZiiIAsgAOgwwAIMgQhIibAAEgICQhAACNQgAICKgJsKJABEQABIIIGgLQLCIIEQIQBES"
    "CLQoeICEAECBSDAFkIgMFBDQAQAIAACBgrlEJJEBAAhgAAAGIAEACsYQgACQAyIIEIoIiUMAJgQJAiJAQAACkEAAiYAEyCAkQDwIApAkQBCAQhAA"
    "CCSCQCIAEgimCBMjIcEUQGlQAYImAyAgASEAUmYKAhICgIPAoBRUWUSkJMUIgBLAAAIAMBCAAgYBgSaEAeTmTQxAQghUmBIDMWAzYWAEwhiIsBQA"
    "GZAQ4JQCIYjMAABABkAngYAANAAkvSehUQaECVACAwSOMQIgEgCQYTAAHmEEhoDABqgAwkCAQAIAAQBsCOQCFgjKWAAwAGCEBhABDABGQAAgBicF"
    "AMIQCCABcgiAAgMACEowANgMAAVwD+lCFADiAACICKAEAYCgEaCACQgAAEGAEFuoCA4BQAAAEAACUkANhJCBiAFAAICBAYFARYGAARcBiBAgBkAS"
    "gDAAGBRAAFBkgCgAwCAAgFUAACAMQIAkUAADIBgDFAAAlACwiEIIgAEMEBggEAUDAAHAEACggUQyFUCAgqIIAggAgAAKAESCAMAUwKICQQCEQokw"
    "BVEEBAFAFAAAQgjDBgglCQAKAAABAgB2YAAKAQQJAgLIESAAAESEASBgETCIAQBREAKgi8AiEIADFiAAAKAKACGEAgkQCAFAKAMAQCgCAEFAEGAk"
    "QIIAASpKgNQQAYFBxACAEIGAFEWARQIDiSREBIgMVsCEsMiiAAwACGgADwECFAAEEARAYAAoAhMKAQAQGBTUBAAEAEGABABBAgADAYoGACOAEIgq"
    "EgASDECSIkDQEIQAQADQCgAgAAgkMAAEAEUAAmFQkAJVSCDgQIACDEQgEAAAEABAAAAEAAgISCQQ4MSIiABSaaAAjEDigypQaBCQAgRgWeCACQib"
    "gxRUJYAFCgQEAgCAAFACCSAISAIAAGAIAACGhyMGAAhEtDoAwOQQwCICBsiSEGBgAFUBAAFACJkKCAoACREAEAEAFAHAAQKYIAiQRIZiAHGJBWEI"
    "pIQgCQAAAAEgJJEABCAAgCQCwwlxQEGGoBcAKQAD4BMjgyheIAGklIC4UFgAgCLMRGGEAIYAoIBYggYEkCMoLfB0ABRAgEAAgISBBAkEAAABSAlK"
    "RUEYAEAAACQIUAAA4BQAIAJkoRCNBCAgQAMCRhBKgAQIRBSAQiUQgGUAQAZgggCCABAEIZIAIKMkgASCEGJAAICAYASESFAMAkA="
)

_PUBLISHED = Published(
    name="CIFAR-10",
    local=Path("cifar10"),
    read=_read,
    url="https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
    file="cifar-10-python.tar.gz",
    convert=_convert,
    content="43ec634bd29a12cfeba5f2f13cf15c767ff9e6f99c95006840bfbdcd26cf95f5",
    checksum="md5:c58f30108f718f92721af3b95e74349a",
)
