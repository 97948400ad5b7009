"""What a picture shows, as data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import pytest


@pytest.fixture
def record(monkeypatch: pytest.MonkeyPatch) -> Callable[[ModuleType], list[Any]]:
    """`record(module)`: the panels of the next picture that `module` draws, filled once it is drawn."""

    def install(module: ModuleType) -> list[Any]:
        panels: list[Any] = []
        original = module.picture

        @contextmanager
        def picture(*arguments: Any, **options: Any) -> Iterator[list[Any]]:
            with original(*arguments, **options) as drawn:
                panels.extend(drawn)
                yield drawn

        monkeypatch.setattr(module, "picture", picture)
        return panels

    return install
