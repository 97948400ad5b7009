"""Recipes: what is trained on what, and by which stages it becomes small. The dataclasses are the format of the TOML files, key by key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from lichen.compression import toml_lines
from lichen.errors import InputError
from lichen.nn.train import Recipe as Training

Amount = int | float
"""A whole number above 1 is meant as it stands, in MACs or bytes; a number up to 1 as a share of what there is."""


@dataclass(frozen=True)
class DataTable:
    """`[data]`: a known data set, `name`, or an `.npz` `file` with arrays x and y; every value times `scale` plus `offset`.

    `test` is the share set aside where the file has no test_x and test_y, `samples` how many of the training part are used, `shrink` the side of the
    squares of pixels whose mean makes one.
    """

    name: str | None = None
    file: Path | None = None
    test: float = 0.2
    samples: int | None = None
    scale: float = 1.0
    offset: float = 0.0
    shrink: int = 1


@dataclass(frozen=True)
class ModelTable:
    """`[model]`: a network of the zoo or `package.module:function`, called with `arguments`; `weights` is a `.pt2` file of it to begin with."""

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)
    weights: Path | None = None


@dataclass(frozen=True)
class TeacherTable(ModelTable):
    """`[teacher]`: whom students follow. Trained by its own `[teacher.training]`, unless `weights` holds it trained already."""

    training: Training | None = None
    temperature: float = 4.0
    soft: float = 0.9
    hard: float = 0.1
    hints: tuple[tuple[str, str], ...] = ()
    hint: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One `[[stage]]`. Stages come in the order of their `place`, or what one has done another undoes; those from `INT8_PLACE` on leave a quantised program."""

    place: ClassVar[int] = 0

    kind: str
    name: str = ""


@dataclass(frozen=True, kw_only=True)
class DistilStage(Stage):
    """Trains the network anew on what the teacher thinks."""

    training: Training = field(default_factory=Training)


@dataclass(frozen=True, kw_only=True)
class PruneStage(Stage):
    """Takes channels away until the network is within `macs`, `ram` and `flash`, in `steps` equal steps, and trains after each.

    With `teacher` training follows the teacher. What is left of a layer is a multiple of `multiple`.
    """

    macs: Amount | None = None
    ram: Amount | None = None
    flash: Amount | None = None
    steps: int = 1
    multiple: int = 1
    teacher: bool = False
    training: Training = field(default_factory=Training)


@dataclass(frozen=True, kw_only=True)
class SparsifyStage(Stage):
    """Makes weights zero, those nearest to it first, until a share of `density` is left, as `MagnitudePruner` does; for the coded form.

    They go from `begin` to `end`, shares of the training, some more every `every` steps. With `teacher` training follows the teacher.
    """

    place: ClassVar[int] = 1

    density: float
    scope: Literal["layer", "global"] = "layer"
    begin: float = 0.0
    end: float = 0.6
    every: int = 10
    teacher: bool = False
    training: Training = field(default_factory=Training)


@dataclass(frozen=True, kw_only=True)
class ShareStage(Stage):
    """Gives the weights of each layer at most `clusters` values beside zero, and trains these. Quantise with one scale a layer behind it.

    Batch normalisations are folded into weights and biases before.
    """

    place: ClassVar[int] = 2

    clusters: int
    teacher: bool = False
    training: Training = field(default_factory=Training)


@dataclass(frozen=True, kw_only=True)
class QuantiseStage(Stage):
    """Post-training quantisation, calibrated on `calibration` training samples.

    Layers in `keep_float` stay in floating point, and so do those that lose more than `sensitive` accuracy when they alone are quantised; `sensitivity`
    writes the report on all layers, judged on as many training samples.
    """

    place: ClassVar[int] = 3

    observer: Literal["histogram", "minmax"] = "histogram"
    weight_scale: Literal["channel", "tensor"] = "channel"
    calibration: int = 200
    keep_float: tuple[str, ...] = ()
    sensitivity: int = 0
    sensitive: float | None = None


@dataclass(frozen=True, kw_only=True)
class QuantiseAwareStage(Stage):
    """Quantisation-aware training, to weights of `weight_bits` bits; else as `QuantiseStage`."""

    place: ClassVar[int] = 3

    weight_bits: int = 8
    calibration: int = 256
    keep_float: tuple[str, ...] = ()
    sensitivity: int = 0
    sensitive: float | None = None
    teacher: bool = False
    training: Training = field(default_factory=Training)


@dataclass(frozen=True, kw_only=True)
class CodeStage(Stage):
    """Compiles the quantised network with its weights in Huffman codes; the same bytes come out of it."""

    place: ClassVar[int] = 4


INT8_PLACE = QuantiseStage.place

TARGETS = ("macs", "ram", "flash")
"""What a `PruneStage` can be told to keep within."""

STAGES: Mapping[str, type[Stage]] = {
    "distil": DistilStage,
    "prune": PruneStage,
    "sparsify": SparsifyStage,
    "share": ShareStage,
    "quantise": QuantiseStage,
    "quantise_aware": QuantiseAwareStage,
    "code": CodeStage,
}


@dataclass(frozen=True)
class Recipe:
    """A whole file. `board` is what is compiled for, with `optimize`; `seed` is that of the network, of its training and of a test part that is drawn."""

    data: DataTable
    model: ModelTable
    training: Training = field(default_factory=Training)
    teacher: TeacherTable | None = None
    stage: tuple[Stage, ...] = ()
    board: str = "nano33ble"
    optimize: str = "speed"
    seed: int = 0
    source: Source | None = field(default=None, compare=False)

    def error(self, path: toml_lines.Path, sentence: object) -> InputError:
        """What is wrong with the key at `path`."""
        return self.source.error(path, sentence) if self.source else InputError(str(sentence))


@dataclass(frozen=True)
class Source:
    """Where a recipe stands."""

    file: Path
    lines: Mapping[toml_lines.Path, int]

    def error(self, path: toml_lines.Path, sentence: object) -> InputError:
        return InputError(f"{self.file}:{toml_lines.line_of(self.lines, path)}: {sentence}")
