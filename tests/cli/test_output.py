"""What people read: tables and remarks show every letter they were given."""

import json

import pytest

from lichen.cli.output import messages, print_json, print_table

INSTALL = "pip install 'lichen[torch,data]'"


def test_tables_show_brackets(capsys: pytest.CaptureFixture[str]) -> None:
    """The line that installs an extra is printed as it must be typed."""
    print_table("Tools [all]", ["tool", "to install"], [["torch", INSTALL], ["cc", None]])
    printed = capsys.readouterr().out
    assert INSTALL in printed
    assert printed.startswith("Tools [all]\n")
    assert "–" in printed


def test_a_title_longer_than_its_table_stays_whole(capsys: pytest.CaptureFixture[str]) -> None:
    """It stands over the table and is not broken where the table ends."""
    title = "a title of many words " * 10
    print_table(title, ["x"], [[1_000]])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].strip() == title.strip()
    assert any("1,000" in line for line in lines)


def test_remarks_are_single_lines_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    """However long: commands in them are to be copied."""
    remark = f"not measured: {'a compiler ' * 20} is not installed; install it with: {INSTALL}"
    messages.print(remark)
    assert capsys.readouterr() == ("", remark + "\n")


def test_an_answer_is_one_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    """On standard output, and nothing else there."""
    print_json({"fits": None, "ops": []})
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {"fits": None, "ops": []}
    assert captured.err == ""
