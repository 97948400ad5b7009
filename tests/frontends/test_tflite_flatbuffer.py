"""The flatbuffer reader follows no offset that it has not checked."""

from __future__ import annotations

import contextlib
import struct

import flatbuffers
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lichen.errors import InputError
from lichen.frontends.tflite.flatbuffer import Flatbuffer, Table

FIELDS = ("number", "numbers", "text", "child", "children")
NAME = b"TEST"


def sample(numbers: list[int], text: str, children: int = 2) -> bytes:
    """A table with every kind of field; its children hold their number."""
    builder = flatbuffers.Builder(0)
    offsets = []
    for index in range(children):
        builder.StartObject(len(FIELDS))
        builder.PrependInt32Slot(0, index + 1, 0)
        offsets.append(builder.EndObject())
    vector = builder.CreateNumpyVector(np.array(numbers, np.int32))
    string = builder.CreateString(text)
    builder.StartVector(4, children, 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    table_vector = builder.EndVector()
    builder.StartObject(len(FIELDS))
    builder.PrependInt32Slot(0, -7, 0)
    builder.PrependUOffsetTRelativeSlot(1, vector, 0)
    builder.PrependUOffsetTRelativeSlot(2, string, 0)
    if offsets:
        builder.PrependUOffsetTRelativeSlot(3, offsets[0], 0)
    builder.PrependUOffsetTRelativeSlot(4, table_vector, 0)
    builder.Finish(builder.EndObject(), NAME)
    return bytes(builder.Output())


def read(data: bytes) -> tuple[int, tuple[int, ...], str, int, list[int]]:
    """Everything in a sample."""
    root = Flatbuffer(data, NAME).root(FIELDS)
    child = root.table("child", FIELDS)
    return (
        root.integer("number"),
        root.integers("numbers"),
        root.text("text"),
        0 if child is None else child.integer("number"),
        [t.integer("number") for t in root.tables("children", FIELDS)],
    )


@given(st.lists(st.integers(-(2**31), 2**31 - 1), max_size=20), st.text(max_size=20), st.integers(0, 3))
def test_reads_what_was_written(numbers: list[int], text: str, children: int) -> None:
    """What the official builder writes is read back."""
    data = sample(numbers, text, children)
    assert read(data) == (-7, tuple(numbers), text, 1 if children else 0, list(range(1, children + 1)))


@given(st.data())
def test_damage_is_an_input_error(data: st.DataObject) -> None:
    """Whatever words are overwritten, reading ends in values or in an `InputError`."""
    content = bytearray(sample([1, 2, 3], "text"))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(content) - 4))
        content[at : at + 4] = struct.pack("<I", data.draw(st.integers(0, 2**32 - 1)))
    with contextlib.suppress(InputError):
        read(bytes(content))


def test_absent_fields_have_defaults() -> None:
    """A table without fields reads as zeros and nothing."""
    builder = flatbuffers.Builder(0)
    builder.StartObject(0)
    builder.Finish(builder.EndObject(), NAME)
    assert read(bytes(builder.Output())) == (0, (), "", 0, [])


def test_unknown_fields_are_noticed() -> None:
    """A field beyond the known ones is reported, because its meaning might matter."""
    file = Flatbuffer(sample([1], "x"), NAME)
    assert not file.root(FIELDS).has_unknown_fields
    assert file.root(FIELDS[:4]).has_unknown_fields


def test_overlapping_parts_run_out_of_budget() -> None:
    """A vector of ten thousand offsets to one table of a thousand numbers does not multiply the work."""
    builder = flatbuffers.Builder(0)
    vector = builder.CreateNumpyVector(np.arange(1000, dtype=np.int32))
    builder.StartObject(len(FIELDS))
    builder.PrependUOffsetTRelativeSlot(1, vector, 0)
    child = builder.EndObject()
    builder.StartVector(4, 10_000, 4)
    for _ in range(10_000):
        builder.PrependUOffsetTRelative(child)
    children = builder.EndVector()
    builder.StartObject(len(FIELDS))
    builder.PrependUOffsetTRelativeSlot(4, children, 0)
    builder.Finish(builder.EndObject(), NAME)
    root: Table = Flatbuffer(bytes(builder.Output()), NAME).root(FIELDS)
    with pytest.raises(InputError, match="parts overlap"):
        for table in root.tables("children", FIELDS):
            table.integers("numbers")
