"""The text form, read: a tokeniser and a recursive-descent parser. Text is untrusted; every error is an `InputError` with its line."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from typing import NoReturn, TypeVar

import numpy as np

from lichen.errors import InputError, VerifyError
from lichen.ir.module import Array, Attribute, Constant, Function, Module, Operation, State, Value
from lichen.ir.types import DType, Quantisation, TensorType
from lichen.ir.verify import verify

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+|\#[^\n]*)
      |(?P<string>"[^"\n]*")
      |(?P<float>-?\d+(?:\.\d+(?:[eE][+-]?\d+)?|[eE][+-]?\d+))
      |(?P<int>-?\d+)
      |(?P<symbol>[%@$][A-Za-z_][A-Za-z0-9_]*)
      |(?P<word>[A-Za-z_][A-Za-z0-9_]*)
      |(?P<mark>[{}()\[\],:=])""",
    re.VERBOSE,
)

T = TypeVar("T")


def parse_module(text: str) -> Module:
    """Reads and verifies a module. Raises `InputError` with the line number, `VerifyError` for a module that is not well formed."""
    module = _Parser(text).module()
    verify(module)
    return module


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0
        self._kind, self._token = "", ""
        self._globals: dict[str, Value] = {}
        self._locals: dict[str, Value] = {}
        self._advance()

    # --- grammar, top down

    def module(self) -> Module:
        self._expect("module")
        module = Module(self._take("word"))
        self._expect("{")
        while self._token in ("const", "state"):
            self._global()
        while self._token == "func":
            function = self._function()
            if function.name in module.functions:
                self._fail(f"function {function.name} is defined twice")
            module.functions[function.name] = function
        self._expect("}")
        if self._kind != "end":
            self._fail("text after the end of the module")
        if not module.functions:
            self._fail("the module has no function")
        return module

    def _global(self) -> None:
        is_state = self._take("word") == "state"
        symbol = self._take("symbol")
        if symbol[0] != ("$" if is_state else "@") or symbol in self._globals:
            self._fail(f"{symbol} is not a new {'state' if is_state else 'constant'}")
        self._expect(":")
        type_ = self._type()
        self._expect("=")
        data = self._data(type_)
        self._globals[symbol] = State(symbol[1:], type_, data) if is_state else Constant(symbol[1:], type_, data)

    def _function(self) -> Function:
        self._expect("func")
        function = Function(self._take("word"), [], [], [])
        self._locals = {}
        self._expect("(")
        if self._token != ")":
            function.inputs = self._list(self._input)
        self._expect(")")
        self._expect("{")
        while self._token != "return":
            function.operations.append(self._operation())
        self._expect("return")
        function.outputs = self._list(self._use)
        self._expect("}")
        return function

    def _input(self) -> Value:
        symbol = self._take("symbol")
        self._expect(":")
        return self._define(symbol, self._type())

    def _operation(self) -> Operation:
        names: list[str] = []
        if self._kind == "symbol":
            names = self._list(lambda: self._take("symbol"))
            self._expect("=")
        kind = self._take("word")
        self._expect("(")
        operands = self._list(self._use) if self._token != ")" else []
        self._expect(")")
        attributes: dict[str, Attribute] = {}
        if self._token == "{":
            self._expect("{")
            for key, value in self._list(lambda: (self._key(), self._attribute())):
                if key in attributes:
                    self._fail(f"attribute {key} is given twice")
                attributes[key] = value
            self._expect("}")
        types: list[TensorType] = []
        if names:
            self._expect(":")
            types = self._list(self._type)
        if len(types) != len(names):
            self._fail(f"{len(names)} results have {len(types)} types")
        results = [self._define(name, type_) for name, type_ in zip(names, types, strict=True)]
        return Operation(kind, operands, results, attributes)

    def _type(self) -> TensorType:
        name = self._take("word")
        if name not in {d.value for d in DType}:
            self._fail(f"'{name}' is not an element type")
        self._expect("[")
        shape = self._list(self._int) if self._token != "]" else []
        self._expect("]")
        return self._checked(lambda: TensorType(tuple(shape), DType(name), self._quantisation()))

    def _quantisation(self) -> Quantisation | None:
        if self._token != "{":
            return None
        self._expect("{")
        fields = dict(self._list(lambda: (self._key(), self._attribute())))
        self._expect("}")
        scale, zero, axis = fields.get("scale"), fields.get("zero"), fields.get("axis")
        if isinstance(scale, tuple) and isinstance(zero, tuple) and isinstance(axis, int):
            if all(isinstance(z, int) for z in zero):
                return Quantisation(tuple(map(float, scale)), tuple(map(int, zero)), axis)
        elif isinstance(scale, float) and isinstance(zero, int) and axis is None:
            return Quantisation.per_tensor(scale, zero)
        self._fail("a quantisation is {scale = 0.5, zero = 0} or {scale = (…), zero = (…), axis = 0}")

    def _data(self, type_: TensorType) -> Array:
        splat = self._token == "splat"
        if splat:
            self._expect("splat")
        try:
            raw = base64.b64decode(self._take("string")[1:-1], validate=True)
        except binascii.Error:
            self._fail("data is not base64")
        if len(raw) != (type_.dtype.size if splat else type_.bytes):
            self._fail(f"{len(raw)} bytes of data do not fill a tensor of {type_.bytes}")
        if type_.dtype is DType.BOOL and set(raw) - {0, 1}:
            self._fail("a boolean is neither 0 nor 1")
        data = np.frombuffer(raw * type_.elements if splat else raw, type_.dtype.numpy.newbyteorder("<"))
        array = data.astype(type_.dtype.numpy).reshape(type_.shape)
        array.setflags(write=False)
        return array

    def _attribute(self) -> Attribute:
        if self._token == "(":
            self._expect("(")
            values = self._list(self._number) if self._token != ")" else []
            self._expect(")")
            return tuple(values)
        if self._kind == "string":
            return self._take("string")[1:-1]
        if self._token in ("true", "false"):
            return self._take("word") == "true"
        return self._number()

    def _number(self) -> int | float:
        return self._int() if self._kind == "int" else float(self._take("float"))

    def _int(self) -> int:
        digits = self._take("int")
        if len(digits) > 20:
            self._fail("a number is too long")
        return int(digits)

    def _key(self) -> str:
        key = self._take("word")
        self._expect("=")
        return key

    # --- names

    def _define(self, symbol: str, type_: TensorType) -> Value:
        if symbol[0] != "%" or symbol in self._locals:
            self._fail(f"{symbol} is not a new value")
        value = self._locals[symbol] = Value(symbol[1:], type_)
        return value

    def _use(self) -> Value:
        symbol = self._take("symbol")
        value = (self._locals if symbol[0] == "%" else self._globals).get(symbol)
        if value is None:
            self._fail(f"{symbol} is not defined")
        return value

    # --- tokens

    def _advance(self) -> None:
        while True:
            if self._position == len(self._text):
                self._kind, self._token = "end", "end of text"
                return
            match = _TOKEN.match(self._text, self._position)
            if match is None:
                self._fail(f"unexpected character {self._text[self._position]!r}")
            self._position = match.end()
            if match.lastgroup != "space":
                self._kind, self._token = match.lastgroup or "", match.group()
                return

    def _take(self, kind: str) -> str:
        if self._kind != kind:
            self._fail(f"expected a {kind}, found '{self._token[:40]}'")
        token = self._token
        self._advance()
        return token

    def _expect(self, token: str) -> None:
        if self._token != token:
            self._fail(f"expected '{token}', found '{self._token[:40]}'")
        self._advance()

    def _list(self, item: Callable[[], T]) -> list[T]:
        items = [item()]
        while self._token == ",":
            self._advance()
            items.append(item())
        return items

    def _checked(self, make: Callable[[], T]) -> T:
        try:
            return make()
        except VerifyError as error:
            self._fail(str(error))

    def _fail(self, message: str) -> NoReturn:
        line = self._text.count("\n", 0, self._position) + 1
        raise InputError(f"line {line}: {message}")
