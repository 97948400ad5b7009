"""The host's end of the link: a session with a running device, emulated or real."""

from lichen.device.link import Link, LinkCounters, RefusedError
from lichen.device.protocol import DeviceCounters, Info, Operation, Status
from lichen.device.session import Session
from lichen.device.transport import SerialTransport, Transport

__all__ = [
    "DeviceCounters",
    "Info",
    "Link",
    "LinkCounters",
    "Operation",
    "RefusedError",
    "SerialTransport",
    "Session",
    "Status",
    "Transport",
]
