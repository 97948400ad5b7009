"""What is trainable, as users write it."""

from __future__ import annotations

import pytest

from lichen.errors import InputError
from lichen.learning.choice import All, Biases, Head, Last, OnlineLayer, Sleep, parse_choice


def test_every_form() -> None:
    """Each form and each field of a head."""
    assert parse_choice("all") == All()
    assert parse_choice("biases") == Biases()
    assert parse_choice("last:2") == Last(2)
    assert parse_choice("head:classes=8") == OnlineLayer(Head(8))
    text = "head:classes=8,inputs=embedding+error,labels=0+7,forgetting=0.01,good_enough=0.2"
    head = Head(8, ("embedding", "error"))
    assert parse_choice(text) == OnlineLayer(head, labels=(0, 7), forgetting=0.01, sleep=Sleep(0.2))


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "some",
            "all:1",
            "last",
            "last:",
            "last:0",
            "last:-1",
            "last:²",
            "last:1234567",
            "head",
            "head:classes=0",
        ),
        *("head:classes=2,colour=red", "head:classes=2,labels=x", "head:classes=2,forgetting=x"),
        *("head:classes=2,good_enough=nan", "head:classes=2,labels=-1"),
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    """One sentence that lists the forms."""
    with pytest.raises(InputError, match="write all, biases, last:K or head:classes=N"):
        parse_choice(text)
