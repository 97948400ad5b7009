"""Firmware of the toy model on a cycle-accurate ATmega328P."""

from __future__ import annotations

import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import lichen
from graphs import conv_module, random_array
from lichen.device import Operation, Session
from lichen.device.connect import connect
from lichen.device.frame import Frame, FrameReader, encode
from lichen.errors import DeviceError, MissingToolError
from lichen.ir.interpret import Interpreter
from lichen.targets.board import load_board
from lichen.targets.build import Mark, Source, build_firmware, build_image
from lichen.targets.folder import ModelFolder
from lichen.targets.simavr import Count, Simavr

TOY = Path(__file__).parents[1] / "device/toy"
SOURCE = Path(lichen.__file__).parent
X = np.arange(600).astype(np.uint8)
K = np.array([3, 5, 7], np.uint8)


@pytest.fixture(autouse=True)
def tools(needs: Callable[..., None]) -> None:
    """All tests here build for an AVR, and the runner for the host."""
    needs("cc", "avr-gcc", "simavr")


def firmware(mark: Mark = Mark.NONE, extra: str = "", by_rows: bool = False) -> Path:
    """The toy firmware for the Uno; `extra` is a statement in its first kernel call, which with `by_rows` asks for rows, too."""
    runtime = SOURCE / "backend/runtime"
    glue = "#define TOY_ROWS\n" if by_rows else ""
    glue += (f"#define TOY_EXTRA {extra}\n" if extra else "") + f'#include "{TOY}/model.h"\n'
    sources = [Source(runtime / "main.c", ("-Os", *mark.value))]
    if mark is Mark.PROFILE:
        sources.append(Source(SOURCE / "targets/firmware/lichen_mark.c"))
    return build_image(sources, load_board("uno"), [runtime, SOURCE / "backend/kernels"], {"model.h": glue}).elf


def test_inferences() -> None:
    """Tensors go and come over the emulated UART; the stack is measured; nothing is lost on the way."""
    with Session(Simavr(firmware())) as session:
        assert (session.info.name, session.info.max_payload) == ("toy", 64)
        for count in range(1, 21):
            y, n = session.infer([X + np.uint8(count), K])
            np.testing.assert_array_equal(y, ((X + np.uint8(count) + K[0]) * K[1]) ^ K[2])
            assert n.tobytes() == struct.pack("<I", count)
        assert 16 < session.stack_used() < 256
        counters = session.counters()
        assert (counters.damaged, counters.oversized, session.link.counters.damaged) == (0, 0, 0)


def test_stops_between_kernel_calls() -> None:
    """A validating build shows its arena in front of each kernel call."""
    with Session(Simavr(firmware(Mark.VALIDATE))) as session:
        for k, stage in enumerate([X, X + K[0], (X + K[0]) * K[1], ((X + K[0]) * K[1]) ^ K[2]]):
            session.write_inputs([X, K])
            session.run_until(k)
            assert session.read_arena(0, 600) == stage.tobytes()


def first_inference(elf: Path) -> tuple[Count, tuple[Count, ...]]:
    simavr = Simavr(elf)
    with Session(simavr) as session:
        session.infer([X, K])
        session.infer([X, K])
    return Count(simavr.first_inference.cycles, simavr.first_inference.instructions), simavr.first_inference.ops


NOPS = '__asm__ volatile(".rept {}\\n\\tnop\\n\\t.endr")'
LOOP = '__asm__ volatile("ldi r18, {}\\n1:\\tdec r18\\n\\tbrne 1b" ::: "r18")'


@pytest.mark.parametrize(
    ("extra", "cycles", "instructions"), [(NOPS, 100, 100), (LOOP, 300, 200)], ids=["nops", "loop"]
)
def test_cycles_are_the_data_sheets(extra: str, cycles: int, instructions: int) -> None:
    """A hundred times more of an instruction adds what its data sheet says (NOP 1 cycle, DEC 1, BRNE 2 when it branches), exactly.

    It adds it to the inference, and in a profiled build to the operator it is in and to no other.
    """
    short, long = (first_inference(firmware(extra=extra.format(count)))[0] for count in (100, 200))
    assert (long.cycles - short.cycles, long.instructions - short.instructions) == (cycles, instructions)

    short_ops, long_ops = (first_inference(firmware(Mark.PROFILE, extra.format(count)))[1] for count in (100, 200))
    assert len(short_ops) == 3
    assert long_ops[0] == Count(short_ops[0].cycles + cycles, short_ops[0].instructions + instructions)
    assert long_ops[1:] == short_ops[1:]


def test_operators_add_up() -> None:
    """The operators are most of the inference, and each takes a few cycles a byte."""
    total, ops = first_inference(firmware(Mark.PROFILE))
    assert 0.9 * total.cycles < sum(op.cycles for op in ops) < total.cycles
    assert all(600 * 4 < op.cycles < 600 * 40 for op in ops)


def talk_between_rows(session: Session, requests: int) -> None:
    """Lets the session make so many requests more before each row."""
    wanted = session._wanted

    def slowly() -> tuple[int, int] | None:
        for _ in range(requests):
            session.counters()
        return wanted()

    session._wanted = slowly  # type: ignore[method-assign]


def test_waiting_for_rows_is_not_counted() -> None:
    """A host that takes its time, and talks to the device meanwhile, makes an inference and its operators no longer."""
    elf, counts = firmware(Mark.PROFILE, by_rows=True), []
    for requests in (0, 5):
        simavr = Simavr(elf)
        with Session(simavr) as session:
            talk_between_rows(session, requests)
            y, _ = session.infer([X, K])
            np.testing.assert_array_equal(y, ((X + K[0]) * K[1]) ^ K[2])
        counts.append(simavr.first_inference)
    assert counts[0] == counts[1]
    assert 0.9 * counts[0].cycles < sum(op.cycles for op in counts[0].ops) < counts[0].cycles
    assert counts[0].ops[0].cycles < 2 * counts[0].ops[1].cycles


@pytest.mark.parametrize("by_rows", [False, True])
def test_generated_model_is_the_interpreters(compile_model: Callable[..., ModelFolder], by_rows: bool) -> None:
    """A compiled convolution gives on the AVR the bytes of the interpreter, and its one kernel call is the profile."""
    model = compile_model("uno", by_rows=by_rows)
    interpreter = Interpreter(conv_module())
    with connect(model, build_firmware(model, load_board("uno"))) as session:
        for seed in range(8):
            x = random_array(interpreter.function.inputs[0].type, seed)
            np.testing.assert_array_equal(session.infer([x])[0], interpreter.run([x])[0])
    simavr = Simavr(build_firmware(model, load_board("uno"), Mark.PROFILE).elf)
    with Session(simavr, model.manifest) as session:
        session.infer([x])
    (op,) = simavr.first_inference.ops
    assert 0.9 * simavr.first_inference.cycles < op.cycles < simavr.first_inference.cycles


def test_no_inference_yet() -> None:
    """Asking for cycles before there was an inference is an error; a refused inference is none."""
    with Simavr(firmware()) as simavr:
        session = Session(simavr)
        with pytest.raises(DeviceError):
            session.link.request(Operation.INFER)
        with pytest.raises(DeviceError, match="has not finished an inference"):
            _ = simavr.first_inference


def test_flow_control() -> None:
    """A hundred requests in one write, many times what the emulated UART buffers, are all answered in order."""
    with Simavr(firmware()) as simavr:
        requests = [Frame(0, Operation.INFO)]
        requests += [Frame(i, Operation.WRITE_INPUT, struct.pack("<BI", 0, 0) + bytes([i]) * 59) for i in range(1, 101)]
        simavr.write(b"".join(encode(frame) for frame in requests))
        reader, answers = FrameReader(), []
        while len(answers) < 101:
            data = simavr.read(20)
            assert data
            answers += reader.feed(data)
        assert [(answer.sequence, answer.code) for answer in answers] == [(i, 0) for i in range(101)]


def test_damage_is_dropped() -> None:
    """Noise and an endless frame on the line leave the device working, and counted."""
    with Session(Simavr(firmware())) as session:
        before = session.counters()
        session.link.transport.write(b"\x03noise\0" + b"\x55" * 5000 + b"\0")
        after = session.counters()
        assert (after.damaged - before.damaged, after.oversized - before.oversized) == (1, 1)
        assert session.infer([X, K])[1].tobytes() == struct.pack("<I", 1)


def test_endless_inference_is_given_up() -> None:
    """A firmware that hangs is given up at the deadline, and its process with it."""
    simavr = Simavr(firmware(extra="for (volatile uint8_t i = 1; i;) (void)0"))
    with pytest.raises(DeviceError, match="has not answered INFER"), Session(simavr, inference_deadline=0.5) as session:
        session.infer([X, K])
    assert simavr.exit_code is not None


def test_crash_is_told() -> None:
    """A firmware that runs into nowhere ends the emulation with a sentence."""
    with Simavr(firmware(extra="((void (*)(void))0x3ffe)()")) as simavr:
        session = Session(simavr)
        with pytest.raises(DeviceError, match="simavr ended with exit code 1: the firmware has crashed"):
            session.infer([X, K])


def test_not_a_firmware(tmp_path: Path) -> None:
    """A file that is no image, or has no marks, is refused before anything runs."""
    file = tmp_path / "no.elf"
    with pytest.raises(DeviceError, match="is not a firmware image"):
        Simavr(file)
    file.write_bytes(b"\x7fELF, it says")
    with pytest.raises(DeviceError, match="is not a firmware image"):
        Simavr(file)
    shutil.copy(shutil.which("true") or "/bin/true", file)
    with pytest.raises(DeviceError, match="has no function lichen_mark_begin"):
        Simavr(file)


def test_missing_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without libsimavr's header the error is the line that installs it, and nothing is left in the cache."""
    elf = firmware()
    cc = tmp_path / "cc"
    cc.write_text(
        '#!/bin/sh\necho "runner.c:31:10: fatal error: simavr/avr_uart.h: No such file or directory" >&2\nexit 1\n'
    )
    cc.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("LICHEN_CACHE", str(tmp_path / "cache"))
    with pytest.raises(MissingToolError, match=r"sudo apt-get install .*libsimavr-dev"):
        Simavr(elf)
    assert list((tmp_path / "cache/build").iterdir()) == []
