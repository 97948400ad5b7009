"""The model folder on disk: all at once or not at all, and nothing of the user's is lost."""

import errno
import json
from pathlib import Path

import pytest

from graphs import conv_module
from lichen.backend.emit import emit
from lichen.backend.folder import replacing, write_folder
from lichen.backend.program import plan_module
from lichen.errors import InputError
from lichen.ir.kernel import PLAIN


def emitted(folder: Path) -> Path:
    """The folder of a small model."""
    program = plan_module(conv_module(), PLAIN)
    with replacing(folder) as fresh:
        write_folder(fresh, program, emit(program, "size"), "nano33ble", "size")
    return folder


@pytest.mark.parametrize("manifest", ["{}", "[]", "{", '{"lichen": "0.1.0"}', '{"lichen": "0.1.0", "files": 1}'])
def test_a_manifest_alone_makes_no_model_folder(tmp_path: Path, manifest: str) -> None:
    """Many programs have a `manifest.json`; a folder is replaced only if Lichen wrote it."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "manifest.json").write_text(manifest)
    with pytest.raises(InputError, match="not a model folder"):
        emitted(tmp_path / "site")
    assert (tmp_path / "site" / "manifest.json").read_text() == manifest


def test_what_a_user_put_into_a_model_folder_stays(tmp_path: Path) -> None:
    """The folder is the user's to build in: compiling again replaces what Lichen wrote and nothing else."""
    folder = emitted(tmp_path / "toy")
    (folder / "main.c").write_text("int main(void) { return 0; }")
    (folder / "objects").mkdir()
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["lichen_old.h"] = "of an earlier version"
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "lichen_old.h").write_text("")
    emitted(folder)
    assert (folder / "main.c").read_text() == "int main(void) { return 0; }"
    assert (folder / "objects").is_dir()
    assert not (folder / "lichen_old.h").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["toy"]


def test_a_link_stands_for_the_folder_it_points_to(tmp_path: Path) -> None:
    """Compiling to a symbolic link, twice, fills the folder behind it and leaves the link."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    for _ in range(2):
        emitted(tmp_path / "link")
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "real" / "manifest.json").is_file()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link", "real"]


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fills up half-way is bad input, and nothing stays behind."""

    def full(path: Path, text: str, encoding: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(InputError, match=r"cannot be written \(No space left on device\)"):
        emitted(tmp_path / "toy")
    assert not list(tmp_path.iterdir())
