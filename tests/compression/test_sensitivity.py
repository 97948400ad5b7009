"""The report by layer: the layer that suffers is found, whichever way round it is asked."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from compression_cases import three_patterns
from lichen.compression.sensitivity import sensitivity
from lichen.nn.train import Recipe, accuracy, fit, predict


def test_the_layer_that_suffers_is_found() -> None:
    """A layer whose result has one channel a thousand times larger than the others loses what they hold when it is rounded; the others do not."""
    x, y = three_patterns(240)
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 6, 3, 2, 1), nn.ReLU(), nn.Conv2d(6, 8, 3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(32, 3)
    )
    fit(model, x[:160], y[:160], Recipe(epochs=12, batch_size=16))
    with torch.no_grad():
        # Channel 0 of layer 2 becomes huge and is not used any more: the function stays, its tensor's scale does not.
        model[5].weight[:, :4] = 0.0
        model[2].weight[0] = 0.0
        model[2].bias[0] = 5000.0
    seen: list[tuple[int, int]] = []
    report = sensitivity(model, x[160:], y[160:], x[:64], progress=lambda done, total: seen.append((done, total)))
    by_name = {layer.name: layer for layer in report.layers}
    assert list(by_name) == ["0", "2", "5"]
    assert report.accuracy_float == accuracy(predict(model, x[160:]), y[160:]) > 0.6
    assert by_name["2"].only < report.accuracy_float - 0.15 and by_name["0"].only > report.accuracy_float - 0.05
    assert report.accuracy_int8 < report.accuracy_float - 0.15
    assert report.losing(0.1)[0] == "2" and "0" not in report.losing(0.1)
    assert seen == [(k, 8) for k in range(1, 9)]
    assert np.isfinite([layer.all_but for layer in report.layers]).all()
