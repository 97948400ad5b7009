"""A dense network compiled by emlearn, a library from PyPI, with its generator of "loadable" code (that of "inline" code fails in 0.23.2).

emlearn computes dense networks in float32; its fixed-point code, though offered, is empty in version 0.23.2 (`eml_net_fixedpoint.h` says
so), and it has no int8. So it is compared with what Lichen makes of the same float32 network, and Lichen's int8 stands beside both.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np

_NUMPY = np.geterr()
import emlearn  # noqa: E402  makes NumPy raise for every underflow, in the whole process
from emlearn.net import c_generate_net_loadable  # noqa: E402

np.seterr(**_NUMPY)
import torch  # noqa: E402
from torch import nn  # noqa: E402

from counting import ForeignCode  # noqa: E402
from lichen.errors import UnsupportedError  # noqa: E402

_GLUE = """#include "net.h"
#include "peer.h"
static float features[{inputs}];
void peer_prepare(const int8_t *input)
{{
    for (int i = 0; i < {inputs}; i++) features[i] = (float)input[i] / 128.0f;
}}
void peer_infer(const int8_t *input, const int8_t *last_input, int8_t *output)
{{
    (void)input, (void)last_input;
    eml_net_regress(&net, features, {inputs}, (float *)(void *)output, {outputs});
}}
"""


def dense_network(network: nn.Sequential, folder: Path, optimize: str = "-O2") -> ForeignCode:
    """`network`, of linear layers and relus, as C in `folder`; its output are the bytes of float32 numbers.

    Raises `UnsupportedError` for any other layer.
    """
    weights, biases, activations = [], [], []
    for layer, after in pairwise([*network, nn.Identity()]):
        if isinstance(layer, nn.Linear):
            weights.append(layer.weight.detach().numpy().T)
            biases.append(layer.bias.detach().numpy())
            activations.append("relu" if isinstance(after, nn.ReLU) else "identity")
        elif not isinstance(layer, nn.ReLU | nn.Flatten):
            raise UnsupportedError(f"emlearn has no {type(layer).__name__}")
    (folder / "net.h").write_text(c_generate_net_loadable(activations, weights, biases, "net"), "utf-8")
    inputs, outputs = weights[0].shape[0], weights[-1].shape[1]
    glue = folder / "glue.c"
    glue.write_text(_GLUE.format(inputs=inputs, outputs=outputs), "utf-8")
    return ForeignCode((glue,), (folder, Path(emlearn.__file__).parent), (optimize,), 1, inputs, outputs * 4)


def dense(*sizes: int) -> nn.Sequential:
    """Linear layers of these sizes with random weights, relu between them."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers = [layer for a, b in pairwise(sizes) for layer in (nn.Linear(a, b), nn.ReLU())]
        return nn.Sequential(*layers[:-1])
