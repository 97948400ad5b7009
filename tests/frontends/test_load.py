"""`load` chooses the reader by the suffix; everything that is wrong is one sentence."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lichen.errors import InputError, MissingToolError
from lichen.frontends import load
from lichen.ir.print import print_module
from tflite_cases import CASES


def test_text_is_read_back(tmp_path: Path) -> None:
    """A model that was read, printed and loaded as text prints the same."""
    (tmp_path / "net.TFLITE").write_bytes(CASES["conv2d_same_strided"]())
    text = print_module(load(tmp_path / "net.TFLITE"))
    (tmp_path / "net.lichen").write_text(text)
    assert print_module(load(tmp_path / "net.lichen")) == text


def test_text_that_is_wrong_names_file_and_line(tmp_path: Path) -> None:
    """Errors in text say where; bytes that are no text are refused."""
    path = tmp_path / "net.lichen"
    path.write_text("module net {\n  what\n}\n")
    with pytest.raises(InputError, match=r"net\.lichen: line [23]"):
        load(path)
    path.write_bytes(b"module \xff")
    with pytest.raises(InputError, match=r"net\.lichen: byte 7 is not text"):
        load(path)


def test_what_cannot_be_read(tmp_path: Path) -> None:
    """A missing file, a folder and an unknown suffix are told apart."""
    with pytest.raises(InputError, match=r"missing\.tflite is not a file"):
        load(tmp_path / "missing.tflite")
    with pytest.raises(InputError, match="is not a file"):
        load(tmp_path)
    (tmp_path / "model.onnx").write_bytes(b"")
    with pytest.raises(InputError, match=r"model\.onnx is none of \.tflite, \.pt2 and \.lichen"):
        load(tmp_path / "model.onnx")


def test_huge_file_is_not_read(tmp_path: Path) -> None:
    """A file of a gigabyte (sparse here) is refused by its size, before it fills the memory."""
    path = tmp_path / "huge.tflite"
    with path.open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(InputError, match="larger than 256 MB"):
        load(path)


def test_pytorch_may_be_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without PyTorch the sentence has the line that installs it."""
    monkeypatch.setitem(sys.modules, "lichen.frontends.torch_export", None)
    (tmp_path / "net.pt2").write_bytes(b"")
    with pytest.raises(MissingToolError, match=r"pip install 'lichen\[torch\]'"):
        load(tmp_path / "net.pt2")
