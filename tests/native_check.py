"""The interpreter against native C: many modules in one sanitised program, on random inputs, with a poisoned arena."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

import lichen.ops  # noqa: F401  registers the operators
from lichen.backend.emit import emit
from lichen.backend.program import Program, plan_module
from lichen.ir.interpret import Interpreter
from lichen.ir.kernel import PLAIN, Core
from lichen.ir.module import Array, Module
from lichen.ir.types import TensorType
from lichen.ir.verify import verify
from lichen.plan.rows import Region

WARNINGS = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Werror"]
SANITIZERS = [
    *("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-ffp-contract=off"),
    *("--param", "asan-instrumentation-with-call-threshold=0"),  # the same checks as calls: gcc takes a fifth less time
]
POISON = 0xA5
AVR, DSP, V6M = (Core(name, frozenset({name})) for name in ("avr", "dsp", "v6m"))
MVE = Core("mve", frozenset({"dsp", "mve"}))
CORES = (PLAIN, AVR, DSP, V6M, MVE)
"""Whose kernels run natively."""
Lowered = Callable[[Module, Core, Sequence[Region]], Program]
"""How a module becomes a program: `plan_module`, or something that plans otherwise."""


def assert_native_equals_interpreter(
    modules: Sequence[Module],
    seed: int = 0,
    samples: int = 3,
    rtol: float = 1e-5,
    atol: float = 1e-6,
    core: Core = PLAIN,
    function: str = "infer",
    regions: Sequence[Sequence[Region]] | None = None,
    lowered: Lowered = plan_module,
) -> None:
    """Every module gives in C what the interpreter gives: same bytes for integers, within tolerance for float32.

    State runs on from sample to sample, in both. `regions` are those that each module streams; `lowered` plans a module.
    """
    rng = np.random.default_rng(seed)
    inputs = [
        [[random_input(v.type, rng) for v in m.functions[function].inputs] for _ in range(samples)] for m in modules
    ]
    results = run_natively(modules, inputs, core, function, regions, lowered)
    for module, module_inputs, module_results in zip(modules, inputs, results, strict=True):
        interpreter, outputs = Interpreter(module, function), module.functions[function].outputs
        for sample, got in zip(module_inputs, module_results, strict=True):
            for value, expected, actual in zip(outputs, interpreter.run(sample), got, strict=True):
                what = f"{[op.kind for op in module.functions[function].operations]}: output {value.name}"
                if value.type.dtype.is_float:
                    np.testing.assert_allclose(actual, expected, rtol, atol, err_msg=what)
                else:
                    np.testing.assert_array_equal(actual, expected, err_msg=what)


def random_input(type_: TensorType, rng: np.random.Generator) -> Array:
    """Random data of a type: all values of an integer type, a normal distribution of float32."""
    if type_.dtype.is_float:
        return rng.normal(size=type_.shape).astype(np.float32)
    if str(type_.dtype.numpy) == "bool":
        return rng.integers(0, 2, type_.shape).astype(bool)
    low, high = type_.dtype.range
    return rng.integers(low, high + 1, type_.shape).astype(type_.dtype.numpy)


def run_natively(
    modules: Sequence[Module],
    inputs: Sequence[Sequence[Sequence[Array]]],
    core: Core = PLAIN,
    function: str = "infer",
    regions: Sequence[Sequence[Region]] | None = None,
    lowered: Lowered = plan_module,
) -> list[list[list[Array]]]:
    """Outputs of each module for each of its samples, from one program built with address and undefined sanitizers."""
    with tempfile.TemporaryDirectory() as folder:
        streamed = regions or [()] * len(modules)
        program = _build(modules, [len(samples) for samples in inputs], Path(folder), core, function, streamed, lowered)
        data = b"".join(array.tobytes() for samples in inputs for sample in samples for array in sample)
        done = subprocess.run([program], input=data, capture_output=True, timeout=120)
        assert done.returncode == 0, done.stderr.decode()
    position, results = 0, []
    for module, samples in zip(modules, inputs, strict=True):
        module_results = []
        for _ in samples:
            outputs = []
            for value in module.functions[function].outputs:
                raw = done.stdout[position : position + value.type.bytes]
                outputs.append(np.frombuffer(raw, value.type.dtype.numpy).reshape(value.type.shape))
                position += value.type.bytes
            module_results.append(outputs)
        results.append(module_results)
    assert position == len(done.stdout)
    return results


def _build(
    modules: Sequence[Module],
    samples: Sequence[int],
    folder: Path,
    core: Core,
    function: str,
    regions: Sequence[Sequence[Region]],
    lowered: Lowered,
) -> Path:
    sources, blocks = [folder / "main.c"], []
    prefix = "" if function == "infer" else f"{function}_"
    for index, (module, count) in enumerate(zip(modules, samples, strict=True)):
        verify(module)
        renamed = Module(f"m{index}", module.functions)
        planned = lowered(renamed, core, regions[index])
        files = emit(planned, "speed" if index % 2 else "size").files
        for name, text in files.items():
            (folder / name).write_text(text)
        sources.append(folder / f"m{index}.c")
        by_rows = function == "infer" and planned.infer.row_inputs
        blocks.append(
            _RUN.replace("SOURCE", _SOURCE if by_rows else "(void)rows;")
            .replace(
                "AGAIN", str(sum(len(r.passes) - 1 for r in regions[index] if r.sources) * len(module.infer.inputs))
            )
            .replace("ARGUMENTS", "&instance, &source" if by_rows else "&instance")
            .replace("WHOLE", "NAME_init(&instance)" if planned.coding.layers else "(NAME_init(&instance), true)")
            .replace("INPUTS", str(len(module.functions[function].inputs)))
            .replace("NAME", f"m{index}")
            .replace("COUNT", str(count))
            .replace("PREFIX", prefix)
            .replace("FUNCTION", function)
        )
    includes = "".join(f'#include "m{index}.h"\n' for index in range(len(modules)))
    sources[0].write_text(
        f"#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <stdbool.h>\n{includes}{_NEXT_ROW}"
        f"int main(void)\n{{\n{''.join(blocks)}    return 0;\n}}\n"
    )
    command = ["gcc", "-O1", *WARNINGS, *SANITIZERS, "-o", str(folder / "program"), *map(str, sources), "-lm"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / "program"


_NEXT_ROW = """
enum { MOST_IMAGES = 8, MOST_BYTES = 1 << 20 };
typedef struct {
    unsigned char bytes[MOST_IMAGES][MOST_BYTES];
    size_t row_bytes[MOST_IMAGES];
    unsigned next[MOST_IMAGES], again;
} image_rows;

bool next_row(void *context, unsigned input, unsigned row, void *destination);
bool next_row(void *context, unsigned input, unsigned row, void *destination)
{
    image_rows *rows = (image_rows *)context;
    if (row == 0 && rows->next[input] > 0 && rows->again-- > 0) rows->next[input] = 0;
    if (row != rows->next[input]++) abort(); /* 0, 1, 2, ..., as often as there are strips */
    memcpy(destination, rows->bytes[input] + row * rows->row_bytes[input], rows->row_bytes[input]);
    return true;
}
"""

_SOURCE = """const lichen_row_source source = {&rows, next_row};
            rows.again = AGAIN;
            for (unsigned i = 0; (int)i < INPUTS; i++) {
                rows.next[i] = 0;
                rows.row_bytes[i] = NAME_input_row_bytes(i);
            }"""

_RUN = f"""    {{
        static NAME_t instance;
        static image_rows rows;
        memset(&instance, {POISON}, sizeof instance);
        if (!WHOLE) return 4;
        for (int sample = 0; sample < COUNT; sample++) {{
            memset(&instance.arena, {POISON}, sizeof instance.arena);
            for (unsigned i = 0; (int)i < INPUTS; i++) {{
                void *const input = NAME_PREFIXinput(&instance, i);
                const size_t count = NAME_PREFIXinput_bytes(i);
                if (count > MOST_BYTES || i >= MOST_IMAGES) return 3;
                if (fread(input ? input : rows.bytes[i], 1, count, stdin) != count) return 2;
            }}
            SOURCE
            NAME_FUNCTION(ARGUMENTS);
            for (unsigned i = 0; NAME_PREFIXoutput(&instance, i) != NULL; i++) {{
                fwrite(NAME_PREFIXoutput(&instance, i), 1, NAME_PREFIXoutput_bytes(i), stdout);
            }}
        }}
    }}
"""
