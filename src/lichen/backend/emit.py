"""A program as C: interface, tables, and a straight line of kernel calls.

How this works inside: the emitter writes calls and tables, never arithmetic. Every address is an offset into the instance's arena or
state, every table a `static const` array that equal tables share, every shape a member of a `static const` struct that the compiler
folds into the kernel where it inlines it.
"""

from __future__ import annotations

import hashlib
import math
import re
import textwrap
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lichen import __version__
from lichen.backend.emit_init import CHECK, coded_constants, init_declaration, init_definition
from lichen.backend.emit_lesson import HEADER as LESSON
from lichen.backend.emit_lesson import LEARN, lesson_declaration, lesson_definition
from lichen.backend.emit_row_source import (
    ROW_SOURCE,
    fetch,
    infer_by_rows,
    row_bytes_declaration,
    row_bytes_definition,
    row_constants,
)
from lichen.backend.literals import C_TYPES, WIDTH, wrap
from lichen.backend.one_copies import OneCopies
from lichen.backend.program import PlannedFunction, Program, Step, StreamedStep
from lichen.backend.shared_calls import SharedCalls
from lichen.backend.streamed import SLIDE, row_place, slide, streamed, streamed_comment, view
from lichen.backend.tables import Tables
from lichen.errors import UnsupportedError
from lichen.ir.kernel import Argument, Coded, Decoded, KernelCall, Operand, Result, Table
from lichen.ir.module import Array, Constant, Function, Namer, Operation, State, Value
from lichen.ir.print import print_module
from lichen.ir.types import Quantisation
from lichen.passes.gradient_descent import LEARNING_RATE
from lichen.plan.rows import row_bytes

KERNELS = Path(__file__).parent / "kernels"
RUNTIME = Path(__file__).parent / "runtime"
_SAVING = "lichen_state.h"
"""What a model with state includes to save and load it."""


@dataclass(frozen=True)
class Sources:
    """The generated files by name, and the bytes of the tables in flash."""

    files: Mapping[str, str]
    weights_bytes: int
    plain_weights_bytes: int
    """What they would be if none were coded."""
    digest: str
    functions: Mapping[str, str]
    """The C function that calls the kernel of an operation, by the operation's name, where there is one: its own, or one of many layers."""


def emit(program: Program, optimize: str, specialised: Collection[str] | None = None) -> Sources:
    """The C files of a model, its kernels and its graph. `optimize` is `speed`, `balanced` or `size`; same input, same bytes.

    Only the operations named in `specialised` get a copy of their kernel, in a function of their own, if that is given; the others share one.
    """
    name = program.module.name
    graph = print_module(program.module)
    digest = hashlib.sha256(graph.encode()).hexdigest()[:16]
    tables = Tables(name)
    namer, shared, copies = Namer(), SharedCalls(program, specialised or ()), OneCopies(name, specialised)
    bodies = {key: _body(program, planned, namer, tables, shared, copies) for key, planned in program.functions.items()}
    initial = [*_initial_state(program, tables), *_decoding(program, namer, tables)]
    checked = tables.checked()
    headers = _with_included(_headers(program))
    files = {
        f"{name}.h": _header(program, digest, bool(checked)),
        f"{name}.c": _source(program, optimize, bodies, copies.text + shared.text, initial, digest, checked),
        f"{name}_weights.h": tables.text(),
        f"{name}.lichen": graph,
        **{header.name: header.read_text() for header in headers},
    }
    plain = tables.bytes + program.coding.saved
    return Sources(files, tables.bytes, plain, digest, copies.functions | shared.functions)


def _body(
    program: Program, planned: PlannedFunction, namer: Namer, tables: Tables, shared: SharedCalls, copies: OneCopies
) -> str:
    """The statements of one function."""
    steps = enumerate(planned.steps)
    calls = [_step(program, planned, i, step, namer, tables, shared, copies) for i, step in steps]
    tables.end_function()
    uses_arena = any("arena + " in call for call in calls)
    arena = "    int8_t *const arena = self->arena.bytes;\n\n" if uses_arena else "    (void)self;\n\n"
    return arena + "\n\n".join([*calls, f"    LICHEN_MARK({len(calls)});"])


def _step(
    program: Program,
    planned: PlannedFunction,
    index: int,
    step: Step | StreamedStep,
    namer: Namer,
    tables: Tables,
    shared: SharedCalls,
    copies: OneCopies,
) -> str:
    def statement(
        operation: Operation,
        call: KernelCall,
        place: Callable[[Value, int | None, bool], str],
        scratch: Sequence[int],
        rows: tuple[str, ...],
        indent: str,
        whole: bool = False,
    ) -> str:
        """A call of a kernel, or of the function that makes it for several places. `whole`: of a layer as a whole."""
        owner, offsets = namer(operation.name), iter(scratch)
        is_shared = shared.serves(operation, call)
        whole = whole and not is_shared and copies.serves(operation, call)
        by_rows = shared.takes_rows(operation, call) and not whole
        texts = {
            i: place(value[0], value[1] if by_rows else None, isinstance(argument, Result))
            if (value := _value(operation, argument))
            else _decoded(argument)
            if isinstance(argument, Decoded)
            else f"arena + {next(offsets)}"
            for i, argument in enumerate(call.arguments)
            if not isinstance(argument, Table | Coded)
        }
        if call.rows is None or not by_rows:
            rows = (str(call.rows),) if whole and call.rows is not None else ()

        def kernel(texts: Mapping[int, str], rows: Sequence[str], indent: str = "    ") -> str:
            return _kernel(call, copies.name(operation, call, whole), tables, owner, texts, rows, indent)

        name = shared.name(owner, operation, call, kernel)
        if name is None:
            return kernel(texts, rows, indent)
        return wrap([*texts.values(), *rows], f"{indent}{name}(", ");", indent=len(indent) + 4)

    if isinstance(step, Step):

        def whole(value: Value, rows: int | None, is_written: bool) -> str:
            address = _address(program, planned, value)
            return address if rows is None else view(value, address, rows)

        text = statement(step.operation, step.call, whole, step.scratch, ("0", str(step.call.rows)), "    ", True)
        return f"{_comment(step.operation)}\n    LICHEN_MARK({index});\n{text}"

    def address(value: Value, byte: int) -> str:
        return _address(program, planned, value, byte)

    todo = zip(step.calls, step.scratch, strict=True)
    inputs = [planned.function.inputs.index(value) for value in step.region.sources]
    loops = []
    for one in step.region.passes:
        kept = row_place(one, address)
        statements = [fetch(v, number, kept(v, None, True)) for v, number in zip(one.sources, inputs, strict=True)]
        for operation, (call, scratch) in zip(one.operations, todo, strict=False):
            text = statement(operation, call, kept, scratch, ("row", "row + 1"), " " * 8)
            text += slide(one, operation, address, " " * 8)
            statements.append(f"{_comment(operation, ' ' * 8)}\n{text}")
        schedule = Table("schedule", np.array(one.calls, np.int8))
        loops.append(streamed(one, tables.add(namer(f"{step.operation.name}_rows"), schedule), statements))
    return f"    LICHEN_MARK({index});\n{streamed_comment(step.region)}\n" + "\n".join(loops)


def _value(operation: Operation, argument: Argument) -> tuple[Value, int | None] | None:
    """The tensor that an argument stands for, and of how many rows it is a view; `None` for scratch and weights."""
    if not isinstance(argument, Operand | Result):
        return None
    values = operation.operands if isinstance(argument, Operand) else operation.results
    return values[argument.index], argument.rows


def _kernel(
    call: KernelCall,
    function: str,
    tables: Tables,
    owner: str,
    texts: Mapping[int, str],
    rows: Sequence[str],
    indent: str,
) -> str:
    """A call of the kernel's `function`; `texts` are the arguments that are not tables, by their index."""
    arguments = [f"&{tables.add_params(owner, call)}"] if call.params else []
    for index, argument in enumerate(call.arguments):
        if isinstance(argument, Coded):
            arguments.append(f"&{tables.add_coded(owner, argument)}")
        else:
            arguments.append(tables.add(owner, argument) if isinstance(argument, Table) else texts[index])
    return wrap([*arguments, *rows], f"{indent}{function}(", ");", indent=len(indent) + 4)


def _decoded(argument: Decoded) -> str:
    place = f"self->weights.bytes + {argument.offset}"
    c_type = C_TYPES[argument.dtype]
    return place if c_type == "int8_t" else f"(const {c_type} *)(const void *)({place})"


def _comment(operation: Operation, indent: str = "    ") -> str:
    """The operation and the shapes of its results. Constants are left out: they stand among the call's arguments."""
    operands = ", ".join(v.name for v in operation.operands if not isinstance(v, Constant))
    results = ", ".join(f"{v.name} [{' x '.join(map(str, v.type.shape))}]" for v in operation.results)
    text = f"/* {f'{results} = ' if results else ''}{operation.kind}({operands}) */"
    return textwrap.fill(text, WIDTH, initial_indent=indent, subsequent_indent=f"{indent}   ", break_long_words=False)


def _address(program: Program, planned: PlannedFunction, value: Value, byte: int = 0) -> str:
    if isinstance(value, State):
        base, offset = "self->state.bytes", program.state_offsets[value] + byte
    else:
        base, offset = "arena", planned.offsets[value] + byte
    c_type = C_TYPES[str(value.type.dtype.numpy)]
    return f"{base} + {offset}" if c_type == "int8_t" else f"({c_type} *)(void *)({base} + {offset})"


def _initial_state(program: Program, tables: Tables) -> list[str]:
    lines = []
    for state, offset in program.state_offsets.items():
        raw = np.frombuffer(state.initial.tobytes(), np.int8)
        if (raw == raw[0]).all():
            lines.append(f"    memset(self->state.bytes + {offset}, {int(raw[0])}, {raw.size});")
        else:
            table = tables.add(state.name, Table("initial", raw))
            lines.append(f"    lichen_flash_copy(self->state.bytes + {offset}, {table}, {raw.size});")
    return lines


def _decoding(program: Program, namer: Namer, tables: Tables) -> Iterator[str]:
    """The statements that decode weights once."""
    for layer in program.coding.at_start:
        owner, packing = namer(layer.name), layer.packing
        arguments = [f"&{tables.add_coded(owner, layer.coded)}"]
        if packing.ends is not None:
            arguments.append(tables.add(owner, packing.ends))
        arguments += [f"self->weights.bytes + {layer.place.offset}", *map(str, packing.sizes)]
        yield wrap(arguments, f"    {packing.decode_all}(", ");", indent=8)


def _header(program: Program, digest: str, is_coded: bool) -> str:
    name, upper = program.module.name, program.module.name.upper()
    function, by_rows = program.infer.function, program.infer.row_inputs
    functions = "".join(_function_header(program, planned) for planned in program.others)
    members = "".join(
        f"    union {{\n        int32_t word;\n        int8_t bytes[{upper}_{constant}];\n    }} {member}\n"
        for constant, member, is_there in (
            ("STATE_BYTES", "state; /* what survives from call to call */", program.state_bytes),
            ("DECODED_BYTES", f"weights; /* decoded by {name}_init */", program.decoded_bytes),
        )
        if is_there
    )
    return f"""/* Generated by lichen {__version__}; the graph is in {name}.lichen. */
#ifndef {upper}_H
#define {upper}_H

#include <stddef.h>
#include <stdint.h>
{_interface_includes(program, is_coded)}
#define {upper}_DIGEST UINT64_C(0x{digest})
#define {upper}_ARENA_BYTES {program.arena_bytes}
#define {upper}_STATE_BYTES {program.state_bytes}
#define {upper}_INPUTS {len(function.inputs)}
#define {upper}_OUTPUTS {len(function.outputs)}
{coded_constants(program) if is_coded else ""}{row_constants(program.module.name, program.infer) if by_rows else ""}{
        "".join(_function_constants(program, planned) for planned in program.others)
    }
#ifdef __cplusplus
extern "C" {{
#endif

/* One instance; its size is all the memory the model needs beside the stack. */
typedef struct {{
    union {{
        int32_t word;
        int8_t bytes[{upper}_ARENA_BYTES];
    }} arena; /* inputs, outputs and everything between */
{members}}} {name}_t;

{init_declaration(name, is_coded)}

{
        infer_by_rows(program)
        if by_rows
        else "/* Reads the inputs in the arena and leaves the outputs there; the inputs may be overwritten. */"
    }
void {name}_infer({_infer_parameters(program)});

/* Where to write input `index` before each inference, and where to find output `index` after it; NULL if there is no such one{
        "," + chr(10) + "   and for an input that comes by rows" if by_rows else ""
    }.
{_tensor_lines(function, by_rows)}*/
void *{name}_input({name}_t *self, unsigned index);
const void *{name}_output(const {name}_t *self, unsigned index);
size_t {name}_input_bytes(unsigned index);
size_t {name}_output_bytes(unsigned index);
{row_bytes_declaration(name) if by_rows else ""}{functions}{
        lesson_declaration(name) if LEARN in program.functions else ""
    }{_rate_header(program)}{_saving_header(name) if program.state_bytes else ""}
#ifdef __cplusplus
}}
#endif

#endif
"""


def _interface_includes(program: Program, is_coded: bool) -> str:
    """The headers whose types the interface names."""
    wanted = [
        (LESSON, LEARN in program.functions),
        (ROW_SOURCE, bool(program.infer.row_inputs)),
        ("lichen_storage.h", program.state_bytes > 0),
    ]
    lines = "".join(f'#include "{header}"\n' for header, is_wanted in wanted if is_wanted)
    bools = "#include <stdbool.h>\n" if is_coded else ""
    return f"{bools}\n{lines}" if lines else bools


def _infer_parameters(program: Program) -> str:
    instance = f"{program.module.name}_t *self"
    return f"{instance}, const lichen_row_source *source" if program.infer.row_inputs else instance


def _saving_header(name: str) -> str:
    return f"""
/* The state into storage, and back. A power cut at any moment of a save leaves the old or the new state saved. A load that is
   refused leaves the state as it is; only where storage reads differently the second time are the initial values set. */
lichen_state_status {name}_save(const {name}_t *self, const lichen_storage *storage);
lichen_state_status {name}_load({name}_t *self, const lichen_storage *storage);
"""


def _function_constants(program: Program, planned: PlannedFunction) -> str:
    prefix = f"#define {program.module.name.upper()}_{planned.function.name.upper()}"
    return f"{prefix}_INPUTS {len(planned.function.inputs)}\n{prefix}_OUTPUTS {len(planned.function.outputs)}\n"


def _function_header(program: Program, planned: PlannedFunction) -> str:
    """Declarations of a function beside `infer`."""
    model, name = program.module.name, f"{program.module.name}_{planned.function.name}"
    return f"""
/* The same for the function `{planned.function.name}`. It shares the arena with the others, so its inputs are to be written after they ran.
{_tensor_lines(planned.function)}*/
void {name}({model}_t *self);
void *{name}_input({model}_t *self, unsigned index);
const void *{name}_output(const {model}_t *self, unsigned index);
size_t {name}_input_bytes(unsigned index);
size_t {name}_output_bytes(unsigned index);
"""


def _rate_header(program: Program) -> str:
    if _learning_rate(program) is None:
        return ""
    name = program.module.name
    return f"""
/* The learning rate, to be read or set at any time; it is part of the state. */
float *{name}_learning_rate({name}_t *self);
"""


def _learning_rate(program: Program) -> int | None:
    """Where the learning rate lies in the state, if the model learns."""
    return next((offset for state, offset in program.state_offsets.items() if state.name == LEARNING_RATE), None)


def _tensor_lines(function: Function, by_rows: Collection[Value] = ()) -> str:
    def lines(role: str, values: list[Value]) -> Iterator[str]:
        for index, value in enumerate(values):
            shape = " x ".join(map(str, value.type.shape))
            c_type = C_TYPES[str(value.type.dtype.numpy)]
            rows = f", by rows of {row_bytes(value)} bytes" if value in by_rows else ""
            yield f"   {role} {index}: {value.name}, {c_type} [{shape}]{_meaning(value.type.quantisation)}{rows}\n"

    return "".join([*lines("input", function.inputs), *lines("output", function.outputs)])


def _meaning(q: Quantisation | None) -> str:
    """What a stored integer stands for, in words for a comment."""
    if q is None:
        return ""
    zero = q.zero_point[0]
    stored = f"(stored {'-' if zero > 0 else '+'} {abs(zero)})" if zero else "stored"
    return f", real = {q.scale[0]:.6g} * {stored}"


def _source(
    program: Program,
    optimize: str,
    bodies: Mapping[str, str],
    shared: str,
    initial: list[str],
    digest: str,
    checked: Sequence[tuple[str, Array]],
) -> str:
    name = program.module.name
    functions = "".join(
        f"\nvoid {name}_{p.function.name}({name}_t *self)\n{{\n{bodies[p.function.name]}\n}}\n{_accessors(program, p)}"
        for p in program.others
    )
    includes = "".join(
        f'#include "{header}"\n' for header in sorted({*_headers(program), *([CHECK] if checked else [])})
    )
    system = "#include <math.h>\n" if _uses_infinity(program) else ""
    system += "#include <string.h>\n" if any("memset" in line for line in initial) else ""
    speed = "#define LICHEN_OPTIMIZE_SPEED 1\n" if optimize != "size" else ""
    needs = sorted({need for call in _calls(program) for need in call.needs})
    parts = "".join(f"#define LICHEN_NEEDS_{need.upper()} 1\n" for need in needs)
    return f"""/* Generated by lichen {__version__}; graph {digest}. */
{speed}{parts}#include "{name}.h"
{f"{chr(10)}{system}" if system else ""}
{includes}
#include "{name}_weights.h"
{shared}
{init_definition(name, initial, checked)}
void {name}_infer({_infer_parameters(program)})
{{
{bodies["infer"]}
}}
{_accessors(program, program.infer)}{functions}{_lesson_source(program)}{_rate_source(program)}{_saving_source(name, bool(checked)) if program.state_bytes else ""}"""


def _accessors(program: Program, planned: PlannedFunction) -> str:
    """Where the inputs and outputs of a function lie, and how large they are."""
    model, function, offsets = program.module.name, planned.function, planned.offsets
    name = model if planned is program.infer else f"{model}_{function.name}"
    by_rows = planned.row_inputs
    places = ["NULL" if v in by_rows else f"self->arena.bytes + {offsets[v]}" for v in function.inputs]
    if set(places) == {"NULL"}:
        places = []
    lengths = [str(row_bytes(v) if v in by_rows else 0) for v in function.inputs]
    return f"""
void *{name}_input({model}_t *self, unsigned index)
{{
{_switch(places, "NULL", "self")}
}}

const void *{name}_output(const {model}_t *self, unsigned index)
{{
{_switch([f"self->arena.bytes + {offsets[v]}" for v in function.outputs], "NULL", "self")}
}}

size_t {name}_input_bytes(unsigned index)
{{
{_switch([str(v.type.bytes) for v in function.inputs], "0")}
}}

size_t {name}_output_bytes(unsigned index)
{{
{_switch([str(v.type.bytes) for v in function.outputs], "0")}
}}
{row_bytes_definition(name, _switch(lengths, "0")) if by_rows else ""}"""


def _lesson_source(program: Program) -> str:
    learn = program.functions.get(LEARN)
    if learn is None:
        return ""
    return lesson_definition(program.module.name, learn.function, lambda value: _address(program, learn, value))


def _rate_source(program: Program) -> str:
    offset = _learning_rate(program)
    if offset is None:
        return ""
    name = program.module.name
    return f"""
float *{name}_learning_rate({name}_t *self)
{{
    return (float *)(void *)(self->state.bytes + {offset});
}}
"""


def _saving_source(name: str, is_coded: bool) -> str:
    owner = f"{{{name.upper()}_DIGEST, {name.upper()}_STATE_BYTES}}"
    return f"""
lichen_state_status {name}_save(const {name}_t *self, const lichen_storage *storage)
{{
    const lichen_state_owner owner = {owner};
    return lichen_state_save(owner, self->state.bytes, storage);
}}

lichen_state_status {name}_load({name}_t *self, const lichen_storage *storage)
{{
    const lichen_state_owner owner = {owner};
    const lichen_state_status status = lichen_state_load(owner, self->state.bytes, storage);
    if (status == LICHEN_STATE_STORAGE_FAILED) {"(void)" if is_coded else ""}{name}_init(self);
    return status;
}}
"""


def _uses_infinity(program: Program) -> bool:
    return any(math.isinf(value) for call in _calls(program) for value in call.params.values())


def _calls(program: Program) -> list[KernelCall]:
    return [call for planned in program.functions.values() for step in planned.steps for call in step.calls]


def _switch(values: list[str], otherwise: str, unused: str = "") -> str:
    if not values:
        void = f"    (void){unused};\n" if unused else ""
        return f"{void}    (void)index;\n    return {otherwise};"
    if len(values) == 1:
        return f"    return index == 0 ? {values[0]} : {otherwise};"
    cases = [f"    case {index}: return {value};" for index, value in enumerate(values)]
    return "\n".join(["    switch (index) {", *cases, f"    default: return {otherwise};", "    }"])


def _headers(program: Program) -> set[str]:
    """The headers that the model's source includes."""
    saving = {_SAVING} if program.state_bytes else set()
    lesson = {LESSON} if LEARN in program.functions else set()
    rows = {ROW_SOURCE} if program.infer.row_inputs else set()
    coding = {CHECK, *(layer.packing.header for layer in program.coding.at_start)} if program.coding.layers else set()
    steps = [step for planned in program.functions.values() for step in planned.steps]
    rows |= {SLIDE} if any(isinstance(step, StreamedStep) and step.region.newest for step in steps) else set()
    kernels = {f"lichen_{call.kernel}.h" for call in _calls(program)}
    return kernels | {"lichen_common.h"} | saving | lesson | rows | coding


def _with_included(headers: Iterable[str]) -> list[Path]:
    """The files of the headers and, transitively, of those they include."""
    pending = set(headers)
    found: dict[str, Path] = {}
    while pending:
        header = pending.pop()
        path = next((folder / header for folder in (KERNELS, RUNTIME) if (folder / header).is_file()), None)
        if path is None:
            raise UnsupportedError(f"kernel header {header} is missing from {KERNELS}")
        found[header] = path
        pending |= set(re.findall(r'#include "(lichen_\w+\.h)"', path.read_text())) - set(found)
    return [found[header] for header in sorted(found)]
