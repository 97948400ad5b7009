"""`.pt2` files are untrusted: damage gives one sentence and exit code 2, and nothing in a file is ever executed."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from lichen.errors import InputError, LichenError, UnsupportedError
from lichen.frontends.torch_export import load_pt2
from lichen.ir.print import print_module
from lichen.nn.quantize import export, quantize


@pytest.fixture(scope="module")
def saved() -> bytes:
    """A small float network as torch.export.save writes it."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2))
    buffer = io.BytesIO()
    torch.export.save(export(model, torch.zeros(1, 1, 4, 4)), buffer)
    return buffer.getvalue()


def rewritten(saved: bytes, change: Callable[[str, bytes], bytes], extra: dict[str, bytes] | None = None) -> bytes:
    """The archive with each entry's content changed, and further entries, all checksums right."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(saved)) as old, zipfile.ZipFile(buffer, "w") as new:
        for entry in old.infolist():
            new.writestr(entry.filename, change(entry.filename, old.read(entry)))
        root = old.namelist()[0].split("/")[0]
        for name, content in (extra or {}).items():
            new.writestr(f"{root}/{name}", content)
    return buffer.getvalue()


def changed_model(saved: bytes, change: Callable[[dict], None]) -> bytes:  # type: ignore[type-arg]
    def edit(name: str, content: bytes) -> bytes:
        if not name.endswith("models/model.json"):
            return content
        model = json.loads(content)
        change(model)
        return json.dumps(model).encode()

    return rewritten(saved, edit)


def load(tmp_path: Path, data: bytes) -> str:
    path = tmp_path / "net.pt2"
    path.write_bytes(data)
    return print_module(load_pt2(path))


def test_an_untouched_rewrite_is_read(tmp_path: Path, saved: bytes) -> None:
    """The tests' rewriting alone changes nothing."""
    assert load(tmp_path, rewritten(saved, lambda _, content: content)) == load(tmp_path, saved)


def test_quantised_programs_are_read(tmp_path: Path) -> None:
    """PT2E's operators are known without importing torchao."""
    buffer = io.BytesIO()
    torch.export.save(quantize(nn.Linear(4, 2), torch.zeros(1, 4), [torch.randn(8, 4)]), buffer)
    assert "dequantize" in load(tmp_path, buffer.getvalue())


def test_flipped_bits_and_truncation(tmp_path: Path, saved: bytes) -> None:
    """Damage anywhere is an error of exit code 2, or harmless: the graph is then the same."""
    rng, sound = np.random.default_rng(0), load(tmp_path, saved)
    refused = 0
    for trial in range(150):
        damaged = bytearray(saved)
        if trial % 3 == 0:
            del damaged[int(rng.integers(len(damaged))) :]
        else:
            damaged[int(rng.integers(len(damaged)))] ^= 1 << int(rng.integers(8))
        try:
            assert load(tmp_path, bytes(damaged)) == sound
        except LichenError as error:
            assert error.exit_code == 2 and str(error).startswith("net.pt2: ") and "\n" not in str(error)
            refused += 1
    assert refused > 100


class Bomb:
    """Pickles to a call that would leave a trace."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.trace,))


def test_pickled_examples_are_not_loaded(tmp_path: Path, saved: bytes) -> None:
    """The example inputs are a pickle; whatever it holds is left out."""
    bomb = pickle.dumps(Bomb(tmp_path / "trace"))
    data = rewritten(saved, lambda name, content: bomb if "sample_inputs" in name else content)
    assert load(tmp_path, data) == load(tmp_path, saved)
    assert not (tmp_path / "trace").exists()


def test_pickled_weights_are_refused(tmp_path: Path, saved: bytes) -> None:
    """A weight that says it is a pickle is not opened."""
    bomb = pickle.dumps(Bomb(tmp_path / "trace"))

    def edit(name: str, content: bytes) -> bytes:
        if name.endswith("weights_config.json"):
            return content.replace(b'"use_pickle": false', b'"use_pickle": true')
        return bomb if name.endswith("weight_0") else content

    with pytest.raises(InputError, match="stored as a pickle"):
        load(tmp_path, rewritten(saved, edit))
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize(
    "name", ["data/aotinductor/model/x.so", "data/weights/model.pt", "data/constants/custom_obj_0", "extra/../../x"]
)
def test_unknown_entries_are_refused(tmp_path: Path, saved: bytes, name: str) -> None:
    """Libraries, legacy pickles, custom objects and anything else are no part of a network."""
    with pytest.raises(InputError, match="no part of a network"):
        load(tmp_path, rewritten(saved, lambda _, content: content, {name: b"x"}))


def test_foreign_operators_are_refused(tmp_path: Path, saved: bytes) -> None:
    """Names in the torch package that are no ATen operators are not resolved."""

    def edit(model: dict) -> None:  # type: ignore[type-arg]
        model["graph_module"]["graph"]["nodes"][0]["target"] = "torch.load"

    with pytest.raises(UnsupportedError, match=r"operator torch\.load is not one of"):
        load(tmp_path, changed_model(saved, edit))


def test_expressions_are_refused(tmp_path: Path, saved: bytes) -> None:
    """Symbolic sizes, which the loader would evaluate, are refused as dynamic shapes."""

    def edit(model: dict) -> None:  # type: ignore[type-arg]
        model["graph_module"]["graph"]["tensor_values"]["input"]["sizes"][0] = {
            "as_expr": {"expr_str": "exit()", "hint": None}
        }

    with pytest.raises(UnsupportedError, match="dynamic shapes"):
        load(tmp_path, changed_model(saved, edit))


def test_guards_are_not_executed(tmp_path: Path, saved: bytes) -> None:
    """Guards are Python source; a file's are dropped."""

    def edit(model: dict) -> None:  # type: ignore[type-arg]
        model["guards_code"] = [f"__import__('pathlib').Path({str(tmp_path / 'trace')!r}).touch()"]

    assert load(tmp_path, changed_model(saved, edit)) == load(tmp_path, saved)
    assert not (tmp_path / "trace").exists()


def test_lying_descriptions(tmp_path: Path, saved: bytes) -> None:
    """A well-formed archive with a senseless description is an error in one sentence."""

    def drop_nodes(model: dict) -> None:  # type: ignore[type-arg]
        model["graph_module"]["graph"]["nodes"] = []

    def huge_input(model: dict) -> None:  # type: ignore[type-arg]
        model["graph_module"]["graph"]["tensor_values"]["input"]["sizes"][2] = {"as_int": 1 << 40}

    def wrong_operand(model: dict) -> None:  # type: ignore[type-arg]
        model["graph_module"]["graph"]["nodes"][0]["inputs"][1]["arg"]["as_tensor"]["name"] = "p_3_weight"

    for change in (drop_nodes, huge_input, wrong_operand, dict.clear):
        with pytest.raises(InputError, match=r"^net\.pt2: "):
            load(tmp_path, changed_model(saved, change))


def test_no_archive_and_no_file(tmp_path: Path) -> None:
    """Text, an empty file, a compressed archive and a missing file are refused."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("net/byteorder", b"little" * 100)
    for data in (b"", b"no archive", buffer.getvalue()):
        with pytest.raises(InputError):
            load(tmp_path, data)
    with pytest.raises(InputError, match="cannot be read"):
        load_pt2(tmp_path / "absent.pt2")
