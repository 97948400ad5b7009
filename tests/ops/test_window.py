"""The geometry of sliding windows against loops."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings

from lichen.ir.module import Operation, Value
from lichen.ops.window import Window
from ops_oracle import f32
from strategies import geometries


def window_of(geometry: dict[str, Any]) -> Window:
    operation = Operation("conv2d", [Value("x", f32(1, *geometry["input"], 2))], [], dict(geometry["attributes"]))
    return Window.of(operation, geometry["kernel"])


@settings(deadline=None)
@given(geometries())
def test_patches_are_what_the_taps_see(geometry: dict[str, Any]) -> None:
    """Every tap of every window is the input's value, or the fill outside it; `inside` counts the former."""
    window = window_of(geometry)
    assert (window.out_h, window.out_w) == geometry["output"]
    x = np.arange(1, 1 + 2 * window.in_h * window.in_w).reshape(1, window.in_h, window.in_w, 2)
    patches = window.patches(x, -1)
    counts = np.zeros(geometry["output"], int)
    for (oy, ox, ky, kx), _ in np.ndenumerate(patches[..., 0]):
        y = oy * window.stride[0] - window.padding[0] + ky * window.dilation[0]
        x_ = ox * window.stride[1] - window.padding[2] + kx * window.dilation[1]
        is_inside = 0 <= y < window.in_h and 0 <= x_ < window.in_w
        counts[oy, ox] += is_inside
        assert patches[oy, ox, ky, kx].tolist() == (x[0, y, x_].tolist() if is_inside else [-1, -1])
    np.testing.assert_array_equal(window.inside(), counts)


@settings(deadline=None)
@given(geometries())
def test_accesses_cover_the_taps(geometry: dict[str, Any]) -> None:
    """The hull read for a pixel contains each of its taps that lies inside the input."""
    window = window_of(geometry)
    source = f32(1, window.in_h, window.in_w, 2)
    accesses = window.accesses(source, f32(1, *geometry["output"], 3))
    numbers = window.patches(np.arange(window.in_h * window.in_w).reshape(1, window.in_h, window.in_w, 1), -1)
    for (first, last), taps in zip(accesses.reads[0], numbers.reshape(accesses.count, -1), strict=True):
        pixels = taps[taps >= 0]
        assert 0 <= first <= last <= source.bytes
        assert pixels.size == 0 or (first <= pixels.min() * 8 and (pixels.max() + 1) * 8 <= last)
    assert accesses.writes[0].tolist() == [[12 * i, 12 * i + 12] for i in range(accesses.count)]
