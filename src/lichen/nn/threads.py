"""How many threads PyTorch uses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def single_threaded() -> Iterator[None]:
    """One thread for PyTorch inside, as many as before afterwards.

    The layers of a microcontroller's network are too small to share out: waiting for each other costs the threads more than the
    work, twenty times more where other processes keep the cores busy. It also keeps sums independent of the number of cores.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
