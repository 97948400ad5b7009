"""Built things are kept: one folder per digest of all that went into them."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from lichen.cache import cache_root
from lichen.errors import InputError


def digest_of(parts: Iterable[str | bytes]) -> str:
    """32 hex digits over `parts`; each goes in with its length, so that moving a border changes the digest."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()[:32]


def cached_build(digest: str, build: Callable[[Path], None]) -> Path:
    """The folder `<cache>/build/<digest>`, filled by `build(folder)` the first time.

    `build` works in a folder of its own that is renamed when it is complete: an interrupted or failed build leaves nothing, and of two
    processes that build the same thing one wins and both find it. Raises `InputError` where the cache cannot be written.
    """
    parent = cache_root() / "build"
    final = parent / digest
    if final.is_dir():
        return final
    try:
        parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{digest[:8]}-", dir=parent))
    except OSError as error:
        raise InputError(
            f"the cache {parent.parent} cannot be written ({error.strerror}); set LICHEN_CACHE to a folder that can"
        ) from error
    try:
        build(work)
        try:
            work.rename(final)
        except OSError:
            if not final.is_dir():
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return final
