"""What operators ask of the backend fits the C headers: members and types of the params struct, number of arguments."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lichen.backend
from every_operator import EVERY
from lichen.ir.accesses import Accesses
from lichen.ir.kernel import PLAIN, KernelCall
from lichen.ir.module import Constant, Operation, State
from lichen.ir.operator import kinds, operator

KERNELS = Path(lichen.backend.__file__).parent / "kernels"
LIMITS = {"int8_t": 2**7, "int16_t": 2**15, "int32_t": 2**31}


@dataclass(frozen=True)
class Header:
    """A kernel as its header declares it."""

    members: dict[str, str]  # name -> C type, in order
    arguments: int  # without the params


def read_header(kernel: str) -> Header:
    text = with_includes(f"lichen_{kernel}.h")
    alias = re.search(rf"typedef (\w+) lichen_{kernel}_params;", text)
    name = alias[1] if alias else f"lichen_{kernel}_params"
    struct = re.search(rf"typedef struct \{{([^}}]*)\}} {name};", text)
    members = {}
    for declaration in (struct[1] if struct else "").split(";"):
        if declaration.strip():
            c_type, names = declaration.split(None, 1)
            members.update((member.strip(), c_type) for member in names.split(","))
    function = re.search(rf"LICHEN_(?:KERNEL|INLINE) void lichen_{kernel}\(([^)]*)\)", text)
    assert function is not None
    return Header(members, function[1].count(",") + (0 if struct else 1))


@cache
def with_includes(header: str) -> str:
    """A header and those it includes, without comments."""
    text = re.sub(r"/\*.*?\*/", "", (KERNELS / header).read_text(), flags=re.S)
    return "".join(map(with_includes, re.findall(r'#include "(lichen_\w+\.h)"', text))) + text


def test_every_operator_is_drawn() -> None:
    """A new operator brings its strategy, so that every test over all operators covers it."""
    assert sorted(EVERY) == list(kinds())


@pytest.mark.parametrize("kind", sorted(EVERY))
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_calls_fit_their_kernels(kind: str, data: st.DataObject) -> None:
    """Params are the struct's members in order and within their types; every argument of the function is given."""
    for operation in data.draw(EVERY[kind]).infer.operations:
        if operation.kind == kind and not operator(kind).is_view:
            check_call(operator(kind).lower(operation, PLAIN))


def check_call(call: KernelCall) -> None:
    header = read_header(call.kernel)
    assert list(call.params) == list(header.members)
    for name, value in call.params.items():
        c_type = header.members[name]
        if c_type == "float":
            assert isinstance(value, float), name
        else:
            assert isinstance(value, int) and -LIMITS[c_type] <= value < LIMITS[c_type], name
    assert len(call.arguments) + (0 if call.rows is None else 2) == header.arguments


@pytest.mark.parametrize("kind", sorted(EVERY))
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_accesses_stay_inside_their_tensors(kind: str, data: st.DataObject) -> None:
    """All arrays are as long, intervals lie inside their tensor, and each result is written completely."""
    for operation in data.draw(EVERY[kind]).infer.operations:
        if operation.kind == kind and not operator(kind).is_view:
            check_accesses(operation, operator(kind).accesses(operation))


def check_accesses(operation: Operation, accesses: Accesses) -> None:
    arena = {i for i, v in enumerate(operation.operands) if not isinstance(v, Constant | State)}
    assert arena <= set(accesses.reads) and set(accesses.writes) == set(range(len(operation.results)))
    for intervals, values in ((accesses.reads, operation.operands), (accesses.writes, operation.results)):
        for index, rows in intervals.items():
            assert rows.shape == (accesses.count, 2)
            assert (rows[:, 0] <= rows[:, 1]).all() and (rows >= 0).all() and (rows <= values[index].type.bytes).all()
    for index, rows in accesses.writes.items():
        written = bytearray(operation.results[index].type.bytes)
        for low, high in rows:
            written[low:high] = b"\1" * int(high - low)
        assert all(written)
