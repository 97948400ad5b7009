"""What a model has in flash: arrays, coded weights, and the shapes of its calls. Each is there once."""

from __future__ import annotations

import numpy as np

from lichen.backend.literals import C_TYPES, initialiser, literal, wrap
from lichen.ir.kernel import Coded, CodeTable, KernelCall, Table
from lichen.ir.module import Array


class Tables:
    """Arrays in flash. Equal arrays are stored once, under the name of the first."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._names: dict[tuple[str, bytes], str] = {}
        self._arrays: dict[str, Array] = {}
        self._params: dict[str, str] = {}
        self._coded: dict[str, str] = {}
        self._checked: list[str] = []
        self._earlier: dict[str, str] = {}
        self._new: dict[str, str] = {}

    def add(self, owner: str, table: Table) -> str:
        """The C name of a table."""
        array = np.ascontiguousarray(table.data)
        key = (str(array.dtype), array.tobytes())
        if key not in self._names:
            name = f"{self._model}_w_{owner}_{table.role}"
            assert name not in self._arrays, name
            self._names[key] = name
            self._arrays[name] = array
        return self._names[key]

    def add_coded(self, owner: str, coded: Coded) -> str:
        """The C name of coded weights."""
        words = self._checked_table(owner, "words", coded.words)
        codes = [self._code(owner, "values", coded.values)]
        codes.append("{0, 0, 0, 0}" if coded.gaps is None else self._code(owner, "gaps", coded.gaps))
        text = f" = {{\n    {words}, {coded.words.size}, {', '.join(codes)}, {coded.escape}, {coded.channels}\n}};\n"
        if text not in self._coded:
            self._coded[text] = f"{self._model}_c_{owner}"
        return self._coded[text]

    def _code(self, owner: str, role: str, code: CodeTable) -> str:
        name = self._checked_table(owner, role, code.table)
        return f"{{{name}, {code.shortest}, {code.longest}, {code.symbols}}}"

    def _checked_table(self, owner: str, role: str, data: Array) -> str:
        name = self.add(owner, Table(role, data))
        if name not in self._checked:
            self._checked.append(name)
        return name

    def checked(self) -> list[tuple[str, Array]]:
        """The tables of coded weights, by their C names."""
        return [(name, self._arrays[name]) for name in self._checked]

    def add_params(self, owner: str, call: KernelCall) -> str:
        """The C name of a call's params struct, which may be that of the same call in an earlier function."""
        members = [f"/* {key} */ {literal(value)}" for key, value in call.params.items()]
        text = f"{{\n{wrap(members)}\n}};\n"
        same = self._earlier.get(f"{call.kernel} {text}")
        if same is not None:
            return same
        name = f"{self._model}_p_{owner}"
        self._params[name] = f"static const lichen_{call.kernel}_params {name} = {text}"
        self._new[f"{call.kernel} {text}"] = name
        return name

    def end_function(self) -> None:
        """From now on calls may share their params with those so far."""
        self._earlier |= self._new
        self._new = {}

    @property
    def bytes(self) -> int:
        """What the arrays take in flash."""
        return sum(array.nbytes for array in self._arrays.values())

    def text(self) -> str:
        """The header `<name>_weights.h`."""
        guard = f"{self._model.upper()}_WEIGHTS_H"
        arrays = [
            f"static const {C_TYPES[str(array.dtype)]} {name}[{array.size}] LICHEN_FLASH = {{\n{initialiser(array)}\n}};\n"
            for name, array in self._arrays.items()
        ]
        return "\n".join(
            [
                "/* Constants, packed in the order in which the kernels read them, and the shapes of each call. */",
                f"#ifndef {guard}\n#define {guard}\n",
                *arrays,
                *(f"static const lichen_coded {name}{text}" for text, name in self._coded.items()),
                *self._params.values(),
                "#endif\n",
            ]
        )
