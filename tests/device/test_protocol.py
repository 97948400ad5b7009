"""The Python twin of the protocol's header."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import lichen
from lichen.backend.state import StateStatus
from lichen.device import protocol
from lichen.device.protocol import REASONS, Info, Operation, Status, state_status
from lichen.errors import DeviceError

HEADER = (Path(lichen.__file__).parent / "backend/runtime/lichen_protocol.h").read_text()


def test_header_and_twin_agree() -> None:
    """Every operation, status and feature has the same number in C and in Python, and neither side has one more."""
    in_c = {name: int(value, 0) for name, value in re.findall(r"^\s*LICHEN_(\w+) = (\w+)", HEADER, re.MULTILINE)}
    in_python = {member.name: int(member) for member in (*Operation, *Status)}
    features = {name: value for name, value in vars(protocol).items() if name.startswith("FEATURE_")}
    assert in_c == in_python | features
    assert f"#define LICHEN_PROTOCOL_VERSION {protocol.VERSION}\n" in HEADER


def test_statuses_of_state_are_those_of_the_blob() -> None:
    """What can be wrong with a blob has a status of its own on the link, in the order in which C gives them out."""
    of_link = [state_status(status) for status in range(256)]
    assert [status for status in of_link if status is not None] == [s for s in StateStatus if s != StateStatus.OK]
    assert state_status(Status.NOTHING_SAVED) == StateStatus.NOTHING_SAVED
    assert state_status(Status.STORAGE_FAILED) == StateStatus.STORAGE_FAILED


def test_every_refusal_has_a_sentence() -> None:
    """No status but OK reaches a user without a reason."""
    assert set(REASONS) == set(Status) - {Status.OK}


@pytest.mark.parametrize("payload", [b"", b"\x02" + bytes(40), b"\x01\x00\x40"])
def test_other_version_is_named(payload: bytes) -> None:
    """A device that speaks another version, or not enough, is told apart in one sentence."""
    with pytest.raises(DeviceError, match="rebuild its firmware"):
        Info.parse(payload)
