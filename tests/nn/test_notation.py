"""The notation of inverted residuals: read, written, refused, and the multiplications it stands for."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lichen.errors import InputError
from lichen.nn.notation import Architecture, Block, Convolution, parse

kernels, strides, channels = st.sampled_from([1, 3, 5, 7]), st.integers(1, 3), st.integers(1, 2000)


@st.composite
def architectures(draw: st.DrawFn) -> Architecture:
    incoming = inputs = draw(st.integers(1, 4))
    items: list[Convolution | Block] = []
    for _ in range(draw(st.integers(1, 6))):
        kernel, stride, outgoing = draw(kernels), draw(strides), draw(channels)
        if draw(st.booleans()):
            items.append(Convolution(kernel, stride, outgoing))
        elif draw(st.booleans()):
            items.append(Block(draw(channels), kernel, 1, incoming, residual=True))
        else:
            items.append(Block(draw(channels), kernel, stride, outgoing))
        incoming = items[-1].channels
    return Architecture(tuple(items), inputs)


@given(architectures())
def test_what_is_written_is_read_back(architecture: Architecture) -> None:
    """`parse` of `str` is the same network."""
    assert parse(str(architecture), architecture.inputs) == architecture


def test_items_mean_what_the_field_writes() -> None:
    """Expanded channels, kernel, stride, output channels, residual; and a convolution where nothing is expanded."""
    read = parse("k3s2c16 16k3c8 48k7s2c24 144k5c24r")
    assert read.items == (
        Convolution(3, 2, 16),
        Block(16, 3, 1, 8),
        Block(48, 7, 2, 24),
        Block(144, 5, 1, 24, residual=True),
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "at least one item"),
        ("k3s2c16 48k3", "item 2, 48k3, is neither"),
        ("48k3s2c16rr", "item 1"),
        ("48K3c16", "item 1"),
        ("48k3c1٣", "item 1"),
        ("k3s2c16r", "only a block has a residual"),
        ("k4c16", "even kernel"),
        ("k3s0c16", "zero"),
        ("0k3c16", "zero"),
        ("k3c0", "zero"),
        ("k3c16 48k3s2c16r", "stride 1"),
        ("k3c16 48k3c24r", "16 channels"),
        ("k3c999999", "item 1"),
    ],
)
def test_damaged_notation_is_refused_in_a_sentence(text: str, says: str) -> None:
    """What cannot be a network is an `InputError` that names the item."""
    with pytest.raises(InputError, match=says):
        parse(text)


@given(st.text(alphabet="0123456789kscr ", max_size=20))
def test_any_text_is_read_or_refused(text: str) -> None:
    """There is no text that raises anything but `InputError`."""
    with contextlib.suppress(InputError):
        parse(text)


def test_multiplications_by_hand() -> None:
    """A stem, a block without expansion and one with, on 8x8: counted with pencil and paper."""
    macs = parse("k3s2c4 4k3c6 12k5s2c6").macs(8, classes=3)
    stem = 4 * 4 * 4 * 9 * 3
    first = 4 * 4 * 4 * 9 + 4 * 4 * 6 * 4
    second = 4 * 4 * 12 * 6 + 2 * 2 * 12 * 25 + 2 * 2 * 6 * 12
    assert macs == stem + first + second + 6 * 3


def test_receptive_field_by_hand() -> None:
    """Each kernel adds its reach times the strides before it; 1x1 layers add nothing."""
    network = parse("k3s2c4 12k5c4r 12k3s2c6 k1c8 18k7c8")
    fields = [1 + 2, 3 + 4 * 2, 11 + 2 * 2, 15, 15 + 6 * 4]
    assert [network.receptive_field(items) for items in range(1, 6)] == fields
    assert network.receptive_field() == fields[-1]
