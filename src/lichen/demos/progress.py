"""How a demo tells what it is doing; the command line draws it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

ProgressBar = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
"""Called with what is done and its number of steps; the block calls what it is given with the number of steps done."""

Remark = Callable[[str], None]
"""Called with a sentence."""
