"""The command line: one file per verb. `main` is the program `lichen`."""

from __future__ import annotations

import signal
import sys
import warnings
from types import FrameType
from typing import Any

from lichen.errors import LichenError


def main() -> None:
    """Runs the command line. Exit code 0: good; 1: the answer is no; 2: bad usage or bad input, with one sentence."""
    import typer

    from lichen.cli.app import app

    warnings.showwarning = _show_warning
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # nohup has it ignored
            signal.signal(number, _end)
    UsageError: Any = typer.BadParameter.__base__  # typer does not export it
    try:
        sys.exit(app(prog_name="lichen", standalone_mode=False))
    except UsageError as error:
        command = error.ctx.command_path if error.ctx is not None else "lichen"
        if message := error.format_message():  # empty where the help has just been shown
            print(f"lichen: {message} See: {command} --help", file=sys.stderr)
        sys.exit(2)
    except LichenError as error:
        print(f"lichen: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(error.exit_code)
    except OSError as error:  # a full disk, a folder that may not be written
        what = error.strerror or str(error)
        print(f"lichen: {error.filename}: {what}" if error.filename else f"lichen: {what}", file=sys.stderr)
        sys.exit(2)
    except (KeyboardInterrupt, typer.Abort):
        print("lichen: interrupted", file=sys.stderr)
        sys.exit(130)


def _end(number: int, _: FrameType | None) -> None:
    """Ends as an exception does: emulators are stopped and half-written folders removed."""
    sys.exit(128 + number)


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    """One sentence on standard error, without the line of code that caused it."""
    print(f"lichen: warning: {message}", file=sys.stderr)
