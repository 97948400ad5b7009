"""Data sets at hand and downloaded ones are the same arrays, or refused in one sentence."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
from pathlib import Path

import numpy as np
import pytest

from lichen.data.published import Arrays, Published, content_digest
from lichen.errors import InputError, MissingToolError
from served import Server


def numbers(path: Path) -> Arrays:
    """A line of numbers."""
    return {"x": np.array([int(word) for word in path.read_text().split()], np.int32)}


def published(server: Server, text: str = "1 2 3") -> Published:
    """Numbers that are served at `numbers.txt`."""
    (server.folder / "numbers.txt").write_text(text)
    content = content_digest({"x": np.array([1, 2, 3], np.int32)})
    return Published("the numbers", Path("a", "b.txt"), numbers, f"{server.url}/numbers.txt", "n.txt", numbers, content)


def test_downloaded_once(server: Server, tmp_path: Path) -> None:
    """The second time the original comes from the cache."""
    for _ in range(2):
        np.testing.assert_array_equal(published(server).load()["x"], [1, 2, 3])
    assert server.requests == ["/numbers.txt"]
    assert (tmp_path / "cache" / "data" / "n.txt").read_text() == "1 2 3"


def test_data_at_hand_comes_first(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`LICHEN_DATA` is looked into; where it lacks the file the original is downloaded."""
    monkeypatch.setenv("LICHEN_DATA", str(tmp_path))
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.txt").write_text("1 2 3")
    published(server).load()
    assert server.requests == []
    (tmp_path / "a" / "b.txt").unlink()
    published(server).load()
    assert server.requests == ["/numbers.txt"]


@pytest.mark.parametrize(
    ("text", "sentence"), [("1 2 4", "does not hold the numbers as published"), ("x", "cannot be read")]
)
def test_other_content_is_refused(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, sentence: str
) -> None:
    """An original that is another is removed, so that it can be downloaded again; a file of the user's stays."""
    with pytest.raises(InputError, match=sentence):
        published(server, text).load()
    assert not list((tmp_path / "cache" / "data").iterdir())
    published(server).load()
    monkeypatch.setenv("LICHEN_DATA", str(tmp_path))
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.txt").write_text(text)
    with pytest.raises(InputError, match=sentence):
        published(server).load()
    assert (tmp_path / "a" / "b.txt").read_text() == text


def test_checksum_of_the_publisher(server: Server, tmp_path: Path) -> None:
    """An archive with another checksum is not kept; the right one is."""
    right = "md5:" + hashlib.md5(b"1 2 3").hexdigest()
    with pytest.raises(InputError, match="cannot be downloaded"):
        dataclasses.replace(published(server), checksum="md5:" + "0" * 32).load()
    assert not list((tmp_path / "cache" / "data").iterdir())
    dataclasses.replace(published(server), checksum=right).load()


def test_no_connection_says_what_to_do(server: Server) -> None:
    """Where to get the file, where to put it, what to set."""
    nowhere = dataclasses.replace(published(server), url="http://127.0.0.1:1/numbers.txt")
    with pytest.raises(InputError, match=r"no connection.*set LICHEN_DATA.*a/b\.txt.*127\.0\.0\.1:1.*data/n\.txt"):
        nowhere.load()
    with pytest.raises(InputError, match="404"):
        dataclasses.replace(published(server), url=f"{server.url}/nothing").load()


def test_missing_package_says_what_to_install(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pooch the error names the extra, and how to do without."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingToolError, match=r"pip install 'lichen\[data\]'; or set LICHEN_DATA"):
        published(server).load()


def test_digest_depends_on_everything() -> None:
    """Names, types, shapes and values, and not on the order of names."""
    x = np.arange(6, dtype=np.int16)
    variants = [{"x": x}, {"y": x}, {"x": x.astype(np.int32)}, {"x": x.reshape(2, 3)}, {"x": x[::-1]}, {"x": x, "y": x}]
    assert len({content_digest(v) for v in variants}) == len(variants)
    assert content_digest({"a": x, "b": x + 1}) == content_digest({"b": x + 1, "a": x})
