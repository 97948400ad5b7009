"""CIFAR-10: the published archive gives the images at hand, and a pickle in it can run nothing."""

from __future__ import annotations

import dataclasses
import io
import pickle
import struct
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lichen.data import cifar10
from lichen.data.cifar10 import load_cifar10
from lichen.errors import InputError
from served import Server


class Python2Pickler(pickle._Pickler):  # type: ignore[name-defined,misc]
    """Writes strings as Python 2 did, which wrote the batches."""

    dispatch = pickle._Pickler.dispatch.copy()  # type: ignore[attr-defined]

    def save_string(self, text: str | bytes) -> None:
        data = text if isinstance(text, bytes) else text.encode()
        self.write(pickle.BINSTRING + struct.pack("<i", len(data)) + data)

    dispatch[bytes] = dispatch[str] = save_string


def batch(images: np.ndarray, labels: np.ndarray) -> dict[bytes, Any]:
    """Planar images and a list of labels."""
    return {b"data": images.transpose(0, 3, 1, 2).reshape(len(images), -1), b"labels": labels.tolist()}


def write_archive(path: Path, batches: Mapping[str, Any]) -> None:
    """As published: a compressed tar with a folder of pickles."""
    with tarfile.open(path, "w:gz", compresslevel=1) as tar:
        for name, content in batches.items():
            file = io.BytesIO()
            Python2Pickler(file, 2).dump(content)
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = file.tell()
            file.seek(0)
            tar.addfile(member, file)


@pytest.fixture
def at(server: Server, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the served archive is to be written."""
    served = dataclasses.replace(cifar10._PUBLISHED, url=f"{server.url}/c.tar.gz", checksum=None)
    monkeypatch.setattr(cifar10, "_PUBLISHED", served)
    return server.folder / "c.tar.gz"


def test_archive_is_the_data_at_hand(at: Path, lichen_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same 10,000 and 2,008 images and classes, as float32 from 0 to 1."""
    train, chosen = (np.load(lichen_data / "cifar10" / file) for file in ("train10000.npz", "test2000.npz"))
    test_x, test_y = np.zeros((10_000, 32, 32, 3), np.uint8), np.zeros(10_000, np.uint8)
    test_x[chosen["index"]], test_y[chosen["index"]] = chosen["x"], chosen["y"]
    write_archive(at, {"data_batch_1": batch(train["x"], train["y"]), "test_batch": batch(test_x, test_y)})
    downloaded = load_cifar10()
    monkeypatch.setenv("LICHEN_DATA", str(lichen_data))
    found = load_cifar10()
    for field in dataclasses.fields(found):
        np.testing.assert_array_equal(getattr(found, field.name), getattr(downloaded, field.name))
    np.testing.assert_array_equal(found.train_x[5], train["x"][5] / np.float32(255))
    assert found.train_x.dtype == np.float32 and found.test_y.dtype == np.int64
    assert found.train_x.shape == (10_000, 32, 32, 3) and found.test_x.shape == (2008, 32, 32, 3)


def test_pickles_run_nothing(at: Path) -> None:
    """A pickle that names a function is refused before it is called."""

    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (at.parent / "touched",)

    write_archive(at, {"data_batch_1": Evil()})
    with pytest.raises(InputError, match="cannot be read as CIFAR-10"):
        load_cifar10()
    assert not (at.parent / "touched").exists()


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>"])
def test_other_files_are_refused(at: Path, content: bytes) -> None:
    """One sentence."""
    at.write_bytes(content)
    with pytest.raises(InputError, match="cannot be read as CIFAR-10"):
        load_cifar10()
