"""Redistribution of the receptive field: less early, more later, as many multiplications."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lichen.errors import InputError
from lichen.nn.notation import Architecture, Block, Convolution, parse
from lichen.nn.zoo import MCUNET_VWW1, mobilenet_v2_architecture
from lichen.search.redistribute import redistribute


@st.composite
def networks(draw: st.DrawFn) -> Architecture:
    items: list[Convolution | Block] = [Convolution(3, 2, 8)]
    for _ in range(draw(st.integers(2, 8))):
        incoming = items[-1].channels
        kernel, expanded = draw(st.sampled_from([3, 5, 7])), incoming * draw(st.integers(1, 6))
        if draw(st.booleans()):
            items.append(Block(expanded, kernel, 1, incoming, residual=True))
        else:
            items.append(Block(expanded, kernel, draw(st.integers(1, 2)), 8 * draw(st.integers(1, 8))))
    return Architecture(tuple(items))


@settings(max_examples=60, deadline=None)
@given(networks(), st.integers(32, 160), st.data())
def test_every_proposal_keeps_what_it_promises(network: Architecture, resolution: int, data: st.DataObject) -> None:
    """First the network itself; then ever smaller first stages, equal multiplications, no smaller field, the same shapes between."""
    early = data.draw(st.integers(1, len(network.items) - 1))
    assume(any(isinstance(item, Block) for item in network.items[early:]))
    original, *others = redistribute(network, resolution, 10, early)
    assert original.architecture == network and original.early == early
    fields = [original.early_field, *(p.early_field for p in others)]
    assert fields == sorted(set(fields), reverse=True)
    for proposal in others:
        assert abs(proposal.macs - original.macs) <= 0.02 * original.macs
        assert proposal.macs == proposal.architecture.macs(resolution, 10)
        assert proposal.field >= original.field
        first, later = proposal.architecture.items[: proposal.early], proposal.architecture.items[proposal.early :]
        assert all(item.kernel <= 7 for item in later)
        assert first[-1].channels == network.items[early - 1].channels
        assert [i for i in first if i.stride > 1] != [] or network.items[0].stride == 1
        assert sum(i.stride > 1 for i in later) == sum(i.stride > 1 for i in network.items[early:])


def test_mobilenet_v2_begins_where_the_paper_does() -> None:
    """The first stage of MobileNetV2 at 224 sees the 75 pixels that MCUNetV2's paper states; redistributed it sees half."""
    original, *others = redistribute(mobilenet_v2_architecture(), 224, 1000)
    assert original.early_field == 75
    assert others[-1].early_field < 75 / 2
    assert all(0.98 * original.macs <= p.macs <= original.macs for p in others)


def test_steps_by_hand() -> None:
    """Kernels shrink first, the one that sees furthest before the others, then residual blocks go; what is saved goes later."""
    network = parse("k3s2c8 16k5s2c8 24k7c8r 24k3s2c16 48k3c16r 48k3c16r")
    original, *others = redistribute(network, 64, 2, early=4, tolerance=0.2)
    assert original.early_field == 1 + 2 + 4 * 2 + 6 * 4 + 2 * 4
    assert str(others[0].architecture).startswith("k3s2c8 16k5s2c8 24k5c8r 24k3s2c16 ")
    assert str(others[1].architecture).startswith("k3s2c8 16k5s2c8 24k3c8r 24k3s2c16 ")
    assert str(others[2].architecture).startswith("k3s2c8 16k3s2c8 24k3c8r 24k3s2c16 ")
    later = "48k5c16r 48k3c16r 48k3c16r 48k3c16r 48k3c16r"
    assert str(others[3].architecture) == f"k3s2c8 16k3s2c8 24k3s2c16 {later}"
    assert others[3].early == 3 and len(others) == 4


def test_mcunet_ends_with_the_smallest_kernels() -> None:
    """The strongest redistribution of a network with kernels of 7 has none above 3 in its first stage."""
    last = redistribute(MCUNET_VWW1, 80, 2)[-1]
    assert {item.kernel for item in last.architecture.items[: last.early]} == {3}


@pytest.mark.parametrize(("text", "early"), [("k3s2c8 16k3c8r", 2), ("k3s2c8 16k3c8r k1c32", 2), ("k3s2c8 16k3c8r", 0)])
def test_nowhere_to_go_is_refused(text: str, early: int) -> None:
    """A first stage of nothing, or with no block behind it, is an `InputError`."""
    with pytest.raises(InputError, match="first stage"):
        redistribute(parse(text), 32, 2, early)
