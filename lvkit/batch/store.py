"""The store: where a batch keeps its runs, each whole or not at all.

The folder of a run is filled under a name of its own and takes its place in one step, so that
whatever ends a batch, a crash or a power cut, no report is half there. A record in it says what it
was made from and what its files should contain; a run is taken for done only if both agree, and the
record is as it was written. A run that somebody edited is kept beside the new one. What an ended
batch left under passing names is cleared when the next one starts, which a lock makes sure of: two
batches never work in one folder.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import secrets
import shutil
import stat
import warnings
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lvkit.batch.content import digest, file_digest
from lvkit.batch.job import FAILED, REPORT
from lvkit.errors import LvkitError, LvkitWarning, Problem
from lvkit.files import make_folder, write_whole

RECORD = "run.json"
CACHE = ".cache"
_RUNS = "runs"
_LOCK = ".lvkit.lock"
_LARGEST = 50_000_000  # bytes of a record
_PAGES = ("index.html", "manifest.json")

_PASSING = re.compile(r"\.lvkit-(?:new-[0-9a-f]{16}|old-[0-9a-f]{16}-(?P<run>[a-z0-9-]+))")
_PASSING_FILE = re.compile(r"\.lvkit-[0-9a-f]{16}\.tmp")

# What may lie in the folder of a run and go with it; Jupyter and desktops leave the last two.
_OURS = {*REPORT, FAILED, RECORD, ".ipynb_checkpoints", ".DS_Store"}


class Store:
    """The folder of a batch.

    Parameters
    ----------
    folder : pathlib.Path
        Where the batch is kept; made when it is opened.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runs = folder / _RUNS

    @contextmanager
    def open(self, names: Iterable[str]) -> Generator[None, None, None]:
        """Have the folder to oneself.

        Parameters
        ----------
        names : iterable of str
            The runs that will be put; what is there under these names must be runs.

        Raises
        ------
        LvkitError
            If the folder cannot be made or written, another batch works in it, or something in it
            is not the batch's.
        """
        self._refuse_links()
        self._refuse_others_pages()
        make_folder(self.folder)
        probe = write_whole(self.folder / f".lvkit-{secrets.token_hex(8)}.tmp", b"")
        probe.unlink(missing_ok=True)  # a batch that starts now may have cleared it
        with self._lock():
            make_folder(self.runs)
            self._clear()
            self._refuse_others(names)
            yield

    def kept(self, name: str, key: str) -> Mapping[str, Any] | None:
        """Return the record of a run that is done, unchanged and undamaged; None otherwise.

        Parameters
        ----------
        name : str
            The run.
        key : str
            The hash of what it is made from now.
        """
        folder = self.runs / name
        try:
            if self.folder.joinpath(_RUNS).is_symlink() or not _is_plain(folder, stat.S_ISDIR):
                return None
            record = _record(folder / RECORD)
            whole = all(
                _is_plain(folder / file, stat.S_ISREG)
                and file_digest(folder / file) == record["files"][file]
                for file in REPORT
            )
            agrees = record["status"] == "done" and record["key"] == key
            return record if whole and agrees else None
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None

    def put(self, name: str, files: Mapping[str, bytes], record: Mapping[str, Any]) -> None:
        """Keep a run, in the place of an older one of that name.

        Parameters
        ----------
        name : str
            The run: letters, digits and hyphens.
        files : mapping
            Content by file name.
        record : mapping
            What is to be remembered of it; the hashes of its files are added.

        Raises
        ------
        LvkitError
            If it cannot be written; what was there before is still there.
        """
        new = self.runs / f".lvkit-new-{secrets.token_hex(8)}"
        hashes = {file: digest(content) for file, content in files.items()}
        whole = {**record, "files": hashes}
        text = json.dumps(whole | {"sha256": _mark(whole)}, indent=2, allow_nan=False) + "\n"
        try:
            new.mkdir()
            for file, content in {**files, RECORD: text.encode()}.items():
                write_whole(new / file, content)
            self._exchange(new, self.runs / name)
        except OSError as error:
            raise LvkitError(
                f"cannot write the report ({error.strerror or error})",
                where=f"'{self.runs / name}'",
                remedy="Choose a place you may write to, with room on its disk.",
            ) from error
        finally:
            shutil.rmtree(new, ignore_errors=True)

    def write(self, file: str, content: str) -> None:
        """Write a file beside the runs; a link of that name is replaced, not followed."""
        target = self.folder / file
        if target.is_symlink():
            target.unlink()
        write_whole(target, content.encode("utf-8", "backslashreplace"))

    def _exchange(self, new: Path, target: Path) -> None:
        """Give a folder its name; the one that had it goes away."""
        if target.is_symlink():
            target.unlink()
        self._refuse_others([target.name])
        old = self.runs / f".lvkit-old-{secrets.token_hex(8)}-{target.name}"
        try:
            if target.is_dir():
                os.rename(target, old)
            os.rename(new, target)
        except BaseException:
            if old.is_dir():
                os.rename(old, target)
            raise
        if old.is_dir():
            self._retire(old, target.name)

    def _retire(self, old: Path, name: str) -> None:
        """Remove the folder of an older run; keep it beside the new one if somebody edited it."""
        if _is_as_made(old):
            shutil.rmtree(old, ignore_errors=True)
            return
        numbered = (self.runs / f"{name}.edited-{number}" for number in itertools.count(1))
        kept = next(folder for folder in numbered if not os.path.lexists(folder))
        os.rename(old, kept)
        warnings.warn(
            f"'{self.runs / name}' was made again; its files had changed since lvkit wrote them "
            f"and are kept in '{kept}'",
            LvkitWarning,
            stacklevel=4,
        )

    @contextmanager
    def _lock(self) -> Generator[None, None, None]:
        try:
            from filelock import FileLock, Timeout
        except ImportError as error:
            raise LvkitError(
                "batches need filelock, which is not installed",
                remedy="Install it with: pip install 'lvkit[report]'",
            ) from error
        lock = FileLock(self.folder / _LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise LvkitError(
                "another batch works in the folder",
                where=f"'{self.folder}'",
                remedy="Wait for it, or choose another folder.",
            ) from error
        except (OSError, NotImplementedError) as error:
            raise LvkitError(
                f"cannot lock the folder ({getattr(error, 'strerror', None) or error})",
                where=f"'{self.folder / _LOCK}'",
                remedy="Choose a place you may write to, on a disk that knows locks.",
            ) from error
        try:
            yield
        finally:
            lock.release()

    def _refuse_links(self) -> None:
        """Refuse links in places that belong to the batch: they lead elsewhere."""
        links = [path for path in (self.runs, self.folder / CACHE, self.folder / _LOCK)
                 if path.is_symlink()]  # fmt: skip
        if links:
            problems = [
                Problem("is a link, which may lead outside", f"'{path}'", remedy="Remove it.")
                for path in links
            ]
            raise LvkitError.from_problems(problems)

    def _refuse_others_pages(self) -> None:
        """Refuse to replace pages in a folder where no batch has worked yet."""
        if (self.folder / _LOCK).exists():
            return
        pages = [self.folder / name for name in _PAGES]
        remedy = "A batch would replace it: choose another folder."
        problems = [Problem("is there, and is not a batch's", f"'{page}'", remedy=remedy)
                    for page in pages if page.exists() and not page.is_symlink()]  # fmt: skip
        if problems:
            raise LvkitError.from_problems(problems)

    def _refuse_others(self, names: Iterable[str]) -> None:
        """Refuse to replace what is not a run, or holds more than one."""
        problems = []
        for target in (self.runs / name for name in names):
            if target.is_symlink() or not target.exists():
                continue
            others = {entry.name for entry in target.iterdir()} - _OURS if target.is_dir() else {""}
            if others:
                seen = "is a file" if others == {""} else f"holds also {', '.join(sorted(others))}"
                remedy = "Move it elsewhere, or choose another folder."
                problems.append(Problem(seen, f"'{target}'", "only a report", remedy))
        if problems:
            raise LvkitError.from_problems(problems)

    def _clear(self) -> None:
        """Remove what a batch that was killed has left under passing names.

        A run that had made room for a new one, which never came, goes back to its place.
        """
        for entry in list(self.runs.iterdir()):
            passing = _PASSING.fullmatch(entry.name)
            if passing is None or not _is_plain(entry, stat.S_ISDIR):
                continue
            run = passing["run"]
            if run is not None and not os.path.lexists(self.runs / run):
                os.rename(entry, self.runs / run)
            elif run is not None and os.path.lexists(entry / RECORD):
                self._retire(entry, run)
            else:
                shutil.rmtree(entry, ignore_errors=True)
        for entry in self.folder.iterdir():
            if _PASSING_FILE.fullmatch(entry.name) and _is_plain(entry, stat.S_ISREG):
                entry.unlink(missing_ok=True)


def _record(file: Path) -> dict[str, Any]:
    """Return the record of a run; raise what shows that it is not as it was written."""
    record = _parsed(file)
    if record.pop("sha256", "") != _mark(record):
        raise ValueError("changed since it was written")
    return record


def _parsed(file: Path) -> dict[str, Any]:
    """Return what a record holds, though it may have changed; raise what shows that it is none."""
    if not _is_plain(file, stat.S_ISREG) or file.stat().st_size > _LARGEST:
        raise ValueError("no record of a run")
    record = json.loads(file.read_text("utf-8"))
    if not isinstance(record, dict):
        raise ValueError("no record of a run")
    return record


def _is_as_made(folder: Path) -> bool:
    """Tell whether the files of a run, as far as they are there, are as its record says."""
    there = [file for file in (*REPORT, FAILED) if os.path.lexists(folder / file)]
    try:
        hashes = dict(_parsed(folder / RECORD)["files"]) if there else {}
        return all(
            _is_plain(folder / file, stat.S_ISREG)
            and file_digest(folder / file) == hashes.get(file)
            for file in there
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def _mark(record: Mapping[str, Any]) -> str:
    """Return the hash that a record carries: a safeguard against slips, not against forgers."""
    return digest(json.dumps(record, sort_keys=True))


def _is_plain(path: Path, kind: Any) -> bool:
    """Tell whether a path is of a kind itself, without following links."""
    return bool(kind(path.lstat().st_mode))
