"""Progress bars for training, one stage after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from lichen.cli.output import progress_bar

if TYPE_CHECKING:
    from lichen.compression.chain import Step


@contextmanager
def step_bars() -> Iterator[Callable[[Step], None]]:
    """A bar for each stage, which is drawn while steps of it come; the block calls what it is given with each step."""
    with ExitStack() as bar:
        shown: list[str] = []
        advance: list[Callable[[int], None]] = []

        def watch(step: Step) -> None:
            if shown[-1:] != [step.stage]:
                bar.close()
                advance[:] = [bar.enter_context(progress_bar(step.stage, step.total))]
                shown.append(step.stage)
            advance[0](1)

        yield watch
