"""Published data sets: found in the folder `LICHEN_DATA`, or downloaded once into the user's cache; either way their content is checked.

How this works inside: what is at hand and what is published are different files, so each data set says how either becomes the same arrays.
The SHA-256 is that of the arrays. It holds whatever archive they came in, and whoever packed it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from lichen.cache import cache_root
from lichen.errors import InputError, MissingToolError

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Published:
    """A data set, called `name` in sentences.

    `local` is its file below `LICHEN_DATA`, which `read` reads. `url` is the original, kept in the cache as `file`, of which `convert`
    makes the same arrays. `content` is their `content_digest`. `checksum` is that of the original as its publisher states it, `md5:…`.
    `read` and `convert` raise `OSError`, `ValueError`, `KeyError` or `TypeError` for files that are something else.
    """

    name: str
    local: Path
    read: Callable[[Path], Arrays]
    url: str
    file: str
    convert: Callable[[Path], Arrays]
    content: str
    checksum: str | None = None

    def load(self) -> Arrays:
        """The arrays. Raises `InputError` where they are neither at hand nor to be had, or not those that were published."""
        folder = os.environ.get("LICHEN_DATA")
        if folder and (path := Path(folder) / self.local).exists():
            return self._checked(path, self.read, "replace it or take it away, and the original is downloaded")
        original = self._download()
        try:
            return self._checked(original, self.convert, "it has been removed; try again")
        except MissingToolError:
            raise
        except InputError:
            original.unlink(missing_ok=True)
            raise

    def _checked(self, path: Path, read: Callable[[Path], Arrays], advice: str) -> Arrays:
        try:
            arrays = read(path)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path} cannot be read as {self.name} of {self.url} ({error}); {advice}") from error
        if content_digest(arrays) != self.content:
            raise InputError(f"{path} does not hold {self.name} as published at {self.url}; {advice}")
        return arrays

    def _download(self) -> Path:
        folder = cache_root() / "data"
        path = folder / self.file
        where = f"set LICHEN_DATA to a folder that holds {self.local}, or download {self.url} to {path}"
        if path.exists() and self.checksum is None:
            return path
        if importlib.util.find_spec("pooch") is None:
            raise MissingToolError(
                f"{self.name} is not at hand, and to download it needs the package pooch: pip install 'lichen[data]'; or {where}"
            )
        import pooch
        import requests

        pooch.get_logger().setLevel("WARNING")
        try:
            with _progress(self.name) as bar:
                downloader = pooch.HTTPDownloader(progressbar=bar, chunk_size=1 << 16)
                pooch.retrieve(self.url, self.checksum, self.file, folder, downloader=downloader)
        except (OSError, ValueError) as error:  # requests' errors are OSErrors; ValueError is a wrong checksum
            no_connection = isinstance(error, requests.exceptions.ConnectionError | requests.exceptions.Timeout)
            reason = "no connection" if no_connection else str(error)
            raise InputError(f"{self.name} cannot be downloaded ({reason}); {where}") from error
        return path


def content_digest(arrays: Arrays) -> str:
    """SHA-256 over names, types, shapes and values."""
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


class _Bar:
    """A progress bar as pooch wants it."""

    def __init__(self, show: Callable[[int, int], None]) -> None:
        self.total, self._done, self._show = 0, 0, show

    def update(self, count: int) -> None:
        self._done = min(self._done + count, self.total)
        self._show(self._done, self.total)

    def reset(self) -> None:
        self._done = 0

    def close(self) -> None:
        pass


@contextmanager
def _progress(what: str) -> Iterator[_Bar]:
    """A bar on standard error where that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(f"downloading {what}", total=None)
        yield _Bar(lambda done, total: progress.update(task, completed=done, total=total))
