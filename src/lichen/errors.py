"""What a user can get wrong, as exceptions with an exit code and one clear sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lichen.compiler import Compilation


class LichenError(Exception):
    """Base of all errors that are the user's to mend; `str(error)` is one sentence that says what, where and what to do."""

    exit_code = 2


class InputError(LichenError):
    """A file, option or value is not usable: damaged model, wrong shape, unknown board."""


class UnsupportedError(InputError):
    """A model uses an operator or attribute that Lichen does not have."""


class MissingToolError(InputError):
    """A compiler, an emulator or an optional Python package is not installed; the sentence says how to install it."""


class VerifyError(LichenError):
    """A graph breaks a rule of the verifier."""


class DeviceError(LichenError):
    """A device (emulated or real) does not answer, or answers with an error."""


class NoError(LichenError):
    """The question was understood and the answer is no: it does not fit, the outputs differ."""

    exit_code = 1


class DoesNotFitError(NoError):
    """The model is too large for the board; the sentence gives the missing bytes and the largest contributors.

    `flash` is what the image needs, in bytes, where it could be linked. `compilation` is what is known of the model all the same,
    with `fits` false; nothing was written.
    """

    compilation: Compilation | None = None

    def __init__(self, sentence: str, flash: int | None = None) -> None:
        super().__init__(sentence)
        self.flash = flash
