"""Pictures are written whole, without a display, or refused in one sentence."""

from __future__ import annotations

import importlib.util
import struct
import sys
from pathlib import Path

import pytest

from lichen.errors import InputError, MissingToolError
from lichen.report.picture import picture


def size(path: Path) -> tuple[int, int]:
    """Width and height in the header of a PNG file."""
    header = path.read_bytes()[:24]
    assert header[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", header[16:])


def test_panels_add_up(tmp_path: Path) -> None:
    """A whole panel is 7 by 3.6 inches at 150 dots; folders on the way are made."""
    for heights, height in (((1.0,), 540), ((1.0, 0.5), 810)):
        path = tmp_path / "deep" / "down" / f"{height}.png"
        with picture(path, "title", heights) as panels:
            assert len(panels) == len(heights)
        assert size(path) == (1050, height)


def test_panels_side_by_side(tmp_path: Path) -> None:
    """Columns are added to the width; the panels of a row share the vertical axis."""
    with picture(tmp_path / "wide.png", "title", columns=2) as (left, right):
        left.plot([0, 1], [0, 30])
        right.plot([0, 1], [0, 5])
        assert left.get_ylim() == right.get_ylim()
    assert size(tmp_path / "wide.png") == (2100, 540)


def test_format_follows_the_suffix(tmp_path: Path) -> None:
    """SVG is text that is the same every time; another suffix is refused before anything is drawn."""
    for name in ("a.svg", "b.svg"):
        with picture(tmp_path / name, "title") as (panel,):
            panel.fill_between([0, 1], [0, 0], [1, 2], hatch="///")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert b"<svg" in (tmp_path / "a.svg").read_bytes()
    with pytest.raises(InputError, match=r"end in \.png or \.svg"), picture(tmp_path / "a.jpg", "title"):
        raise AssertionError


def test_nothing_global_is_touched(tmp_path: Path) -> None:
    """No window system and no global state of pyplot, whatever the caller has set up."""
    sys.modules.pop("matplotlib.pyplot", None)
    with picture(tmp_path / "a.png", "title"):
        pass
    assert "matplotlib.pyplot" not in sys.modules


def test_what_fails_leaves_nothing(tmp_path: Path) -> None:
    """Neither an error while drawing nor a folder that is a file leaves a half-drawn picture."""
    with pytest.raises(ZeroDivisionError), picture(tmp_path / "a.png", "title"):
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot write .*a\.png"), picture(tmp_path / "file" / "a.png", "title"):
        pass


def test_missing_package_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without matplotlib the error names the extra."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingToolError, match=r"pip install 'lichen\[report\]'"), picture(tmp_path / "a.png", "title"):
        pass
