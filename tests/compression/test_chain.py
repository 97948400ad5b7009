"""The chain of stages: figures that the artefacts on disk bear out, and an interruption that leaves no trace."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.export import ExportedProgram
from torch.utils.flop_counter import FlopCounterMode

import lichen
from compression_cases import RECIPE, STAGES, kitchen
from lichen.compression.chain import Compressed, Step, compress_recipe
from lichen.compression.recipe_file import read_recipe
from lichen.data.labelled import read_labelled
from lichen.errors import InputError
from lichen.ir.interpret import Interpreter
from lichen.nn.tensors import to_tensor
from lichen.reading import from_torch
from lichen.targets.board import load_board
from lichen.targets.build import build_firmware
from lichen.targets.folder import open_folder

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Compressed:
    """The recipe of all stages, run without interruption."""
    folder = tmp_path_factory.mktemp("chain")
    return lichen.compress(kitchen(folder), folder / "out")


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below `folder`."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def stage_folder(done: Compressed, name: str) -> Path:
    return done.folder / f"{STAGES.index(name)}-{name}"


def scores_of(program: ExportedProgram, x: NDArray[np.float32]) -> NDArray[Any]:
    """What a program answers to samples (n, …), one by one: PyTorch's numbers, or the interpreter's where it is quantised."""
    module = from_torch(program)
    source = module.infer.inputs[0].type
    if source.dtype.is_float:
        run = program.module()
        with torch.no_grad():
            return np.concatenate([run(sample[None]).numpy() for sample in to_tensor(x)])
    stored = np.clip(np.rint(x / np.float32(source.scale)) + source.zero_point, -128, 127).astype(np.int8)
    interpreter = Interpreter(module)
    return np.concatenate([interpreter.run([sample[None]])[0] for sample in stored])


def test_stages_and_ratios(done: Compressed) -> None:
    """All stages in order, as told and as written; ratios are those of the weights, and the network really shrinks."""
    answer = json.loads((done.folder / "result.json").read_text())
    assert answer == done.answer()
    assert list(answer) == ["stages", "ratio_vs_float32", "ratio_vs_int8"]
    assert [stage["name"] for stage in answer["stages"]] == list(STAGES)
    assert list(answer["stages"][0]) == ["name", "accuracy", "weights_bytes", "flash_bytes", "macs"]
    first, plain, _, pruned, _, last = done.stages
    assert answer["ratio_vs_float32"] == first.weights_bytes / last.weights_bytes > 4
    assert answer["ratio_vs_int8"] == plain.weights_bytes / last.weights_bytes > 1
    assert pruned.macs <= 0.6 * first.macs and pruned.flash_bytes < first.flash_bytes  # type: ignore[operator]
    assert (done.folder / "compression.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", STAGES)
def test_figures_are_those_of_the_artefacts(done: Compressed, name: str, needs: Any) -> None:
    """Accuracy, bytes and MACs of a stage follow from its files: PyTorch on the program or the interpreter on its graph, the linked image, flops counted by PyTorch."""
    needs("arm-none-eabi-gcc")
    folder, figures = stage_folder(done, name), done.stages[STAGES.index(name)]
    data = read_labelled(done.folder.parent / "data.npz", 0.2, seed=3)
    program = torch.export.load(folder / "model.pt2")
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        program.module()(to_tensor(data.test_x[:1]))
    assert counter.get_total_flops() == 2 * figures.macs
    assert figures.accuracy == (scores_of(program, data.test_x).argmax(axis=1) == data.test_y).mean()
    model = open_folder(folder / "compiled")
    size = build_firmware(model, load_board("nano33ble")).size
    assert size.flash == figures.flash_bytes
    if name in ("int8", "quantise_aware", "code"):
        tables = [s.bytes for s in size.symbols if s.name.startswith(model.weights_prefix)]
        assert sum(tables) == figures.weights_bytes
    else:
        kept = [p for key, p in program.state_dict.items() if p.dim() > 1]
        biases = sum(p.shape[0] for p in kept)  # of what batch normalisations fold into, and of the dense layer
        assert figures.weights_bytes == 4 * (sum(p.numel() for p in kept) + biases)


def test_weights_keep_to_their_bits(done: Compressed) -> None:
    """A stage that trains for five bits leaves at most 31 different weights a layer, and uses most of them."""
    program = torch.export.load(stage_folder(done, "quantise_aware") / "model.pt2")
    weights = [c for c in from_torch(program).constants() if c.type.dtype.numpy == np.int8]
    assert len(weights) == 3
    for constant in weights:
        assert 15 < len(np.unique(constant.data)) <= 31


def test_interrupted_at_every_stage_it_ends_with_the_same_bytes(done: Compressed, tmp_path: Path) -> None:
    """Each start is broken off in the next stage's first epoch, the last one is not; nothing half-made is left, and all files are equal."""
    recipe = read_recipe(kitchen(tmp_path))
    for number, victim in enumerate(
        ["float32", "teacher", "distil", "prune", "quantise_aware: sensitivity", "quantise_aware"]
    ):

        def interrupt(step: Step, victim: str = victim) -> None:
            if step.stage == victim:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            compress_recipe(recipe, tmp_path / "out", interrupt)
        expected = {0: 0, 1: 2, 2: 3, 3: 4, 4: 5, 5: 5}[number]  # int8 trains nothing, the teacher is a folder too
        assert len(list((tmp_path / "out").iterdir())) == expected
    reused: list[bool] = []
    compress_recipe(recipe, tmp_path / "out", done=lambda figures, was_there: reused.append(was_there))
    assert reused == [True, True, True, True, False, False]
    uninterrupted = {k: v for k, v in tree(done.folder).items() if k not in ("result.json", "compression.png")}
    assert tree(tmp_path / "out") == uninterrupted


def test_killed_it_ends_with_the_same_bytes(done: Compressed, tmp_path: Path) -> None:
    """A process that gets SIGKILL while it prunes leaves what is complete; the next one ends with the same bytes, and takes the rest away."""
    recipe = kitchen(tmp_path)
    for place in ("0-float32", "1-int8", "teacher"):  # what was there before
        shutil.copytree(done.folder / place, tmp_path / "out" / place)
    code = f"""
import os, signal, lichen
def kill(step):
    if step.stage == "prune":
        os.kill(os.getpid(), signal.SIGKILL)
lichen.compress({str(recipe)!r}, {str(tmp_path / "out")!r}, watch=kill)
"""
    killed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=dict(os.environ))
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert (tmp_path / "out" / "2-distil" / "stage.json").is_file()
    assert not (tmp_path / "out" / "3-prune").exists() and (tmp_path / "out" / ".unfinished").exists()
    lichen.compress(recipe, tmp_path / "out")
    assert tree(tmp_path / "out") == tree(done.folder)


def test_what_has_changed_is_done_again(done: Compressed, tmp_path: Path) -> None:
    """Another key of a stage has that stage and those behind it done again, and no other; the report by layer is read from disk."""
    out = tmp_path / "out"
    recipe = kitchen(tmp_path, RECIPE.replace("sensitivity = 30\n", ""))
    for name, content in tree(done.folder).items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes(content)
    reused: list[bool] = []
    again = compress_recipe(read_recipe(recipe), out, done=lambda figures, was_there: reused.append(was_there))
    assert reused == [True, True, True, True, False, False]
    assert again.sensitivity is None and done.sensitivity is not None
    assert [layer["name"] for layer in done.sensitivity["layers"]] == ["0", "3", "7"]
    assert again.stages == done.stages  # the report changes nothing


def test_a_board_too_small_is_no_obstacle(tmp_path: Path, needs: Any) -> None:
    """The figures of a network in float32 that an Uno cannot hold are told all the same: what it would take; nothing is compiled for it."""
    needs("avr-gcc")
    text = RECIPE.replace("nano33ble", "uno").partition("[[stage]]")[0]
    recipe = kitchen(
        tmp_path,
        text.replace('"tiny:cnn"\n\n', '"tiny:cnn"\narguments = { width = 40 }\n\n').replace(
            "epochs = 2", "epochs = 1"
        ),
    )
    first, _ = compress_recipe(read_recipe(recipe), tmp_path / "out").stages
    assert first.weights_bytes > 120_000 and not (tmp_path / "out" / "0-float32" / "compiled").exists()


def test_a_layer_that_is_kept_stays_float(tmp_path: Path) -> None:
    """A layer named in `keep_float` keeps its float32 weights in the compiled model, the others become int8; an unknown one is refused."""
    text = RECIPE.partition("[teacher]")[0] + '[[stage]]\nkind = "quantise"\nkeep_float = ["7"]\n'
    recipe = read_recipe(kitchen(tmp_path, text))
    first, plain, mixed = compress_recipe(recipe, tmp_path / "out").stages
    assert mixed.weights_bytes > plain.weights_bytes
    kinds = [op["kind"] for op in open_folder(tmp_path / "out" / "2-quantise" / "compiled").manifest["ops"]]
    assert kinds == ["conv2d", "conv2d", "dequantize", "dense"] and mixed.accuracy >= first.accuracy - 0.1
    wrong = read_recipe(kitchen(tmp_path, text.replace('["7"]', '["head"]')))
    with pytest.raises(InputError, match=r"recipe\.toml:\d+: .*no module 'head'; it has 0, 1"):
        compress_recipe(wrong, tmp_path / "other")
    assert not (tmp_path / "other").exists()


DEEP = (
    RECIPE.partition("[teacher]")[0].replace('"tiny:cnn"', '"tiny:cnn"\narguments = { width = 24 }')
    + """\
[[stage]]
kind = "sparsify"
density = 0.25
training = { epochs = 2, batch_size = 16 }
[[stage]]
kind = "share"
clusters = 6
training = { epochs = 1, batch_size = 16, learning_rate = 1e-3 }
[[stage]]
kind = "quantise"
weight_scale = "tensor"
[[stage]]
kind = "code"
"""
)


@pytest.fixture(scope="module")
def deep(tmp_path_factory: pytest.TempPathFactory) -> Compressed:
    """A network with batch normalisation behind each convolution, made sparse, shared, quantised and coded."""
    folder = tmp_path_factory.mktemp("deep")
    return compress_recipe(read_recipe(kitchen(folder, DEEP)), folder / "out")


def test_deep_compression_goes_through(deep: Compressed) -> None:
    """Sparse, then shared, then quantised with a scale a layer, then coded: as many zeros and as few values as asked for, in every layer, fewer bytes, the same answers."""
    sparse, shared = (
        torch.export.load(deep.folder / name / "model.pt2").state_dict for name in ("2-sparsify", "3-share")
    )
    assert sparse.keys() == shared.keys()
    weights = [key for key, p in sparse.items() if p.dim() > 1]
    assert len(weights) == 3
    for key in weights:
        assert abs((sparse[key] != 0).float().mean().item() - 0.25) < 0.02
        assert torch.equal(sparse[key] == 0, shared[key] == 0) and len(shared[key].unique()) <= 7
    for folder in ("4-quantise", "5-code"):
        program = torch.export.load(deep.folder / folder / "model.pt2")
        constants = [c for c in from_torch(program).constants() if c.type.dtype.numpy == np.int8]
        assert len(constants) == 3
        for constant in constants:
            assert len(np.unique(constant.data)) <= 7 and (constant.data != 0).mean() <= 0.27
    quantised, coded = deep.stages[-2:]
    assert coded.accuracy == quantised.accuracy and coded.weights_bytes < 0.55 * quantised.weights_bytes
    assert deep.ratio_vs_float32 > 8


def test_shared_figures_are_those_of_the_artefacts(deep: Compressed) -> None:
    """Accuracy behind each stage of deep compression follows from its program, as PyTorch computes it or, in int8, the interpreter."""
    data = read_labelled(deep.folder.parent / "data.npz", 0.2, seed=3)
    for place, figures in enumerate(deep.stages):
        program = torch.export.load(deep.folder / f"{place}-{figures.name}" / "model.pt2")
        assert figures.accuracy == (scores_of(program, data.test_x).argmax(axis=1) == data.test_y).mean()


def test_sharing_interrupted_ends_with_the_same_bytes(deep: Compressed, tmp_path: Path) -> None:
    """Broken off while centroids are trained, and begun again with the folders before: all files are equal."""
    recipe, out = read_recipe(kitchen(tmp_path, DEEP)), tmp_path / "out"
    for place in ("0-float32", "1-int8", "2-sparsify"):
        shutil.copytree(deep.folder / place, out / place)

    def interrupt(step: Step) -> None:
        assert step.stage == "share"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compress_recipe(recipe, out, interrupt)
    assert len(list(out.iterdir())) == 3
    compress_recipe(recipe, out)
    assert tree(out) == tree(deep.folder)
