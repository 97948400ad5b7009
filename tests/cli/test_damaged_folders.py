"""A model folder may have been damaged or written by anybody: what is wrong with it is one sentence and exit code 2."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphs import conv_module, random_array
from lichen.backend.emit import emit
from lichen.backend.folder import write_folder
from lichen.backend.program import plan_module
from lichen.cli import main
from lichen.ir.interpret import Interpreter
from lichen.targets.board import load_board

JUNK: list[Any] = [
    None,
    True,
    -1,
    0,
    1,
    7,
    2**31,
    2**64,
    10**400,
    0.5,
    float("nan"),
    "",
    "x",
    "../x",
    "y\n",
    [],
    [[]],
    {},
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A compiled model, two samples for it beside it, and a cache of builds that vanishes."""
    path = tmp_path_factory.mktemp("damaged") / "toy"
    path.mkdir()
    program = plan_module(conv_module(), load_board("mps2-an386").core)
    write_folder(path, program, emit(program, "size"), "mps2-an386", "size")
    np.save(path.parent / "X.npy", np.stack([random_array(conv_module().infer.inputs[0].type, k) for k in range(2)]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LICHEN_CACHE", str(path.parent / "cache"))
        yield path


@contextlib.contextmanager
def a_copy(folder: Path) -> Iterator[Path]:
    """The folder once more, to be damaged."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as parent:
        yield Path(shutil.copytree(folder, Path(parent) / "toy"))


def lichen(verb: str, model: Path, on: str = "native") -> int:
    """The exit code; with 2 there is one sentence on standard error, with 0 the output of `run` is the interpreter's."""
    samples, output = model.parents[1] / "X.npy", model.parent / "Y.npy"
    arguments = ["lichen", verb, str(model), "--on", on, "--input", str(samples)]
    messages = io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(messages),
        pytest.raises(SystemExit) as ended,
    ):
        patch.setattr(sys, "argv", arguments + (["--output", str(output)] if verb == "run" else []))
        main()
    code = int(ended.value.code or 0)
    if code == 2:
        assert messages.getvalue().startswith("lichen: ") and messages.getvalue().count("\n") == 1
    elif verb == "run":
        interpreter = Interpreter(conv_module())
        np.testing.assert_array_equal(np.load(output), np.stack([interpreter.run([x])[0] for x in np.load(samples)]))
    return code


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The path of everything inside a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from places(item, (*path, key))


@st.composite
def damages(draw: st.DrawFn, manifest: dict[str, Any]) -> dict[str, Any]:
    """The manifest with one to three of its values replaced, removed or stepped by one."""
    damaged = copy.deepcopy(manifest)
    for _ in range(draw(st.integers(1, 3))):
        *path, key = draw(st.sampled_from([p for p in places(damaged) if p[0] not in ("plan", "files")]))
        parent = damaged
        for step in path:
            parent = parent[step]
        change = draw(st.sampled_from(["replace", "remove", "step"]))
        if change == "remove":
            del parent[key]
        elif change == "step" and type(parent[key]) is int:
            parent[key] += draw(st.sampled_from([-1, 1]))
        else:
            parent[key] = draw(st.sampled_from(JUNK))
    return damaged


@settings(max_examples=150, deadline=None)
@given(data=st.data(), verb=st.sampled_from(["run", "validate"]))
def test_damaged_manifests_are_refused_or_harmless(folder: Path, data: st.DataObject, verb: str) -> None:
    """Whatever stands in the manifest, the answer is right or the folder is refused."""
    manifest = data.draw(damages(json.loads((folder / "manifest.json").read_text())))
    with a_copy(folder) as model:
        (model / "manifest.json").write_text(json.dumps(manifest))
        assert lichen(verb, model) in (0, 2)


@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_profiles_of_damaged_manifests_too(folder: Path, data: st.DataObject) -> None:
    """The same with an emulated device between the manifest and the code."""
    manifest = data.draw(damages(json.loads((folder / "manifest.json").read_text())))
    with a_copy(folder) as model:
        (model / "manifest.json").write_text(json.dumps(manifest))
        assert lichen("profile", model, "qemu") in (0, 2)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_a_changed_graph_is_refused(folder: Path, data: st.DataObject) -> None:
    """The graph is the judge of everything else, so that not a byte of it may differ from what was compiled."""
    with a_copy(folder) as model:
        graph = model / "toy.lichen"
        raw = bytearray(graph.read_bytes())
        at = data.draw(st.integers(0, len(raw) - 1))
        if data.draw(st.booleans()):
            raw[at] ^= data.draw(st.integers(1, 255))
        else:
            del raw[at:]
        graph.write_bytes(raw)
        assert lichen("validate", model) == 2


@pytest.mark.parametrize("verb", ["run", "validate"])
def test_a_missing_file_is_named(folder: Path, verb: str) -> None:
    """Each generated file in turn, and the manifest itself; a folder in its place is no file either."""
    for name in sorted(p.name for p in folder.iterdir()):
        with a_copy(folder) as model:
            (model / name).unlink()
            assert lichen(verb, model) == 2
            (model / name).mkdir()
            assert lichen(verb, model) == 2


def test_code_of_another_graph_is_refused(folder: Path) -> None:
    """Graph and manifest of one compilation do not go with the C of another."""
    other = conv_module(seed=1)
    with a_copy(folder) as model, tempfile.TemporaryDirectory() as fresh:
        program = plan_module(other, load_board("mps2-an386").core)
        write_folder(Path(fresh), program, emit(program, "size"), "mps2-an386", "size")
        for name in ("toy.lichen", "manifest.json"):
            shutil.copy(Path(fresh) / name, model / name)
        assert lichen("run", model) == 2


def test_c_that_is_cut_off_is_refused(folder: Path) -> None:
    """A source that does not compile is the folder's fault, and said so."""
    for name in ("toy.c", "toy.h", "toy_weights.h", "lichen_conv2d_s8_dsp.h"):
        with a_copy(folder) as model:
            text = (model / name).read_bytes()
            (model / name).write_bytes(text[: len(text) // 2])
            assert lichen("run", model) == 2
