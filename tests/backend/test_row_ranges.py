"""Spatial kernels by rows: from a ring buffer of the newest rows, each range gives the rows that the whole call gives."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lichen.backend.emit import emit
from lichen.backend.program import plan_module
from lichen.ir.kernel import PLAIN
from lichen.ir.module import Module
from native_check import SANITIZERS, WARNINGS, random_input
from ops_oracle import f32, fixed, i8, one_op, run

WINDOW = {"stride": (2, 1), "padding": (2, 1, 1, 0), "activation": "relu"}
MAIN = """
#include <stdio.h>
#include <string.h>
#include "one.h"
%(includes)s
#include "one_weights.h"
int main(void)
{
    static %(type)s input[%(in_elements)d], ring[%(ring_rows)d * %(in_row)d], output[%(out_elements)d];
    int fed = 0;
    if (fread(input, sizeof input, 1, stdin) != 1) return 2;
    for (int row = 0; row < %(out_rows)d; row++) {
        int needed = row * %(stride)d - %(pad_top)d + %(reach)d;
        for (; fed < needed && fed < %(in_rows)d; fed++) {
            memcpy(ring + fed %% %(ring_rows)d * %(in_row)d, input + fed * %(in_row)d, %(in_row)d * sizeof *ring);
        }
        %(call)s
    }
    fwrite(output, sizeof output, 1, stdout);
    return 0;
}
"""


def windows() -> list[Module]:
    """One of each spatial operator with a window three rows high, 2 apart where it can be dilated."""
    rng = np.random.default_rng(5)
    wide = WINDOW | {"dilation": (2, 1)}
    pool = WINDOW | {"kernel": (3, 3)}
    modules = []
    for make in (i8, f32):
        x, dtype = make(1, 9, 6, 5), np.int8 if make is i8 else np.float32
        conv = fixed(rng.integers(-9, 9, (6, 3, 3, 5)).astype(dtype), make(6, 3, 3, 5), "w")
        depthwise = fixed(rng.integers(-9, 9, (1, 3, 3, 5)).astype(dtype), make(1, 3, 3, 5), "w")
        modules += [
            one_op("conv2d", [x, conv], [make(1, 4, 5, 6)], wide),
            one_op("depthwise_conv2d", [x, depthwise], [make(1, 4, 5, 5)], wide),
            one_op("avg_pool2d", [x], [make(1, 5, 5, 5)], pool),
            one_op("max_pool2d", [x], [make(1, 5, 5, 5)], pool),
        ]
    return modules


@pytest.mark.parametrize(
    "module", windows(), ids=lambda m: f"{m.infer.operations[0].kind}_{m.infer.inputs[0].type.dtype.value}"
)
def test_rows_from_a_ring_buffer_are_the_rows_of_the_whole(module: Module, tmp_path: Path) -> None:
    """The ring holds no more rows than the window reaches over; older rows are gone, newer ones not there yet."""
    (operation,) = module.infer.operations
    source, result = operation.operands[0].type, operation.results[0].type
    reach = 5 if "dilation" in operation.attributes else 3
    files = emit(plan_module(module, PLAIN), "size").files
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    values: dict[str, Any] = {
        "type": "float" if source.dtype.is_float else "int8_t",
        "includes": "\n".join(re.findall(r"#include <math.h>|#include \"lichen_\w+\.h\"", files["one.c"])),
        "in_elements": source.elements,
        "in_rows": source.shape[1],
        "in_row": source.shape[2] * source.shape[3],
        "out_elements": result.elements,
        "out_rows": result.shape[1],
        "ring_rows": reach,
        "reach": reach,
        "stride": operation.ints_attribute("stride")[0],
        "pad_top": operation.ints_attribute("padding")[0],
    }
    (tmp_path / "main.c").write_text(MAIN % (values | {"call": by_row(files["one.c"], reach)}))
    program = tmp_path / "program"
    build = ["gcc", "-O1", *WARNINGS, *SANITIZERS, "-o", str(program), str(tmp_path / "main.c"), "-lm"]
    subprocess.run(build, check=True)
    x = random_input(source, np.random.default_rng(1))
    done = subprocess.run([program], input=x.tobytes(), capture_output=True, check=True)
    got = np.frombuffer(done.stdout, result.dtype.numpy).reshape(result.shape)
    np.testing.assert_allclose(got, run(module, x)[0], rtol=1e-5 if source.dtype.is_float else 0, atol=1e-5)


def by_row(source: str, ring_rows: int) -> str:
    """The kernel call of generated C, for row `row` and with the ring as its input."""
    call = re.search(r"lichen_\w+\(&one_p_\w+,.*?\);", source, re.S)
    assert call is not None
    text = re.sub(r"(lichen_rows_\w+)\(.*?, \d+\)(?=,)", rf"\1(ring, {ring_rows})", call.group(), count=1)
    head, tail = text.split(f"(ring, {ring_rows})")
    tail = re.sub(r"(lichen_rows_\w+)\(.*?, (\d+)\)(?=,)", r"\1(output, \2)", tail, count=1)
    return re.sub(r"0, \d+\);$", "row, row + 1);", f"{head}(ring, {ring_rows}){tail}")
