"""Files that are written completely or not at all.

A result that was half written when the disk filled up or the power failed is worse than none: the
next program reads it. So everything lvkit saves goes to a new file in the same folder first, and
takes its name when it is complete.

Long work keeps what it needs on the way in a working folder, and a process that is killed cannot
remove it. So it lies beside the output, where the next process looks for working folders that were
left, and removes them. Each has a lock, which the system lifts when its process ends, however it
ends: a folder whose lock can be had belongs to nobody any more.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from importlib import resources
from pathlib import Path
from typing import Any

from lvkit.errors import LvkitError

_WORK = re.compile(r"\.lvkit-work-[0-9a-f]{16}")
_ELSEWHERE = "Choose a place you may write to, with room on its disk."


def write_whole(path: str | os.PathLike[str], data: bytes | str) -> Path:
    """Write `data` to `path`, so that `path` holds all of it or what it held before.

    Parameters
    ----------
    path : path-like
        The file; its folder must exist. A link is followed. An existing file keeps its permissions.
    data : bytes or str
        The content; text is written in UTF-8, its line ends as they are.

    Returns
    -------
    pathlib.Path
        `path`.

    Raises
    ------
    LvkitError
        If the file cannot be written: no such folder, a folder of that name, no permission, a
        full disk.

    Notes
    -----
    The data are written to a new file beside the old one, flushed to the disk, and renamed, which
    within one folder is atomic. What is not a regular file, such as ``/dev/stdout`` or a named
    pipe, is written to directly, since there is nothing to replace.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_whole(Path(folder) / "table.csv", "a,b").read_text()
    'a,b'
    """
    target = Path(path)
    content = data.encode("utf-8") if isinstance(data, str) else data
    try:
        mode = _mode(target)
        if mode is None or stat.S_ISREG(mode):
            _replace(Path(os.path.realpath(target)), content, mode)
        else:
            target.write_bytes(content)
    except OSError as error:
        raise LvkitError(
            f"cannot write the file ({error.strerror or error})",
            where=f"'{target}'",
            remedy=_remedy(target),
        ) from error
    return target


def write_together(folder: Path, files: Mapping[str, bytes], staging: Path) -> None:
    """Write files into a folder, so that all of them are new or all are as before.

    Parameters
    ----------
    folder : pathlib.Path
        Where to; it must exist.
    files : mapping
        Content by file name. The last is the first that goes and the last that comes: where it is,
        all are, even if the process is killed.
    staging : pathlib.Path
        An empty folder on the same disk, for the new files before they have their place and for
        the old ones until all new ones have.

    Raises
    ------
    LvkitError
        If one of them cannot be written: a full disk, no permission, a folder of that name.
    """
    new, old = staging / "new", staging / "old"
    for name in files:
        if (folder / name).is_dir():
            raise LvkitError("is a folder", where=f"'{folder / name}'", remedy=_ELSEWHERE)
    try:
        new.mkdir()
        old.mkdir()
        for name, content in files.items():
            write_whole(new / name, content)
            with suppress(FileNotFoundError):
                (new / name).chmod(stat.S_IMODE((folder / name).stat().st_mode))
        _exchange(folder, list(files), new, old)
    except OSError as error:
        raise LvkitError(
            f"cannot write the files ({error.strerror or error}); what was there is there still",
            where=f"'{folder}'",
            remedy=_ELSEWHERE,
        ) from error


def _exchange(folder: Path, names: list[str], new: Path, old: Path) -> None:
    """Give new files the places of the old ones; if one cannot have it, none has."""
    try:
        for name in reversed(names):
            if os.path.lexists(folder / name):
                os.replace(folder / name, old / name)
        for name in names:
            os.replace(new / name, folder / name)
    except BaseException:
        for name in names:
            if not (new / name).exists():  # it has its place already
                os.replace(folder / name, new / name)
            if os.path.lexists(old / name):
                os.replace(old / name, folder / name)
        raise


def _mode(target: Path) -> int | None:
    """Return the file's mode, or None where there is no such file yet."""
    try:
        return target.stat().st_mode
    except FileNotFoundError:
        return None


def _replace(target: Path, content: bytes, mode: int | None) -> None:
    """Write a new file beside `target` and give it that name."""
    new = target.with_name(f".lvkit-{secrets.token_hex(8)}.tmp")
    try:
        with open(new, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            new.chmod(stat.S_IMODE(mode))
        os.replace(new, target)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def _remedy(target: Path) -> str:
    """Say what to do about a file that cannot be written."""
    if target.is_dir():
        return "That is a folder; give the name of a file in it."
    if not target.parent.is_dir():
        return f"Make the folder '{target.parent}' first, or choose another."
    return _ELSEWHERE


def make_folder(path: str | os.PathLike[str]) -> Path:
    """Make a folder, and those above it, unless it is there.

    Parameters
    ----------
    path : path-like
        The folder.

    Returns
    -------
    pathlib.Path
        `path`.

    Raises
    ------
    LvkitError
        If it cannot be made: a file of that name, no permission.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     make_folder(Path(folder) / "a" / "b").is_dir()
    True
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LvkitError(
            f"cannot make the folder ({error.strerror or error})",
            where=f"'{folder}'",
            remedy="Choose a place you may write to, and not the name of a file.",
        ) from error
    return folder


def shipped_notebooks() -> dict[str, bytes]:
    """Return the notebooks that come with lvkit, by file name.

    Raises
    ------
    LvkitError
        If lvkit runs from a bare folder of sources, where its notebooks have no home.

    Examples
    --------
    >>> "report.ipynb" in shipped_notebooks()
    True
    """
    try:
        folder = resources.files("lvkit.notebooks")
    except ModuleNotFoundError as error:
        raise LvkitError(
            "the notebooks are not installed",
            where="lvkit.notebooks",
            remedy="Install lvkit; in its sources: pip install --editable .",
        ) from error
    entries = sorted(folder.iterdir(), key=lambda entry: entry.name)
    return {entry.name: entry.read_bytes() for entry in entries if entry.name.endswith(".ipynb")}


@contextmanager
def work_folder(parent: Path | None = None) -> Generator[Path, None, None]:
    """Make a folder that goes away at the end of the block, or is removed by a later process.

    Parameters
    ----------
    parent : pathlib.Path, optional
        Where to make it; folders in it that killed processes have left are removed. None for the
        system's folder for temporary files.

    Yields
    ------
    pathlib.Path
        An empty folder that only this user can read.

    Raises
    ------
    LvkitError
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
    try:
        home = Path(tempfile.gettempdir()) if parent is None else parent
    except OSError as error:
        raise work_folder_error(error, parent) from error
    remove_stale(home)
    folder = home / f".lvkit-work-{secrets.token_hex(8)}"
    lock = _acquired(_lock_of(folder))  # before the folder: one without a lock belongs to nobody
    try:
        try:
            folder.mkdir(mode=0o700)
        except OSError as error:
            raise work_folder_error(error, parent) from error
        yield folder
    finally:
        _remove(folder, lock)


def work_folder_error(error: OSError, parent: Path | None) -> LvkitError:
    """Return an error about a working folder that cannot be made or written to.

    Parameters
    ----------
    error : OSError
        What went wrong.
    parent : pathlib.Path, optional
        The folder it lies in; None for the system's.
    """
    reason = error.strerror or error
    if parent is not None:
        output = parent.parent if _WORK.fullmatch(parent.name) else parent
        return LvkitError(
            f"cannot work in the output folder ({reason})",
            where=f"'{output}'",
            remedy="Make room on its disk, or choose another output folder.",
        )
    try:
        where = f"'{tempfile.gettempdir()}'"
    except OSError:  # there is none that can be used
        where = "TMPDIR"
    return LvkitError(
        f"cannot work in the folder for temporary files ({reason})",
        where=where,
        remedy="Make room there, or name another one in the environment variable TMPDIR.",
    )


def remove_stale(parent: Path) -> None:
    """Remove the working folders in a folder whose processes have ended without doing so.

    Parameters
    ----------
    parent : pathlib.Path
        Where to look. What cannot be removed, or is not this user's, stays.
    """
    try:
        folders = [entry for entry in parent.iterdir() if _WORK.fullmatch(entry.name)]
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
