"""The chain: a network is trained, quantised for comparison, and made smaller stage by stage; every stage is measured by the compiler.

How this works inside: each stage is a folder with the network as a `.pt2` program, the compiled model where it fits the board, and `stage.json` with the figures and a
digest of all that led to it. A folder is renamed into place when it is complete, and the next stage begins with what is in it, never with what was in memory.
So a chain that is started again goes on behind the last complete stage and ends with the same bytes.
"""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.export import ExportedProgram

from lichen import __version__
from lichen.compiler import compile_model
from lichen.compression.batch_normalisation import folded_normalisations
from lichen.compression.distillation import Distillation, distil, distillation_loss
from lichen.compression.footprint import footprints
from lichen.compression.magnitude_pruning import CubicSchedule, prune_weights
from lichen.compression.materials import Materials, digest_of, gather
from lichen.compression.quantisation_aware import quantise_aware
from lichen.compression.recipe import (
    INT8_PLACE,
    CodeStage,
    DistilStage,
    PruneStage,
    QuantiseAwareStage,
    QuantiseStage,
    Recipe,
    ShareStage,
    SparsifyStage,
    Stage,
    TeacherTable,
)
from lichen.compression.sensitivity import sensitivity
from lichen.compression.weight_sharing import settle_weights, share_weights
from lichen.device.executor import open_executor
from lichen.errors import DoesNotFitError, InputError, MissingToolError
from lichen.frontends.pt2_archive import read_program
from lichen.ir.interpret import Interpreter
from lichen.ir.module import identifier
from lichen.ir.samples import to_batch
from lichen.nn.program_file import save_program
from lichen.nn.quantize import export, quantize
from lichen.nn.stored_weights import take_weights
from lichen.nn.tensors import to_tensor
from lichen.nn.train import Loss, Progress, accuracy, fit, predict
from lichen.reading import StaysFloatWarning, load
from lichen.targets.folder import open_folder

FLOAT, INT8, TEACHER = "float32", "int8", "teacher"
"""Stages that a recipe does not name: the network as trained, the same in int8 without more ado, whom it learns from."""

_PLAIN_INT8 = QuantiseStage(kind=INT8, name=INT8)
_PROGRAM, _FIGURES, _COMPILED = "model.pt2", "stage.json", "compiled"
_UNFINISHED = ".unfinished"


@dataclass(frozen=True)
class Step:
    """How far a stage is: `done` of `total` epochs or measurements; `loss` is the epoch's mean."""

    stage: str
    done: int
    total: int
    loss: float | None = None


Watch = Callable[[Step], None]


@dataclass(frozen=True)
class Figures:
    """What a stage leaves. Accuracy on the test part: of the integer arithmetic where the network is quantised, else PyTorch's.

    `weights_bytes` are the tables as compiled, `flash_bytes` the image as linked for the board, whether it fits or not, and `None` where it could not be linked.
    """

    name: str
    accuracy: float
    weights_bytes: int
    flash_bytes: int | None
    macs: int


@dataclass(frozen=True)
class Compressed:
    """All stages in order, the first two the network as trained and the same in int8, and the folder where they are."""

    stages: tuple[Figures, ...]
    folder: Path
    sensitivity: dict[str, Any] | None
    """The newest report by layer, as in the stage's `sensitivity.json`."""

    @property
    def ratio_vs_float32(self) -> float:
        """How many times smaller the weights have become."""
        return self.stages[0].weights_bytes / self.stages[-1].weights_bytes

    @property
    def ratio_vs_int8(self) -> float:
        """The same against plain int8."""
        return self.stages[1].weights_bytes / self.stages[-1].weights_bytes

    def answer(self) -> dict[str, Any]:
        """What `--json` prints."""
        return {
            "stages": [asdict(stage) for stage in self.stages],
            "ratio_vs_float32": self.ratio_vs_float32,
            "ratio_vs_int8": self.ratio_vs_int8,
        }


def _unwatched(step: Step) -> None:
    pass


def compress_recipe(
    recipe: Recipe, out: Path, watch: Watch = _unwatched, done: Callable[[Figures, bool], None] | None = None
) -> Compressed:
    """Runs the stages of `recipe` into the folder `out`, those that are there already excepted. `done` is called after each stage, with
    whether it was there.

    Raises `InputError` for what is wrong with the recipe, before anything is trained where it can be known then.
    """
    materials = gather(recipe)
    chain = _Chain(materials, out, watch)
    stages = [Stage(kind=FLOAT, name=FLOAT), _PLAIN_INT8, *recipe.stage]
    found: list[Figures] = []
    report: dict[str, Any] | None = None
    before: Path | None = None
    base = digest_of(__version__, torch.__version__, recipe.board, recipe.optimize, materials.digest)
    digest = base
    for place, stage in enumerate(stages):
        # int8 is a branch: what follows begins with the network as trained.
        taught = chain.taught(stage)
        if taught is not None:
            chain.prepare_teacher(base)
        own = digest_of(digest, stage, taught if place > 0 else recipe.training)
        folder = out / f"{place}-{stage.name}"
        was_there = chain.make(folder, own, partial(chain.run, stage, before))
        figures, extra = _read(folder)
        found.append(figures)
        report = extra or report
        if stage is not _PLAIN_INT8:
            digest, before = own, folder
        if done is not None:
            done(figures, was_there)
    return Compressed(tuple(found), out, report)


def train_recipe(recipe: Recipe, path: Path, watch: Watch = _unwatched) -> Figures:
    """Trains the network of `recipe`, stages left out, and writes it to `path` as a `.pt2` program; what it is like, not compiled.

    Raises `InputError` for what is wrong with the recipe, or a file that cannot be written.
    """
    if path.suffix != ".pt2":
        raise InputError(f"cannot write {path}: a torch.export program ends in .pt2")
    materials = gather(replace(recipe, stage=()))
    chain = _Chain(materials, path.parent, watch)
    model = chain.trained()
    save_program(export(model, materials.example_input), path)
    found = footprints(materials.example_input, recipe.board, recipe.optimize)
    parameters = sum(p.numel() for p in model.parameters())
    scores = predict(model, materials.data.test_x)
    return Figures(path.stem, accuracy(scores, materials.data.test_y), 4 * parameters, None, found["macs"](model))


class _Chain:
    """What stages do, with what they need for it."""

    def __init__(self, materials: Materials, out: Path, watch: Watch) -> None:
        self.materials, self.recipe, self.data = materials, materials.recipe, materials.data
        self.example, self.out, self.watch = materials.example_input, out, watch
        self.teacher_folder: Path | None = None

    def make(self, folder: Path, digest: str, make: Callable[[Path], None]) -> bool:
        """Has `make` fill `folder`, unless it is there with this `digest`; whether it was. Nothing half-made stays."""
        marked = folder / _FIGURES
        if marked.is_file() and _json(marked).get("digest") == digest:
            return True
        fresh = self.out / _UNFINISHED
        with _writing(self.out):
            shutil.rmtree(fresh, ignore_errors=True)
            fresh.mkdir(parents=True)
            try:
                make(fresh)
                described = _json(fresh / _FIGURES) if (fresh / _FIGURES).is_file() else {}
                (fresh / _FIGURES).write_text(json.dumps({"digest": digest, **described}, indent=1) + "\n", "utf-8")
                if folder.exists():
                    shutil.rmtree(folder)
                fresh.rename(folder)
            finally:
                shutil.rmtree(fresh, ignore_errors=True)
        return False

    def run(self, stage: Stage, before: Path | None, into: Path) -> None:
        """The stage, from the folder `before`, into a folder."""
        if isinstance(stage, CodeStage) and before is not None:
            shutil.copyfile(before / _PROGRAM, into / _PROGRAM)
        else:
            save_program(self._program(stage, before, into), into / _PROGRAM)
        figures = self._measure(stage, into)
        (into / _FIGURES).write_text(json.dumps(asdict(figures)), "utf-8")

    def trained(self) -> nn.Module:
        """The network, trained as the recipe's `[training]` says."""
        model, training = self.materials.network(), self.recipe.training
        return fit(model, self.data.train_x, self.data.train_y, training, self._epochs(FLOAT))

    def taught(self, stage: Stage) -> TeacherTable | None:
        """The teacher that the stage follows, if it does."""
        follows = isinstance(stage, DistilStage) or getattr(stage, "teacher", False)
        return self.recipe.teacher if follows else None

    def _program(self, stage: Stage, before: Path | None, into: Path) -> ExportedProgram:
        if before is None:
            return export(self.trained(), self.example)
        model = self._stored(before)
        if isinstance(stage, DistilStage):
            teacher, lesson = self._teacher()
            distil(model, teacher, *self._samples, lesson, stage.training, self._epochs(stage.name))
            return export(model, self.example)
        if isinstance(stage, PruneStage):
            return export(self._pruned(stage, model), self.example)
        if isinstance(stage, QuantiseAwareStage):
            return quantise_aware(
                model,
                *self._samples,
                stage.training,
                stage.weight_bits,
                self._choice(stage, model, into),
                stage.calibration,
                self._loss(stage),
                self._epochs(stage.name),
            )
        if isinstance(stage, SparsifyStage):
            schedule = CubicSchedule(stage.begin, stage.end, stage.every)
            watched, loss = self._epochs(stage.name), self._loss(stage)
            prune_weights(model, *self._samples, stage.density, stage.training, watched, loss, schedule, stage.scope)
            return export(model, self.example)
        if isinstance(stage, ShareStage):
            with folded_normalisations(model, self.example):
                share_weights(model, stage.clusters)
                fit(model, *self._samples, stage.training, self._epochs(stage.name), self._loss(stage))
                settle_weights(model)
            return export(model, self.example)
        assert isinstance(stage, QuantiseStage)
        samples = to_tensor(self.data.train_x[: stage.calibration])
        quantises = self._choice(stage, model, into)
        return quantize(model, self.example, [samples], stage.observer, stage.weight_scale, quantises)

    def _pruned(self, stage: PruneStage, model: nn.Module) -> nn.Module:
        from lichen.compression.channel_pruning import prune_to

        measures = footprints(self.example, self.recipe.board, self.recipe.optimize)
        limits = self.materials.limits(stage, model)
        begin = {resource: measures[resource](model) for resource in limits}
        for step in range(1, stage.steps + 1):
            share = step / stage.steps
            now = {key: int(begin[key] + min(limit - begin[key], 0) * share) for key, limit in limits.items()}
            model = prune_to(model, self.example, now, measures, stage.multiple)
            watched = self._epochs(stage.name, step, stage.steps)
            model = fit(model, *self._samples, stage.training, watched, self._loss(stage))
        return model

    def _choice(self, stage: QuantiseStage | QuantiseAwareStage, model: nn.Module, into: Path) -> Callable[[str], bool]:
        """Which modules are quantised; with the report written if it is asked for."""
        left = set(stage.keep_float)
        if stage.sensitivity or stage.sensitive is not None:
            count = stage.sensitivity or 1000
            report = sensitivity(
                model,
                self.data.train_x[:count],
                self.data.train_y[:count],
                self.data.train_x[: stage.calibration],
                stage.weight_bits if isinstance(stage, QuantiseAwareStage) else 8,
                lambda done, total: self.watch(Step(f"{stage.name}: sensitivity", done, total)),
            )
            (into / "sensitivity.json").write_text(json.dumps(asdict(report), indent=1) + "\n", "utf-8")
            if stage.sensitive is not None:
                left |= set(report.losing(stage.sensitive))
        return lambda path: path not in left

    def _measure(self, stage: Stage, into: Path) -> Figures:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", StaysFloatWarning)  # those that the recipe wants so
            module = load(into / _PROGRAM)
        module.name = identifier(self.recipe.model.name.rpartition(":")[2])
        weights = "coded" if isinstance(stage, CodeStage) else "plain"
        try:
            done = compile_model(module, self.recipe.board, into / _COMPILED, self.recipe.optimize, weights=weights)
        except DoesNotFitError as error:
            if error.compilation is None:
                raise
            done = error.compilation
        if stage.place < INT8_PLACE:
            scores: NDArray[Any] = predict(self._stored(into), self.data.test_x)
        else:
            x, _ = to_batch(self.data.test_x, module.infer.inputs[0], str(into))
            scores = _on_host(into / _COMPILED, x) if done.fits else _interpreted(module, x)
        return Figures(stage.name, accuracy(scores, self.data.test_y), done.weights, done.flash, done.macs)

    @property
    def _samples(self) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        return self.data.train_x, self.data.train_y

    def _stored(self, folder: Path) -> nn.Module:
        """The float network of a stage."""
        return take_weights(self.materials.network(), read_program(folder / _PROGRAM).state_dict).eval()

    def _teacher(self) -> tuple[nn.Module, Distillation]:
        """The teacher, trained, and how it is followed. It is a stage of its own, but nothing is compiled."""
        table = self.recipe.teacher
        assert table is not None
        lesson = Distillation(table.temperature, table.soft, table.hard, table.hints, table.hint)
        teacher = self.materials.teacher()
        if table.training is None:
            return teacher, lesson
        return take_weights(teacher, read_program(self.out / TEACHER / _PROGRAM).state_dict).eval(), lesson

    def _loss(self, stage: PruneStage | SparsifyStage | ShareStage | QuantiseAwareStage) -> Loss | None:
        if not stage.teacher:
            return None
        teacher, lesson = self._teacher()
        return distillation_loss(teacher, lesson, stage.training.label_smoothing)

    def _epochs(self, stage: str, step: int = 1, steps: int = 1) -> Callable[[Progress], None]:
        def tell(p: Progress) -> None:
            self.watch(Step(stage, (step - 1) * p.epochs + p.epoch, steps * p.epochs, p.loss))

        return tell

    def prepare_teacher(self, digest: str) -> None:
        """Trains the teacher, if the recipe has one to train and it is not there already."""
        table = self.recipe.teacher
        if table is None or (training := table.training) is None:
            return

        def make(into: Path) -> None:
            model = fit(self.materials.teacher(), *self._samples, training, self._epochs(TEACHER))
            save_program(export(model, self.example), into / _PROGRAM)

        wanted = digest_of(digest, table.name, table.arguments, training)
        self.make(self.out / TEACHER, wanted, make)


def _on_host(folder: Path, x: NDArray[Any]) -> NDArray[Any]:
    """Outputs of the generated C; of the interpreter, which gives the same bytes, where there is no C compiler."""
    model = open_folder(folder)
    try:
        with open_executor(model, "native") as executor:
            return executor.run([x])[0]
    except MissingToolError:
        return _interpreted(load(folder / f"{model.name}.lichen"), x)


def _interpreted(module: Any, x: NDArray[Any]) -> NDArray[Any]:
    interpreter = Interpreter(module)
    return np.stack([interpreter.run([sample])[0] for sample in x])


def _read(folder: Path) -> tuple[Figures, dict[str, Any] | None]:
    described = _json(folder / _FIGURES)
    described.pop("digest")
    report = folder / "sensitivity.json"
    return Figures(**described), _json(report) if report.is_file() else None


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except ValueError:  # not written by us: made anew
        return {}
    return found if isinstance(found, dict) else {}


@contextmanager
def _writing(out: Path) -> Iterator[None]:
    """What goes wrong with files in the block is that `out` cannot be written."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{out} cannot be written ({error.strerror}); choose another --out") from error
