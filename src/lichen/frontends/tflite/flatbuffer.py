"""A reader of flatbuffers that trusts nothing: every offset is checked before it is followed.

The accessors that `flatc` generates follow any offset. Here a table may only be where the format allows one, and everything that is
read is charged to a budget, so that a file whose parts overlap a thousandfold ends the reading instead of filling the memory.

The format is described at https://flatbuffers.dev/internals; a `Table` names its fields in the order of their slots in the schema.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import NoReturn

import numpy as np
from numpy.typing import DTypeLike

from lichen.errors import InputError
from lichen.ir.module import Array

_U16, _I32, _U32 = struct.Struct("<H"), struct.Struct("<i"), struct.Struct("<I")

_READS_PER_BYTE = 8  # a well-formed file is read about once; converters share buffers and nothing else


class Flatbuffer:
    """The bytes of a file and what may still be read of them."""

    def __init__(self, data: bytes, identifier: bytes) -> None:
        """Raises `InputError` if the file does not carry the four bytes of `identifier`."""
        if len(data) < 8 or data[4:8] != identifier:
            raise InputError(f"this is not a {identifier.decode()} file: its bytes 4 to 7 are {data[4:8]!r}")
        self.data = data
        self._budget = _READS_PER_BYTE * len(data)

    def root(self, fields: Sequence[str]) -> Table:
        """The table that the file starts with."""
        return Table(self, self.follow(0), fields)

    def follow(self, position: int) -> int:
        """Where the unsigned offset at `position` points to."""
        target = position + int(self.unpack(_U32, position))
        if target == position or target % 4:
            damaged(f"the offset at byte {position} points to byte {target}, where nothing can be")
        return target

    def unpack(self, form: struct.Struct, position: int) -> int:
        if not 0 <= position <= len(self.data) - form.size:
            damaged(f"something should be at byte {position} of {len(self.data)}")
        value: int = form.unpack_from(self.data, position)[0]
        return value

    def charge(self, size: int) -> None:
        """Accounts for `size` bytes being read."""
        self._budget -= size
        if self._budget < 0:
            damaged("its parts overlap")

    def array(self, position: int, dtype: DTypeLike) -> Array:
        """The vector at `position`, a view of the file: it cannot be written."""
        element = np.dtype(dtype).newbyteorder("<")
        count = self.unpack(_U32, position)
        if count > (len(self.data) - position - 4) // element.itemsize:
            damaged(f"the vector at byte {position} claims {count} elements and ends beyond the file")
        self.charge(4 + count * element.itemsize)
        return np.frombuffer(self.data, element, count, position + 4)


class Table:
    """One table; fields are read by name. An absent field has the default that the schema gives, 0 unless stated."""

    def __init__(self, file: Flatbuffer, position: int, fields: Sequence[str]) -> None:
        self._file, self._position = file, position
        vtable = position - file.unpack(_I32, position)
        if vtable % 2:
            damaged(f"the table at byte {position} has no description")
        vtable_size, self._size = file.unpack(_U16, vtable), file.unpack(_U16, vtable + 2)
        if vtable_size < 4 or vtable_size % 2 or vtable + vtable_size > len(file.data):
            damaged(f"the table at byte {position} has a description of {vtable_size} bytes")
        if self._size < 4 or position + self._size > len(file.data):
            damaged(f"the table at byte {position} ends beyond the file")
        file.charge(vtable_size + self._size)
        slots: list[int] = np.frombuffer(file.data, "<u2", (vtable_size - 4) // 2, vtable + 4).tolist()
        self._offsets: dict[str, int] = dict(zip(fields, slots, strict=False))
        self.has_unknown_fields = any(slots[len(fields) :])
        """Whether a field is present that the schema, as it is known here, does not have."""

    def has(self, field: str) -> bool:
        return self._offsets.get(field, 0) != 0

    def integer(self, field: str, form: str = "i", default: int = 0) -> int:
        """A number of the given `struct` format: `b` int8, `B` uint8, `i` int32, `I` uint32, `Q` uint64."""
        position = self._field(field, struct.calcsize(f"<{form}"))
        return default if position is None else self._file.unpack(struct.Struct(f"<{form}"), position)

    def boolean(self, field: str) -> bool:
        value = self.integer(field, "B")
        if value > 1:
            damaged(f"{field} is {value} where it must be 0 or 1")
        return value == 1

    def real(self, field: str) -> float:
        """A float32; raises `InputError` if it is not finite."""
        position = self._field(field, 4)
        value = 0.0 if position is None else float(self._file.unpack(struct.Struct("<f"), position))
        if not math.isfinite(value):
            damaged(f"{field} is {value}")
        return value

    def table(self, field: str, fields: Sequence[str]) -> Table | None:
        position = self._field(field, 4)
        return None if position is None else Table(self._file, self._file.follow(position), fields)

    def tables(self, field: str, fields: Sequence[str]) -> list[Table]:
        """A vector of tables; empty where absent."""
        position = self._field(field, 4)
        if position is None:
            return []
        start = self._file.follow(position)
        count = len(self._file.array(start, np.uint32))
        return [Table(self._file, self._file.follow(start + 4 + 4 * i), fields) for i in range(count)]

    def array(self, field: str, dtype: DTypeLike) -> Array | None:
        """A vector of numbers, a view of the file; `None` where absent."""
        position = self._field(field, 4)
        return None if position is None else self._file.array(self._file.follow(position), dtype)

    def integers(self, field: str, dtype: DTypeLike = np.int32) -> tuple[int, ...]:
        """A vector of numbers as a tuple; empty where absent."""
        array = self.array(field, dtype)
        return () if array is None else tuple(array.tolist())

    def text(self, field: str) -> str:
        """A string; bytes that are not UTF-8 are replaced, because names are for people only."""
        array = self.array(field, np.uint8)
        return "" if array is None else array.tobytes().decode("utf-8", errors="replace")

    def _field(self, field: str, size: int) -> int | None:
        offset = self._offsets.get(field, 0)
        if offset == 0:
            return None
        if offset < 4 or offset + size > self._size or offset % min(size, 4):
            damaged(f"field {field} of the table at byte {self._position} lies outside of it")
        return self._position + offset


def damaged(what: str) -> NoReturn:
    """Raises the `InputError` of a file that does not hold together."""
    raise InputError(f"the file is damaged: {what}")
