"""The tasks of a simulation study: draw a panel from the truth, fit it, and keep the result.

A task is identified by its number of families and the number of the replication. Everything else is
settled before, in a :class:`Plan`, so that a task can run anywhere and gives the same numbers
everywhere.

Results are kept in a :class:`StudyFile`, so that a study of hours can be interrupted and resumed.
The file holds the settings and the fits that are done, and is written whole each time. A file with
other settings is refused, since its results would belong to another study.
"""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass, fields
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from lvkit._version import __version__
from lvkit.data.panel import Panel
from lvkit.errors import LvkitError, LvkitWarning
from lvkit.estimation.estimate import objective_for, prepared_for
from lvkit.fit.latent_skill_model import LatentSkillModel
from lvkit.fit.simulate import simulate, simulate_models
from lvkit.model.free_parameters import FreeParameters
from lvkit.model.parameters import Parameters
from lvkit.tools.checks import check_level, check_whole
from lvkit.tools.files import write_whole

_CLIP = 1e-9
"""Scores that were drawn are not rounded: they are hardly clipped, which would be a bias."""

_PARTS = tuple(part.name for part in fields(Parameters))


@dataclass(frozen=True, eq=False)
class Plan:
    """What every task needs to know."""

    params: Parameters
    model: LatentSkillModel
    models_per_family: int
    level: float
    seed: int

    def free(self, families: int) -> FreeParameters:
        """Return what a fit estimates; refuse what cannot be fitted to so few families."""
        prepared = prepared_for(self.model, self.panel(families, 0))
        objective_for(self.model, prepared, self.model.k)
        return FreeParameters.of(
            self.model.anchors or {},
            _benchmarks(self.params),
            prepared.features.names,
            slope_sd=self.params.slope_sd is not None,
        )

    def panel(self, families: int, replication: int) -> Panel:
        """Draw the panel of a task, from a seed of its own."""
        sequence = np.random.SeedSequence([self.seed, families, replication])
        seed = int(sequence.generate_state(1)[0])
        return simulate(
            self.params,
            simulate_models(families, self.models_per_family, seed=seed),
            features=self.model.features,
            family_slopes=self.model.family_slopes or "",
            benchmarks=_benchmarks(self.params),
            seed=seed,
        )

    def replicate(self, families: int, replication: int) -> Record:
        """Draw a panel and fit it; a fit that is refused is a result too."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LvkitWarning)  # once more, in the worker's process
            try:
                fit = self.model.fit(self.panel(families, replication), seed=self.seed)
                table = fit.summary(self.level if fit.converged else None)
            except LvkitError as error:
                return Record(pd.DataFrame(), False, str(error))
        return Record(table, fit.converged, "" if fit.converged else fit.message)

    @property
    def settings(self) -> dict[str, Any]:
        """All that the numbers depend on, as JSON can tell it."""
        arrays = {name: getattr(self.params, name) for name in _PARTS}
        return {
            "lvkit": __version__,
            "params": {name: None if a is None else a.tolist() for name, a in arrays.items()},
            "features": self.model.features,
            "family_slopes": self.model.family_slopes,
            "models_per_family": self.models_per_family,
            "level": self.level,
            "seed": self.seed,
        }


def make_plan(
    params: Parameters,
    features: str,
    family_slopes: str,
    models_per_family: int,
    level: float,
    seed: int,
) -> Plan:
    """Check a study's settings."""
    if not isinstance(params, Parameters):
        seen = f"got a {type(params).__name__}"
        raise LvkitError(seen, where="params", expected="lvkit.Parameters")
    model = LatentSkillModel(
        anchors=_anchors(params),
        features=features,
        family_slopes=family_slopes if params.slope_sd is not None else None,
        floor="chance" if params.floors.any() else "none",
        clip=_CLIP,
    )
    number = check_whole(models_per_family, "models_per_family")
    return Plan(params, model, number, check_level(level), check_whole(seed, "seed", 0))


def _benchmarks(params: Parameters) -> list[str]:
    """Name the benchmarks so that the order of their names is their own."""
    digits = len(str(params.n_benchmarks))
    return [f"bench_{j + 1:0{digits}d}" for j in range(params.n_benchmarks)]


def _anchors(params: Parameters) -> dict[str, str]:
    """Return the first benchmark that loads on each skill alone."""
    alone = (params.loadings != 0.0).sum(axis=1) == 1
    names, anchors = _benchmarks(params), {}
    for k in range(params.n_skills):
        candidates = np.flatnonzero(alone & (params.loadings[:, k] > 0.0))
        if not len(candidates):
            raise LvkitError(
                f"skill {k + 1} has no anchor",
                where="params.loadings",
                expected="for each skill a benchmark that loads on it alone, positively",
                remedy="Take the parameters of a fit (fit.params), which have anchors.",
            )
        anchors[f"skill_{k + 1}"] = names[candidates[0]]
    return anchors


Task = tuple[int, int]
"""Number of families, and which replication."""

_SCHEMA = 1


class Record(NamedTuple):
    """What came out of a task.

    Attributes
    ----------
    table : DataFrame
        The fit's summary; empty if the fit was refused.
    converged : bool
        Whether the fit converged.
    reason : str
        If not, why.
    """

    table: pd.DataFrame
    converged: bool
    reason: str


@dataclass(eq=False)
class StudyFile:
    """Records by task, and the file they are kept in; make one with :meth:`open`.

    Attributes
    ----------
    path : Path or None
        The file; None keeps nothing.
    settings : dict
        All that the records depend on, as JSON can tell it.
    records : dict
        The tasks that are done.
    """

    path: Path | None
    settings: dict[str, Any]
    records: dict[Task, Record]

    @classmethod
    def open(cls, path: str | PathLike[str] | None, settings: dict[str, Any]) -> StudyFile:
        """Read a study's file, or begin one.

        Parameters
        ----------
        path : path-like, optional
            The file, which need not exist; None keeps nothing.
        settings : dict
            The study's settings.

        Raises
        ------
        LvkitError
            If the file cannot be read, or is that of a study with other settings.
        """
        if path is None:
            return cls(None, settings, {})
        path = Path(path)
        if not path.exists():
            new = cls(path, settings, {})
            new.save()  # a place that cannot be written to is refused now, not hours later
            return new
        kept = _read(path)
        try:
            records = {(n, r): _from_json(kept["names"], rest) for n, r, *rest in kept["records"]}
            found, schema = kept["settings"], kept["schema"]
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise _damaged(path) from error
        _check_settings(path, {"schema": _SCHEMA, **settings}, {"schema": schema, **found})
        return cls(path, settings, records)

    def save(self) -> None:
        """Write the file, whole or not at all."""
        if self.path is None:
            return
        names: dict[str, int] = {}
        rows = [[*task, *_to_json(record, names)] for task, record in sorted(self.records.items())]
        text = {
            "schema": _SCHEMA, "settings": self.settings, "names": list(names), "records": rows
        }  # fmt: skip
        write_whole(self.path, json.dumps(text))


def _to_json(record: Record, names: dict[str, int]) -> list[Any]:
    """Return a record as lists; its parameters are numbered by the order they are first met in."""
    rows = [names.setdefault(name, len(names)) for name in record.table.index]
    columns = {
        name: [None if np.isnan(value) else value for value in column.tolist()]
        for name, column in record.table.drop(columns="determined", errors="ignore").items()
    }
    return [record.converged, record.reason, rows, columns]


def _from_json(names: list[str], row: list[Any]) -> Record:
    """Return the record of :func:`_to_json`."""
    converged, reason, rows, columns = row
    index = pd.Index([names[at] for at in rows], name="parameter")
    table = pd.DataFrame(columns, index, dtype=float)
    if not (isinstance(converged, bool) and isinstance(reason, str)):
        raise TypeError
    return Record(table, converged, reason)


def _read(path: Path) -> dict[str, Any]:
    try:
        kept = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise LvkitError(f"cannot be read ({error.strerror})", where=f"'{path}'") from error
    except (ValueError, RecursionError) as error:
        raise _damaged(path) from error
    if not isinstance(kept, dict):
        raise _damaged(path)
    return kept


def _damaged(path: Path) -> LvkitError:
    return LvkitError(
        "damaged, or no file of a study",
        where=f"'{path}'",
        expected="a file that simulation_study(..., resume=path) wrote",
        remedy="Give the name of a new file, or delete this one.",
    )


def _check_settings(path: Path, asked: dict[str, Any], found: dict[str, Any]) -> None:
    """Name the settings that differ."""
    other = [name for name in asked if found.get(name) != asked[name]]
    if not other:
        return
    short = ", ".join(
        f"{name} ({found.get(name)!r}, not {asked[name]!r})" if name != "params" else name
        for name in other
    )
    raise LvkitError(
        f"the file is of another study: it differs in {short}",
        where=f"'{path}'",
        expected="a file of a study with the same settings",
        remedy="Give the same settings, the name of a new file, or delete this one.",
    )
