"""A Hypothesis strategy for modules of each operator there is."""

from __future__ import annotations

from hypothesis import strategies as st

import element_strategies as elements
import gradient_strategies as gradients
import online_strategies as online
import shape_strategies as moves
import strategies as windows
from lichen.ir.module import Module
from lichen.ir.types import TensorType

EVERY: dict[str, st.SearchStrategy[Module]] = {
    **gradients.EVERY,
    **{kind: elements.binary_modules(kind) for kind in ("add", "sub", "mul")},
    **{
        kind: elements.element_map_modules(kind)
        for kind in ("relu", "relu6", "leaky_relu", "hard_swish", "logistic", "tanh")
    },
    "softmax": elements.softmax_modules(),
    "quantize": elements.quantize_modules(),
    "dequantize": elements.dequantize_modules(),
    "reshape": moves.reshapes(),
    "transpose": moves.transposes(),
    "strided_slice": moves.slices(),
    "concat": moves.joins("concat"),
    "split": moves.joins("split"),
    "read_state": moves.dtypes.map(lambda dtype: moves.delay(TensorType((3,), dtype))),
    "write_state": moves.dtypes.map(lambda dtype: moves.delay(TensorType((3,), dtype))),
    "conv2d": st.sampled_from(["int8", "float32"]).flatmap(windows.conv2d_modules),
    "depthwise_conv2d": st.sampled_from(["int8", "float32"]).flatmap(windows.depthwise_modules),
    "dense": st.sampled_from(["int8", "float32"]).flatmap(windows.dense_modules),
    "avg_pool2d": st.sampled_from(["int8", "float32"]).flatmap(lambda d: windows.pool_modules("avg_pool2d", d)),
    "max_pool2d": st.sampled_from(["int8", "float32"]).flatmap(lambda d: windows.pool_modules("max_pool2d", d)),
    "bonsai_tree": windows.bonsai_tree_modules(),
    "pad": st.sampled_from(["int8", "float32"]).flatmap(windows.pad_modules),
    "resize_nearest": st.sampled_from(["int8", "float32"]).flatmap(windows.resize_modules),
    "mean": st.sampled_from(["int8", "float32"]).flatmap(windows.mean_modules),
    **online.STRATEGIES,
}
"""By the kind of the operator."""
