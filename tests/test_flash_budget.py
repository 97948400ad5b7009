"""The fastest kernels within a budget of flash."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import compress, product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lichen.backend.emit import emit
from lichen.backend.program import plan_module
from lichen.compiler import Compilation, compile_model, prepare
from lichen.device.count import count_first
from lichen.device.executor import open_executor
from lichen.errors import DoesNotFitError, InputError
from lichen.flash_budget import Group, Item, knapsack
from lichen.ir.interpret import Interpreter
from lichen.ir.parse import parse_module
from lichen.ir.print import print_module
from lichen.nn.notation import parse
from lichen.search.candidate import candidate
from lichen.targets.folder import open_folder
from native_check import DSP

pytestmark = pytest.mark.long

NETWORK = parse("k3s2c8 24k3c8r 24k3c8r 24k3c8r 24k5s2c16 32k3c16r 32k3c16r 32k3c16r")


@pytest.fixture(scope="module")
def text() -> str:
    return print_module(candidate(NETWORK, 16, 3, "small"))


items = st.builds(Item, st.just(frozenset[str]()), st.integers(0, 12), st.integers(-3, 20))
groups = st.builds(Group, st.integers(0, 15), st.lists(items, min_size=1, max_size=3).map(tuple))


@given(st.lists(groups, max_size=3), st.integers(-1, 60))
def test_the_knapsack_is_exact(groups: list[Group], room: int) -> None:
    """No other choice that fits saves more; copies for many layers count where not all of a group is chosen."""

    def ways(group: Group) -> Iterator[tuple[int, int]]:
        """Bytes and what is saved, of every subset."""
        for mask in product((False, True), repeat=len(group.items)):
            some = list(compress(group.items, mask))
            yield sum(i.bytes for i in some) + (0 if all(mask) else group.shared), sum(i.saved for i in some)

    totals = [tuple(map(sum, zip((0, 0), *one, strict=True))) for one in product(*map(ways, groups))]
    fitting = [saved for size, saved in totals if size <= room]
    chosen = knapsack(groups, room)
    if chosen is None:
        assert not fitting
    else:
        assert sum(item.saved for item in chosen) == max(fitting)


def test_budgets_between_size_and_speed(text: str, needs: Callable[..., None], tmp_path: Path) -> None:
    """Every image takes at most its budget, less flash is never faster, and all give the interpreter's bytes."""
    needs("arm-none-eabi-gcc", "qemu-system-arm")
    x = np.random.default_rng(0).integers(-128, 128, (1, 1, 16, 16, 3), np.int8)
    expected = Interpreter(prepare(parse_module(text))).run([x[0]])[0]

    def build(name: str, **options: object) -> tuple[Compilation, int]:
        done = compile_model(parse_module(text), "nano33ble", tmp_path / name, **options)  # type: ignore[arg-type]
        model = open_folder(done.path)
        with open_executor(model, "qemu") as executor:
            np.testing.assert_array_equal(executor.run([x])[0][0], expected)
        cycles = count_first(model, "qemu", [x]).cycles
        assert cycles is not None
        return done, cycles

    (fast, least), (small, most) = build("fast"), build("small", optimize="size")
    middle, between = build("middle", optimize="balanced")
    assert least <= between <= most
    assert fast.flash is not None
    assert small.flash is not None
    cycles = [least]
    assert middle.flash is not None
    for budget in (fast.flash - 1, middle.flash, small.flash):
        done, count = build(f"b{budget}", flash=budget)
        assert done.flash is not None
        assert done.flash <= budget
        cycles.append(count)
    assert cycles == sorted(cycles)
    assert cycles[1] <= between < cycles[-1] == most

    with pytest.raises(
        DoesNotFitError, match=rf"takes {small.flash:,} bytes of flash .* --flash gives {small.flash - 1:,}"
    ):
        build("none", flash=small.flash - 1)
    assert not (tmp_path / "none").exists()


def test_size_and_a_budget_contradict_each_other(text: str, tmp_path: Path) -> None:
    """One clear sentence, and nothing written."""
    with pytest.raises(InputError, match="leave out --optimize size"):
        compile_model(parse_module(text), "nano33ble", tmp_path / "m", "size", flash=100_000)
    assert not any(tmp_path.iterdir())


def test_layers_that_are_not_specialised_share_one_function(text: str) -> None:
    """The source calls one copy of each kernel for them, and a function of its own for the one that is."""
    program = plan_module(prepare(parse_module(text)), DSP)
    convolutions = [s.operation.name for s in program.infer.steps if s.calls[0].kernel == "conv2d_s8_dsp"]
    sources = emit(program, "speed", {convolutions[0]})
    source = sources.files["small.c"]
    assert source.count("void small_any_conv2d_s8_dsp(") == 1
    assert source.count("    small_any_conv2d_s8_dsp(") == len(convolutions) - 1
    own = sources.functions[convolutions[0]]
    assert {sources.functions[name] for name in convolutions[1:]} == {"small_any_conv2d_s8_dsp"} != {own}
    assert source.count(f"{own}(") == 2
