"""The operators that learning uses: native C equals the interpreter."""

from __future__ import annotations

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from gradient_strategies import EVERY
from lichen.ir.module import Module
from native_check import assert_native_equals_interpreter


@pytest.mark.parametrize("kind", sorted(EVERY))
@settings(max_examples=1, deadline=None, phases=[Phase.generate])
@given(data=st.data())
def test_native_code_equals_the_interpreter(kind: str, data: st.DataObject) -> None:
    """Twelve modules of each operator, three samples each, so that state runs on."""
    modules: list[Module] = [data.draw(EVERY[kind]) for _ in range(12)]
    assert_native_equals_interpreter(modules, rtol=1e-4, atol=1e-5)
