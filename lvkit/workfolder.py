"""Working folders: where long work keeps what it needs on the way, and nothing of it afterwards.

A process that is killed cannot clean up. So a working folder lies beside what is being made, where
the next process that makes something there looks for folders that were left, and removes them. Each
has a lock, which the system lifts when its process ends, however it ends: a folder whose lock can
be had belongs to nobody any more, and one whose lock is held is left alone.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import stat
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

_NAME = re.compile(r"\.lvkit-work-[0-9a-f]{16}")


@contextmanager
def work_folder(parent: Path) -> Generator[Path, None, None]:
    """Have a folder that goes away at the end of the block, or when it is found later.

    Parameters
    ----------
    parent : pathlib.Path
        Where to make it; folders in it that killed processes have left are removed.

    Yields
    ------
    pathlib.Path
        An empty folder that only this user can read.

    Raises
    ------
    OSError
        If it cannot be made.

    Notes
    -----
    Without the package filelock, or on a disk that knows no locks, the folder has no lock; it is
    then never removed by another process.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as parent:
    ...     with work_folder(Path(parent)) as folder:
    ...         print(folder.is_dir())
    ...     print(folder.exists())
    True
    False
    """
    remove_stale(parent)
    folder = parent / f".lvkit-work-{secrets.token_hex(8)}"
    lock = _acquired(_lock_of(folder))  # before the folder: one without a lock belongs to nobody
    try:
        folder.mkdir(mode=0o700)
        yield folder
    finally:
        _remove(folder, lock)


def remove_stale(parent: Path) -> None:
    """Remove the working folders in a folder whose processes have ended without doing so.

    Parameters
    ----------
    parent : pathlib.Path
        Where to look. What cannot be removed, or is not this user's, stays.
    """
    try:
        folders = [entry for entry in parent.iterdir() if _NAME.fullmatch(entry.name)]
    except OSError:
        return
    for folder in folders:
        is_ours = _is_mine(folder, stat.S_ISDIR) and _is_mine(_lock_of(folder), stat.S_ISREG)
        lock = _acquired(_lock_of(folder)) if is_ours else None
        if lock is not None:
            _remove(folder, lock)


def _lock_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.lock")


def _acquired(path: Path) -> Any:
    """Return a lock that is held from now on; None if it cannot be had."""
    try:
        from filelock import FileLock, Timeout
    except ImportError:
        return None
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except (Timeout, OSError, NotImplementedError, RuntimeError):
        return None
    return lock


def _remove(folder: Path, lock: Any) -> None:
    """Remove a folder and then its lock; what is left of the folder keeps its lock's file."""
    shutil.rmtree(folder, ignore_errors=True)
    if lock is None:
        return
    is_gone = not folder.exists()
    with suppress(OSError):  # some systems remove no file that is open
        if is_gone:
            os.unlink(_lock_of(folder))
    lock.release()
    with suppress(OSError):
        if is_gone:
            os.unlink(_lock_of(folder))


def _is_mine(path: Path, kind: Any) -> bool:
    """Tell whether a path itself, no link, is of a kind and this user's."""
    try:
        status = path.lstat()
    except OSError:
        return False
    return bool(kind(status.st_mode)) and (
        not hasattr(os, "getuid") or status.st_uid == os.getuid()
    )
