"""From Lichen's arrays (NHWC) to PyTorch's tensors (NCHW)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray


def to_tensor(x: NDArray[Any]) -> torch.Tensor:
    """A float32 tensor of the same samples: (n, H, W, C) becomes (n, C, H, W), any other rank keeps its shape."""
    array = np.asarray(x, np.float32)
    if array.ndim == 4:
        array = array.transpose(0, 3, 1, 2)
    return torch.from_numpy(np.ascontiguousarray(array))
