"""Concatenations without copies: which are made so, that results stay the same, and that memory is never paid for it."""

from __future__ import annotations

import pytest

import lichen.ops  # noqa: F401  registers the operators
from lichen.backend.program import PlannedFunction, plan_function
from lichen.ir.kernel import PLAIN
from lichen.ir.module import Module
from lichen.ir.parse import parse_module
from lichen.plan.lower import problem_of
from lichen.plan.planner import make_plan
from native_check import assert_native_equals_interpreter


def module_of(body: str, inputs: str = "%x : f32[1, 6]") -> Module:
    """A module of one function."""
    return parse_module(f"module joins {{\n  func infer({inputs}) {{\n{body}\n  }}\n}}\n")


def planned(module: Module) -> PlannedFunction:
    """Its plan."""
    return plan_function(module.infer, PLAIN)


def kinds(function: PlannedFunction) -> list[str]:
    """The calls there are, in order."""
    return [step.kind for step in function.steps]


def assert_same(module: Module) -> None:
    """C under sanitizers with a poisoned arena gives what the interpreter gives."""
    assert_native_equals_interpreter([module])


def test_parts_are_computed_where_they_stand() -> None:
    """Three parts, one of them through a view: no copy, neighbours in the arena, the same results."""
    module = module_of(
        """
        %a = tanh(%x) : f32[1, 6]
        %b = relu(%x) : f32[1, 6]
        %c = logistic(%x) : f32[1, 6]
        %v = reshape(%c) : f32[1, 6]
        %y = concat(%a, %b, %v) {axis = 1} : f32[1, 18]
        %z = tanh(%y) : f32[1, 18]
        return %z, %x"""
    )
    function = planned(module)
    assert "concat" not in kinds(function)
    places = {value.name: offset for value, offset in function.offsets.items()}
    assert [places[name] - places["y"] for name in ("a", "b", "c", "v")] == [0, 24, 48, 48]
    assert_same(module)


def test_concatenations_of_concatenations() -> None:
    """The inner one lies in the outer one, and a part that is an output as well is found there."""
    module = module_of(
        """
        %a = tanh(%x) : f32[1, 6]
        %b = relu(%x) : f32[1, 6]
        %i = concat(%a, %b) {axis = 1} : f32[1, 12]
        %c = logistic(%x) : f32[1, 6]
        %y = concat(%c, %i) {axis = 1} : f32[1, 18]
        return %y, %b"""
    )
    function = planned(module)
    assert "concat" not in kinds(function)
    places = {value.name: offset for value, offset in function.offsets.items()}
    assert (places["i"] - places["y"], places["b"] - places["y"]) == (24, 48)
    assert_same(module)


@pytest.mark.parametrize(
    "body",
    [
        "%y = concat(%x, %x) {axis = 1} : f32[1, 12]\nreturn %y",
        "%a = tanh(%x) : f32[1, 6]\n%y = concat(%a, %a) {axis = 1} : f32[1, 12]\nreturn %y",
        "%a = tanh(%x) : f32[1, 6]\n%y = concat(%x, %a) {axis = 1} : f32[1, 12]\nreturn %y",
        "%a, %b = split(%x) {axis = 1} : f32[1, 3], f32[1, 3]\n%y = concat(%b, %a) {axis = 1} : f32[1, 6]\nreturn %y",
        "%a = tanh(%x) : f32[1, 6]\n%b = relu(%a) : f32[1, 6]\n%y = concat(%a, %b) {axis = 1} : f32[1, 12]\nreturn %y",
        "%a = tanh(%x) : f32[1, 6]\n%m = reshape(%a) : f32[2, 3]\n%b = relu(%x) : f32[1, 6]\n%n = reshape(%b) : f32[2, 3]\n"
        "%y = concat(%m, %n) {axis = 1} : f32[2, 6]\nreturn %y",
    ],
    ids=["inputs", "the same twice", "an input", "of one operation", "one from the other", "not contiguous"],
)
def test_what_has_to_be_copied_is(body: str) -> None:
    """Given values, one value twice, a part computed from another, parts that do not lie one after the other."""
    module = module_of(body)
    assert kinds(planned(module)).count("concat") == 1
    assert_same(module)


def test_memory_is_not_paid_for_it() -> None:
    """A small part that would keep the place of the whole while a large detour is taken is copied at the end."""
    module = module_of(
        """
        %a = tanh(%x) : f32[1, 6]
        %w = concat(%x, %x, %x, %x, %x, %x, %x, %x) {axis = 1} : f32[1, 48]
        %d = tanh(%w) : f32[1, 48]
        %e = concat(%d, %w) {axis = 1} : f32[1, 96]
        %s = strided_slice(%e) {begin = (0, 7), end = (1, 55), strides = (1, 1)} : f32[1, 48]
        %y = concat(%s, %a) {axis = 1} : f32[1, 54]
        return %y"""
    )
    apart, _ = problem_of(module.infer, PLAIN)
    together, _ = problem_of(module.infer, PLAIN, joins=True)
    assert len(together.steps) < len(apart.steps)
    assert planned(module).plan.peak == min(make_plan(apart).peak, make_plan(together).peak)
    assert_same(module)
