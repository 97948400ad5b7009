from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lichen.cache import cache_root
from lichen.targets.cache import cached_build, digest_of


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test starts with an empty cache."""
    monkeypatch.setenv("LICHEN_CACHE", str(tmp_path))


def test_the_cache_is_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`LICHEN_CACHE` overrides the folder in the user's home."""
    assert cache_root() == tmp_path
    monkeypatch.delenv("LICHEN_CACHE")
    monkeypatch.setenv("HOME", "/home/somebody")
    assert cache_root() == Path("/home/somebody/.cache/lichen")


def test_a_thing_is_built_once(tmp_path: Path) -> None:
    """The second call finds what the first has built."""
    calls = []

    def build(folder: Path) -> None:
        calls.append(folder)
        (folder / "thing").write_text("built")

    first, second = cached_build("ab12", build), cached_build("ab12", build)
    assert first == second == tmp_path / "build" / "ab12"
    assert (first / "thing").read_text() == "built"
    assert len(calls) == 1


def test_a_failed_build_leaves_nothing_and_is_tried_again(tmp_path: Path) -> None:
    """No half-built folder is ever found under the digest, and none is left beside it."""

    def fail(folder: Path) -> None:
        (folder / "half").write_text("…")
        raise KeyError

    with pytest.raises(KeyError):
        cached_build("ab12", fail)
    assert list((tmp_path / "build").iterdir()) == []
    assert cached_build("ab12", lambda folder: (folder / "whole").touch()).is_dir()


def test_of_two_that_build_the_same_one_wins_and_both_find_it(tmp_path: Path) -> None:
    """Two builders at work at the same time get the same complete folder."""
    barrier = Barrier(2, timeout=20)

    def build(folder: Path) -> None:
        barrier.wait()
        (folder / "thing").write_text("built")

    with ThreadPoolExecutor(2) as pool:
        first, second = (pool.submit(cached_build, "ab12", build) for _ in range(2))
    assert first.result() == second.result()
    assert [path.name for path in (tmp_path / "build").iterdir()] == ["ab12"]
    assert (first.result() / "thing").read_text() == "built"


@given(st.lists(st.binary(max_size=6), max_size=4), st.lists(st.binary(max_size=6), max_size=4))
def test_the_digest_tells_parts_from_their_concatenation(one: list[bytes], two: list[bytes]) -> None:
    """Equal digests mean equal lists, not only equal bytes in a row."""
    assert (digest_of(one) == digest_of(two)) == (one == two)
