"""A cache of fits: a folder that several programs share.

A batch of reports asks for the same fit many times, from several processes at once. With a cache
the first computes it, the others wait for that and read it. An entry holds what it was asked for,
down to the versions of the libraries, and its own checksum: one that is damaged, or the answer to
another question, is never used. Nothing in it can run.

The folder can be deleted whenever nobody is using it; nothing else is lost than time.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import warnings
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lvkit._version import __version__
from lvkit.data.panel import Panel
from lvkit.errors import LvkitError, LvkitWarning
from lvkit.fit.fit import Fit
from lvkit.fit.latent_skill_model import LatentSkillModel, restored
from lvkit.fit.saved_fit import packed_fit, unpacked_fit
from lvkit.fit.saved_fit_fields import SELECTION
from lvkit.fit.select_skills import Selection, select_skills, skill_range
from lvkit.tools.archive import pack, parse_json, unpack
from lvkit.tools.checks import check_whole
from lvkit.tools.files import make_folder, write_whole
from lvkit.tools.json_tables import Maybe, Record, Value, table_from_json, table_to_json

SCHEMA = 3
"""Number of the entries' layout, a part of what they are found by."""

_MAGIC = b"lvkit cache "

_ENTRY = Record(
    {
        "key": Value("a mapping", lambda value: type(value) is dict),
        "told": Value(
            "texts", lambda value: type(value) is list and all(type(each) is str for each in value)
        ),
        "fits": Value("a whole number from 1", lambda value: type(value) is int and value >= 1),
        "table": Maybe(SELECTION),
    }
)

Key = dict[str, Any]


@dataclass(frozen=True, eq=False)
class _Entry:
    """What the cache keeps of one question.

    Attributes
    ----------
    fits : list of Fit
        The answer; one fit, or a selection's.
    table : DataFrame or None
        A selection's table.
    told : list of str
        Warnings of the fit, which are repeated for everyone who asks.
    """

    fits: list[Fit]
    table: pd.DataFrame | None
    told: list[str]


@dataclass(frozen=True)
class FitCache:
    """Fits and selections, computed once and kept in a folder.

    Attributes
    ----------
    folder : path-like
        The folder, made when it is needed; "" computes everything and keeps nothing.

    Notes
    -----
    Any number of processes, on machines that share the folder, may use it at once: each entry has
    a lock, which the system lifts when a process ends, however it ends. A folder that cannot be
    written to is reported by a warning, and everything is computed. Entries of other versions of
    lvkit, numpy or scipy are left alone.

    Examples
    --------
    >>> import tempfile
    >>> import lvkit as lv
    >>> panel = lv.load_leaderboard().complete()
    >>> model = lv.LatentSkillModel(n_skills=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     first = FitCache(folder).fit(model, panel)
    ...     again = FitCache(folder).fit(model, panel)  # from the folder
    >>> again is first, again.loglik == first.loglik
    (False, True)
    """

    folder: str | os.PathLike[str] = ""

    def fit(
        self,
        model: LatentSkillModel,
        panel: Panel,
        *,
        seed: int = 0,
        method: str = "mml",
        starts: int = 1,
    ) -> Fit:
        """Return ``model.fit(panel, method, seed=seed, starts=starts)``.

        Its standard errors are kept with it, and so are lvkit's warnings, those of parameters
        that the data do not determine included.

        Parameters
        ----------
        model : LatentSkillModel
            Settings.
        panel : Panel
            The data.
        seed, method, starts
            As in :meth:`lvkit.LatentSkillModel.fit`.

        Returns
        -------
        Fit

        Raises
        ------
        LvkitError
            If model and panel do not fit together, or the cache needs a package that is missing.
        """

        def compute() -> Fit:
            return model.fit(panel, method, seed=seed, starts=starts)

        if not os.fspath(self.folder):
            return compute()
        key = _key("fit", model, panel) | {"method": method, "starts": starts, "seed": seed}
        entry = self._entry(key, panel, lambda: _Entry([_surveyed(compute())], None, []))
        _tell(entry)
        return entry.fits[0]

    def select(
        self,
        panel: Panel,
        numbers: Iterable[int] | None = None,
        model: LatentSkillModel | None = None,
        *,
        seed: int = 0,
        n_jobs: int | None = 1,
    ) -> Selection:
        """Return ``lvkit.select_skills(panel, numbers, model, seed=seed, n_jobs=n_jobs)``.

        Parameters
        ----------
        panel : Panel
            The data.
        numbers : iterable of int, optional
            Numbers of skills to try.
        model : LatentSkillModel, optional
            Settings.
        seed, n_jobs
            As in :func:`lvkit.select_skills`.

        Returns
        -------
        Selection
            With the ``seconds`` it took when it was computed.

        Raises
        ------
        LvkitError
            As :func:`lvkit.select_skills` does, or if the cache needs a package that is missing.
        """
        model = LatentSkillModel() if model is None else model
        if not os.fspath(self.folder):
            return select_skills(panel, numbers, model, seed=seed, n_jobs=n_jobs)
        key = _key("selection", model, panel)
        asked = skill_range(panel, model) if numbers is None else numbers
        ordered = sorted({check_whole(number, "n_skills") for number in asked})

        def compute() -> _Entry:
            found = select_skills(panel, ordered, model, seed=seed, n_jobs=n_jobs)
            return _Entry(list(found.fits.values()), found.table, [])

        entry = self._entry(key | {"numbers": ordered, "seed": seed}, panel, compute)
        _tell(entry)
        assert entry.table is not None
        return Selection(
            dict(zip(entry.table.index.tolist(), entry.fits, strict=True)), entry.table
        )

    def _entry(self, key: Key, panel: Panel, compute: Callable[[], _Entry]) -> _Entry:
        """Return the entry of a key: as it stands, or else computed by whoever is first."""
        path = Path(self.folder) / f"{key['kind']}-{_digest(_json(key))[:32]}.entry"
        entry = _read(path, key, panel, loud=False)
        if entry is not None:
            return entry
        with _lock(path) as locked:
            entry = _read(path, key, panel, loud=True)
            if entry is None:
                entry = _computed(compute)
                if locked:
                    _write(path, key, entry)
        return entry


def _surveyed(fit: Fit) -> Fit:
    """Return a fit whose curvature is measured, if it has one."""
    with suppress(LvkitError, np.linalg.LinAlgError):
        _ = fit.curvature
    return fit


def _computed(compute: Callable[[], _Entry]) -> _Entry:
    """Compute an entry, and keep lvkit's warnings in it; others go their way."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        entry = compute()
    for warning in caught:
        if issubclass(warning.category, LvkitWarning):
            entry.told.append(str(warning.message))
        else:
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )
    return entry


def _tell(entry: _Entry) -> None:
    """Warn of what was warned of when the entry was computed."""
    for message in entry.told:
        warnings.warn(message, LvkitWarning, stacklevel=3)


def _key(kind: str, model: LatentSkillModel, panel: Panel) -> Key:
    """Return what an answer depends on, as JSON can tell it."""
    import scipy

    for name, value, needed in (("model", model, LatentSkillModel), ("panel", panel, Panel)):
        if not isinstance(value, needed):
            raise LvkitError(f"got {value!r}", where=name, expected=f"a {needed.__name__}")
    anchors = None if model.anchors is None else [list(pair) for pair in model.anchors.items()]
    return {
        "kind": kind,
        "schema": SCHEMA,
        "panel": panel.digest,
        "model": asdict(model) | {"anchors": anchors},
        "lvkit": __version__,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
    }


def _json(key: Key) -> bytes:
    return json.dumps(key, sort_keys=True).encode()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@contextmanager
def _lock(path: Path) -> Generator[bool, None, None]:
    """Hold the lock of an entry, and say whether it could be had.

    Waits while another process holds it. A folder that cannot be used is reported by a warning.
    """
    try:
        from filelock import FileLock
    except ImportError as error:
        raise LvkitError(
            f"a cache of fits needs the package '{error.name}', which is not installed",
            where="FitCache",
            remedy="Install it with: pip install 'lvkit[report]'",
        ) from error
    file = path.with_suffix(".lock")
    lock = FileLock(file)
    try:
        make_folder(path.parent)
        if file.is_symlink():  # earlier versions of filelock would empty what it leads to
            raise OSError(f"'{file}' is a link")
        lock.acquire()
    except (LvkitError, OSError, NotImplementedError) as error:
        _warn(f"the cache '{path.parent}' cannot be used ({error}): the fit is computed anew")
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def _write(path: Path, key: Key, entry: _Entry) -> None:
    """Write an entry, whole or not at all; a failure is reported and does no harm."""
    text = {
        "key": key,
        "told": entry.told,
        "fits": len(entry.fits),
        "table": None if entry.table is None else table_to_json(entry.table),
    }
    members = {"entry.json": json.dumps(text).encode()}
    for number, fit in enumerate(entry.fits):
        members[f"{number}.fit"] = packed_fit(fit, cached=True)
    content = pack(members)
    try:
        if path.is_symlink():  # in a shared folder it may lead anywhere
            path.unlink()
        write_whole(path, _MAGIC + _digest(content).encode() + b"\n" + content)
    except (LvkitError, OSError) as error:
        _warn(f"the fit is not kept in the cache: {error}")


def _read(path: Path, key: Key, panel: Panel, *, loud: bool) -> _Entry | None:
    """Return an entry, or None if there is none.

    One that is damaged or not what was asked for is none either; `loud` tells so and removes it.
    """
    try:
        return _unpacked(path.read_bytes(), key, panel)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, MemoryError) as error:
        if loud:
            _warn(f"an entry of the cache is of no use and is made again: '{path}': {error}")
            with suppress(OSError):
                path.unlink()
        return None


def _unpacked(content: bytes, key: Key, panel: Panel) -> _Entry:
    """Return the entry that a file's content stands for; raise what shows that it is none."""
    head, _, body = content.partition(b"\n")
    if head != _MAGIC + _digest(body).encode():
        raise ValueError("truncated or damaged")
    members, _ = unpack(io.BytesIO(body), r"entry[.]json|\d{1,4}[.]fit")
    text = parse_json(members.pop("entry.json", b""), len(body))
    _ENTRY.check(text, "the entry")
    if _json(text["key"]) != _json(key):
        raise ValueError("it answers another question")
    names = [f"{number}.fit" for number in range(len(members))]
    if len(members) != text["fits"] or members.keys() != set(names):
        raise ValueError("it lacks a fit")
    fits = [restored(unpacked_fit(members[name], "its fit", panel)) for name in names]
    table = None if text["table"] is None else table_from_json(text["table"])
    if table is not None and len(table) != len(fits):
        raise ValueError("its table is of other fits")
    return _Entry(fits, table, text["told"])


def _warn(message: str) -> None:
    warnings.warn(message, LvkitWarning, stacklevel=5)
