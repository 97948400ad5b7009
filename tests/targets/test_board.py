from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lichen.errors import InputError
from lichen.targets.board import Board, all_boards, board_names, load_board, parse_board
from lichen.targets.core import PROCESSORS
from lichen.targets.machine import MACHINES, machine_of

GOOD = """
title = "A board"
core = "cortex-m4f"
clock_hz = 64_000_000
ram = 1024
flash = 4096
[emulator]
kind = "qemu"
machine = "mps2-an386"
"""


def test_the_boards_of_the_design_are_known() -> None:
    """The names that scripts rely on exist."""
    known = {"uno", "nano33ble", "nucleo-f411re", "stm32f746-disco", "pico", "mps2-an386"}
    assert known <= set(board_names())
    assert [board.name for board in all_boards()] == sorted(board_names())


@pytest.mark.parametrize("board", all_boards(), ids=lambda board: board.name)
def test_every_board_has_a_machine_that_executes_its_code_and_holds_its_memories(board: Board) -> None:
    """The machine's core has all instructions of the board's core, and at least its RAM and flash."""
    machine = machine_of(board)
    core = PROCESSORS[machine.core].core
    assert board.core.features - {"v6m"} <= core.features  # a later core has what those lack
    assert (board.core.name, core.name) in {(core.name, core.name), ("cortex-m0plus", "cortex-m3")}
    assert board.ram <= machine.ram.bytes
    assert board.flash <= machine.flash.bytes


@pytest.mark.parametrize(
    ("typed", "meant"), [("nano33", "nano33ble"), ("UNO", "uno"), ("nucleo_f411re", "nucleo-f411re")]
)
def test_an_unknown_board_is_answered_with_the_nearest_and_all_known_ones(typed: str, meant: str) -> None:
    """The sentence says what the user probably meant, and what there is."""
    with pytest.raises(InputError, match=f"did you mean {meant}") as caught:
        load_board(typed)
    assert all(name in str(caught.value) for name in board_names())


def test_a_board_that_is_like_no_other_gets_no_guess() -> None:
    """No wild guesses, and a path is just an unknown name."""
    for name in ("", "../boards/uno", "esp32-wroom-devkit"):
        with pytest.raises(InputError, match="unknown board"):
            load_board(name)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("core = ", "kore = ", "'core' is missing"),
        ("cortex-m4f", "cortex-m99", "unknown core 'cortex-m99'"),
        ("ram = 1024", "ram = -1", "'ram' is missing or not a number"),
        ("ram = 1024", "ram = true", "'ram' is missing or not a number"),
        ("ram = 1024", "ram = '1 KB'", "'ram' is missing or not a number"),
        ("flash = 4096", "flash = 4096\nrom = 3", "unknown key 'rom'"),
        ('kind = "qemu"', 'kind = "bochs"', "unknown emulator 'bochs'"),
        ("[emulator]", "[[emulator]]", "'emulator' is not a table"),
        ('title = "A board"', "title =", "board.toml"),
    ],
)
def test_a_faulty_board_file_is_named_with_its_fault(old: str, new: str, complaint: str) -> None:
    """Whoever adds a board is told which file and key are wrong."""
    assert parse_board("x", GOOD, "board.toml").emulator is not None
    with pytest.raises(InputError, match=complaint) as caught:
        parse_board("x", GOOD.replace(old, new), "board.toml")
    assert "board.toml" in str(caught.value)


@given(st.text(max_size=200) | st.integers(0, len(GOOD)).map(lambda cut: GOOD[:cut] + GOOD[cut + 1 :]))
def test_no_board_file_raises_anything_but_an_input_error(text: str) -> None:
    """A damaged file is either still a board or an `InputError`."""
    try:
        board = parse_board("x", text, "board.toml")
    except InputError:
        return
    assert board.core.name in PROCESSORS


def test_a_board_larger_than_its_machine_is_refused() -> None:
    """Linking against sizes that the machine does not have would promise what cannot be run."""
    board = parse_board("x", GOOD.replace("ram = 1024", f"ram = {MACHINES['mps2-an386'].ram.bytes + 1}"), "board.toml")
    with pytest.raises(InputError, match="more RAM or flash than its machine"):
        machine_of(board)
