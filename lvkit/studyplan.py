"""One task of a simulation study: draw a panel from the truth, fit it, and keep what comes out.

A task is told by its number of families and the number of the replication; all else is settled
before, in a :class:`Plan`, so that a task can run anywhere and gives the same numbers everywhere.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd

from lvkit._version import __version__
from lvkit.checks import check_level, check_whole
from lvkit.data.panel import Panel
from lvkit.errors import LvkitError, LvkitWarning
from lvkit.fitting import objective_for, prepared_for
from lvkit.freeparams import FreeParameters
from lvkit.model import LatentSkillModel
from lvkit.parameters import Parameters
from lvkit.simulation import simulate, simulate_models
from lvkit.studyfile import Record

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
