"""The store of a batch: its runs, each written completely or not at all.

The folder of a run is filled under a temporary name and takes its place in one step, so that
whatever ends a batch, a crash or a power cut, no report is half there. A record in it holds the
hashes of its files and of everything it was made from; a run counts as done only if both agree, and
the record is as it was written. A run that somebody edited is kept beside the new one. What an
ended batch left under temporary names is removed when the next one starts, which a lock makes safe:
two batches never work in one folder.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import secrets
import shutil
import stat
import warnings
from collections.abc import Container, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from lvkit.batch.notebook import CACHE, Source
from lvkit.errors import LvkitError, LvkitWarning, Problem, raise_problems
from lvkit.reports.as_json import installed_versions
from lvkit.tools.files import make_folder, work_folder, write_whole

# The files of a report, and the one that a failed run leaves instead.
REPORT = ("report.html", "report.ipynb", "report.json")
FAILED = "failed.ipynb"
RECORD = "run.json"

# Parameters that change how a report is made, and none of its numbers.
ASIDE = frozenset({CACHE, "n_jobs"})

_LOCK = ".lvkit.lock"
_LARGEST = 50_000_000  # bytes of a record
_PAGES = ("index.html", "manifest.json")
_PAGE_PACKAGES = ("matplotlib", "seaborn", "papermill", "nbconvert", "ipykernel")

_TEMPORARY = re.compile(r"\.lvkit-(?:new-[0-9a-f]{16}|old-[0-9a-f]{16}-(?P<run>[a-z0-9-]+))")
_TEMPORARY_FILE = re.compile(r"\.lvkit-[0-9a-f]{16}\.tmp")

# What may lie in the folder of a run and go with it; Jupyter and desktops leave the last two.
_OURS = {*REPORT, FAILED, RECORD, ".ipynb_checkpoints", ".DS_Store"}

# What reading a record that lvkit did not write may raise.
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, RecursionError)


class Store:
    """The folder of a batch.

    Parameters
    ----------
    folder : pathlib.Path
        Where the batch is kept; made when it is opened.
    """

    back_link = "../../index.html"  # from a page of a run to the page that lists all

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runs = folder / "runs"
        self.cache = folder / f".{CACHE}"

    @contextmanager
    def open(self, names: Iterable[str]) -> Generator[Path, None, None]:
        """Lock the folder, clear what a killed batch has left, and make a folder to work in.

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
        self._refuse_links_and_pages()
        make_folder(self.folder)
        probe = write_whole(self.folder / f".lvkit-{secrets.token_hex(8)}.tmp", b"")
        probe.unlink(missing_ok=True)  # a batch that starts now may have cleared it
        with self._lock():
            make_folder(self.runs)
            self._clear()
            self._refuse_others(names)
            with work_folder(self.folder) as place:
                yield place

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
            if self.runs.is_symlink() or not _is_plain(folder, stat.S_ISDIR):
                return None
            record = _parsed(folder / RECORD)
            unchanged = record.pop("sha256", "") == _mark(record)
            agrees = unchanged and record["status"] == "done" and record["key"] == key
            return record if agrees and _hold(folder, REPORT, record["files"]) else None
        except _UNREADABLE:
            return None

    def put(self, name: str, files: Mapping[str, bytes], record: Mapping[str, Any]) -> Path:
        """Keep a run, in the place of an older one of that name, and return its folder.

        Parameters
        ----------
        name : str
            The run: letters, digits and hyphens.
        files : mapping
            Content by file name.
        record : mapping
            What is to be known of it later; the hashes of its files are added.

        Raises
        ------
        LvkitError
            If it cannot be written; what was there before is still there.
        """
        new = self.runs / f".lvkit-new-{secrets.token_hex(8)}"
        whole = {**record, "files": {file: digest(content) for file, content in files.items()}}
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
                remedy="Choose a folder that you may write to, with room on its disk.",
            ) from error
        finally:
            shutil.rmtree(new, ignore_errors=True)
        return self.runs / name

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
        kept = unused(self.runs, f"{name}.edited-")
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
                remedy="Choose a folder that you may write to, on a disk that supports locks.",
            ) from error
        try:
            yield
        finally:
            lock.release()

    def _refuse_links_and_pages(self) -> None:
        """Refuse links in places of the batch, and pages in a folder where no batch has worked."""
        lock = self.folder / _LOCK
        links = [path for path in (self.runs, self.cache, lock) if path.is_symlink()]
        seen = "is a link, which may lead outside"
        raise_problems(Problem(seen, f"'{path}'", remedy="Remove it.") for path in links)
        pages = [] if lock.exists() else [self.folder / name for name in _PAGES]
        remedy = "A batch would replace it: choose another folder."
        raise_problems([Problem("is there, and is not a batch's", f"'{page}'", remedy=remedy)
                       for page in pages if page.exists() and not page.is_symlink()])  # fmt: skip

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
        raise_problems(problems)

    def _clear(self) -> None:
        """Remove what a batch that was killed has left under temporary names.

        A run that had made room for a new one, which never came, goes back to its place.
        """
        for entry in list(self.runs.iterdir()):
            temporary = _TEMPORARY.fullmatch(entry.name)
            if temporary is None or not _is_plain(entry, stat.S_ISDIR):
                continue
            run = temporary["run"]
            if run is not None and not os.path.lexists(self.runs / run):
                os.rename(entry, self.runs / run)
            elif run is not None and os.path.lexists(entry / RECORD):
                self._retire(entry, run)
            else:
                shutil.rmtree(entry, ignore_errors=True)
        for entry in self.folder.iterdir():
            if _TEMPORARY_FILE.fullmatch(entry.name) and _is_plain(entry, stat.S_ISREG):
                entry.unlink(missing_ok=True)


def unused(folder: Path, stem: str, first: int = 1) -> Path:
    """Return the first path among ``stem1``, ``stem2``, ... in a folder that nothing has."""
    numbered = (folder / f"{stem}{number}" for number in itertools.count(first))
    return next(path for path in numbered if not os.path.lexists(path))


def _parsed(file: Path) -> dict[str, Any]:
    """Return what a record holds, though it may have changed; raise ValueError if it is none."""
    if not _is_plain(file, stat.S_ISREG) or file.stat().st_size > _LARGEST:
        raise ValueError("no record of a run")
    record = json.loads(file.read_text("utf-8"))
    if not isinstance(record, dict):
        raise ValueError("no record of a run")
    return record


def _hold(folder: Path, names: Iterable[str], hashes: Mapping[str, str]) -> bool:
    """Return whether files are regular files with these hashes."""
    return all(
        _is_plain(folder / name, stat.S_ISREG) and file_digest(folder / name) == hashes[name]
        for name in names
    )


def _is_as_made(folder: Path) -> bool:
    """Return whether the files of a run, as far as they are there, are as its record says."""
    names = [file for file in (*REPORT, FAILED) if os.path.lexists(folder / file)]
    try:
        return not names or _hold(folder, names, _parsed(folder / RECORD)["files"])
    except _UNREADABLE:
        return False


def _mark(record: Mapping[str, Any]) -> str:
    """Return the hash that a record carries: a safeguard against slips, not against forgers."""
    return digest(json.dumps(record, sort_keys=True))


def _is_plain(path: Path, kind: Any) -> bool:
    """Return whether a path is of a kind itself, without following links."""
    return bool(kind(path.lstat().st_mode))


# -- hashes: of files, and of everything that a report is made from ------------------------------


def digest(content: bytes | str) -> str:
    """Return the SHA-256 of a content, in hexadecimal digits."""
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()


def file_digest(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def data_digests(runs: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the SHA-256 of every file that parameters name, by path; each is read once."""
    paths = {path for values in runs for path in _paths(list(values.values()))}
    try:
        return {path: file_digest(path) for path in sorted(paths)}
    except OSError as error:
        raise LvkitError(
            f"cannot read the file ({error.strerror})", where=f"'{error.filename}'"
        ) from error


def check_unchanged(data: Mapping[str, str]) -> None:
    """Refuse to go on if files, given by path with their hashes, have changed.

    Raises
    ------
    LvkitError
        With every file whose content is another one now, or cannot be read any more.
    """
    changed = []
    for path, known in data.items():
        is_same = False
        with suppress(OSError):
            is_same = file_digest(path) == known
        if not is_same:
            changed.append(path)
    remedy = "Make the report again when nothing writes to the file any more."
    seen = "the file changed, or went away, after the hash of its content was recorded"
    raise_problems([Problem(seen, f"'{path}'", remedy=remedy) for path in changed])


def data_of(values: Mapping[str, Any], data: Mapping[str, str]) -> dict[str, str]:
    """Return those of some hashes whose files the values of a run name."""
    return {path: data[path] for path in _paths(list(values.values())) if path in data}


@cache
def versions() -> dict[str, str]:
    """Return the versions of the packages that reports are made with."""
    return installed_versions(*_PAGE_PACKAGES)


def content_key(
    source: Source,
    parameters: Mapping[str, Any],
    data: Mapping[str, str],
    *,
    chosen: Container[str] = (),
    code: bool = False,
) -> str:
    """Return the hash of everything that a run's numbers and pages depend on.

    Where files lie does not count, nor do the workers and the cache: no number depends on them.

    Parameters
    ----------
    source : Source
        The notebook.
    parameters : mapping
        The run's values; those in `ASIDE` count only in the user's notebook, and if chosen.
    data : mapping
        The hashes of files by path, from `data_digests`.
    chosen : container of str
        The parameters whose value the user chose: in a notebook of the user's all of them count,
        since lvkit cannot know that no number depends on them.
    code : bool
        Whether the page shows the code.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    counted = {name: _by_content(value, data) for name, value in parameters.items()
               if name not in ASIDE or (name in chosen and not source.own)}  # fmt: skip
    packages = {name: text for name, text in versions().items() if name not in _PAGE_PACKAGES}
    document = [digest(source.text), source.title, counted, packages, code]
    return digest(json.dumps(document, sort_keys=True))


def _paths(value: Any) -> Iterator[str]:
    """Yield the absolute paths of the files that a value names."""
    if isinstance(value, (list, dict)):
        for item in value if isinstance(value, list) else value.values():
            yield from _paths(item)
    elif isinstance(value, str) and "\0" not in value and os.path.isabs(value):
        yield from [value] if os.path.isfile(value) else []


def _by_content(value: Any, data: Mapping[str, str]) -> Any:
    """Return a value in which the name and the hash of a file stand for its path."""
    if isinstance(value, list):
        return [_by_content(item, data) for item in value]
    if isinstance(value, dict):
        return {name: _by_content(item, data) for name, item in value.items()}
    if isinstance(value, str) and value in data:
        return {"file": os.path.basename(value), "sha256": data[value]}
    return value
