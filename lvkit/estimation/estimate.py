"""Estimation of a model on a panel: starting values, optimisation and the result.

One path for everything that fits: :func:`fit_model` for a single model, and the same pieces for the
search over the number of skills (:mod:`lvkit.fit.select_skills`).
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from lvkit.data.panel import Panel
from lvkit.errors import LvkitError, LvkitWarning, count
from lvkit.estimation.anchor_choice import anchor_reliability, suggest_anchors
from lvkit.estimation.fitted import Fitted
from lvkit.estimation.mml import MarginalNewton
from lvkit.estimation.objective import Ascent, Estimator, Objective, Report
from lvkit.estimation.psga import ProjectedStochasticAscent
from lvkit.estimation.settings import Settings
from lvkit.estimation.starts import principal, shaken
from lvkit.model.coordinates import Floors, Frame, MarkerChart, lower_triangular, read_only
from lvkit.model.marginal import Marginal
from lvkit.model.parameters import anchor, check_anchors
from lvkit.model.prepared import Prepared, prepare
from lvkit.tools.checks import check_choice, check_whole, check_workers
from lvkit.tools.parallel import run
from lvkit.tools.progress import ProgressChoice, progress_bar

METHODS: dict[str, Estimator] = {
    "mml": MarginalNewton(),
    "psga": ProjectedStochasticAscent(),
}

_VALUE_NODES = 2_048
"""Nodes of the reported log-likelihood."""

_QUICK = MarginalNewton(polish=False, tolerance=1e-3, by_parts=False)
_QUICK_NODES = 256

_EXACT = 1e5
"""A precision above this is no noise that a benchmark has, but scores fitted exactly."""

_ROUGH = 0.1
"""A family's log-likelihood with a larger Monte Carlo error than this is worth a word."""

_NAMED = 20
"""So many families such a word names."""

_FIRST_SLOPE_SD = 0.3
"""Where the search for random slopes begins, in standard deviations of the random intercepts."""


@dataclass(frozen=True, eq=False)
class Climb:
    """One start's ascent and how it is called in ``fit.starts``."""

    start: str
    ascent: Ascent
    seconds: float

    @property
    def loglik(self) -> float:
        """Log-likelihood by the nodes of the search, good for telling starts apart."""
        return self.ascent.trace[-1].loglik


def prepared_for(model: Settings, panel: Panel) -> Prepared:
    """Arrange a panel for a model, and check that they suit each other."""
    if not isinstance(panel, Panel):
        raise LvkitError(
            f"got a {type(panel).__name__}",
            where="panel",
            expected="a Panel",
            remedy="Make one with lv.read_panel(path) or lv.Panel.from_frame(table).",
        )
    prepared = prepare(panel, model.features, clip=model.clip, random_slope=model.family_slopes)
    if model.anchors is not None:
        check_anchors(model.anchors, prepared.benchmarks)
    return prepared


def _check_skills(prepared: Prepared, n_skills: int | None) -> int:
    if n_skills is None:
        raise LvkitError(
            "the number of skills is not given",
            where="LatentSkillModel",
            expected="anchors or n_skills",
            remedy="Try n_skills=4, or let lv.select_skills compare several numbers.",
        )
    if n_skills > len(prepared.benchmarks):
        raise LvkitError(
            f"got {n_skills} skills for {count(len(prepared.benchmarks), 'benchmark')}",
            where="n_skills",
            expected=f"at most {len(prepared.benchmarks)}, one skill per benchmark",
        )
    return n_skills


def objective_for(model: Settings, prepared: Prepared, n_skills: int | None) -> Objective:
    """Return the hill of a model with K skills on prepared data."""
    n_skills = _check_skills(prepared, n_skills)
    n_benchmarks, p = len(prepared.benchmarks), len(prepared.features.names)
    zeros = np.zeros(n_benchmarks)
    floors = {
        "none": Floors(zeros, zeros),
        "chance": Floors(prepared.chance, zeros),
        "estimate": Floors(zeros, prepared.chance),
    }[model.floor]
    chart = MarkerChart.intercepts(np.arange(n_skills), n_benchmarks, p, floors)
    if chart.size >= prepared.table.n_scores:
        raise LvkitError(
            f"got {count(prepared.table.n_scores, 'score')} for {chart.size} parameters",
            where="panel",
            expected="more scores than parameters",
            remedy="Use fewer skills or features, or add models.",
        )
    least = n_skills + 2
    counts = np.bincount(prepared.table.benchmark, minlength=n_benchmarks)
    for benchmark, own in zip(prepared.benchmarks, counts.tolist(), strict=True):
        if own < least:
            raise LvkitError(
                f"got {count(own, 'score')} for its loadings, intercept and precision",
                where=f"benchmark '{benchmark}'",
                expected=f"at least {least} scores with {count(n_skills, 'skill')}",
                remedy="Leave it out (panel.select(benchmarks=...)), or use fewer skills.",
            )
    return Objective(prepared.search_table, chart)


def climb_from(
    objective: Objective,
    frames: Sequence[tuple[str, Frame]],
    estimator: Estimator,
    *,
    seed: int,
    n_jobs: int | None,
    report: Report | None = None,
) -> Generator[Climb, None, None]:
    """Climb from several starts, in parallel under the user's joblib backend; yield in order.

    Each step is reported where the climbs are done in place, with one worker.
    """
    floors = objective.chart.floors
    begin = floors.fixed + 0.5 * floors.ceiling
    tasks = [(name, replace(frame, floors=begin)) for name, frame in frames]
    here = report if n_jobs == 1 else None
    calls = [(objective, name, frame, estimator, seed, here) for name, frame in tasks]
    # Threads by default: numpy lets go of the interpreter, and new processes cost more to start
    # than most climbs take.
    return run(_climb, calls, n_jobs, threads=True)


def _climb(
    objective: Objective,
    name: str,
    frame: Frame,
    estimator: Estimator,
    seed: int,
    report: Report | None,
) -> Climb:
    began = time.perf_counter()
    ascent = estimator.climb(objective, frame, seed=seed, report=report)
    return Climb(name, ascent, time.perf_counter() - began)


def fit_model(
    model: Settings,
    panel: Panel,
    *,
    method: str = "mml",
    seed: int = 0,
    starts: int = 1,
    n_jobs: int | None = 1,
    progress: ProgressChoice = False,
) -> Fitted:
    """Fit one model; see :meth:`lvkit.LatentSkillModel.fit`."""
    estimator = METHODS[check_choice(method, METHODS, "method")]
    seed, starts = check_whole(seed, "seed", 0), check_whole(starts, "starts")
    n_jobs = check_workers(n_jobs)
    prepared = prepared_for(model, panel)
    if model.family_slopes is not None:
        _check_slopes(prepared, model.family_slopes)
        model, objective, first = _with_slopes(model, panel, prepared, seed, n_jobs)
    else:
        objective = objective_for(model, prepared, model.k)
        first = principal(objective.table, objective.chart.n_skills)
    if starts == 1:  # the workers share the chunks of a large panel, not the starts
        objective = replace(objective, n_jobs=n_jobs)
    frames = [("principal", first)]
    for number in range(1, starts):
        rng = np.random.default_rng([seed, number])
        frames.append((f"shaken {number}", shaken(first, rng)))
    climbs = []
    with (
        progress_bar(progress, total=starts, label="Fitting") as bar,
        closing(climb_from(objective, frames, estimator, seed=seed, n_jobs=n_jobs)) as found,
    ):
        for climb in found:
            climbs.append(climb)
            bar.update()
            bar.set_postfix_str(f"log-likelihood {climb.loglik:.2f}")
    best = max(climbs, key=lambda climb: climb.loglik)
    return make_fit(model, panel, prepared, objective, climbs, best=best, method=method, seed=seed)


def _check_slopes(prepared: Prepared, feature: str) -> None:
    """Refuse slopes of the families' own on a feature that varies within no family."""
    if prepared.n_varying == 0:
        raise LvkitError(
            f"'{feature}' is the same for all models of each family",
            where="family_slopes",
            expected="a feature that varies within families",
            remedy="Fit without family_slopes: no family shows a slope of its own on it.",
        )


def _with_slopes(
    model: Settings, panel: Panel, prepared: Prepared, seed: int, n_jobs: int | None
) -> tuple[Settings, Objective, Frame]:
    """Return model, hill and start for slopes that differ between families.

    Such slopes are tied to the anchors, so the same model without them is fitted first: it is the
    start, and where no anchors were given it chooses them.
    """
    plain = fit_model(replace(model, family_slopes=None), panel, seed=seed, n_jobs=n_jobs)
    anchored = replace(model, anchors=plain.anchors, n_skills=None)
    objective = objective_at(anchored, prepared, plain.anchors)
    frame = prepared.to_search(plain.frame.to_markers(objective.chart.markers))
    root = lower_triangular(frame.factor)[0]
    zero, spread = np.zeros_like(root), _FIRST_SLOPE_SD * np.diag(np.linalg.norm(root, axis=1))
    factor = np.stack([np.hstack([root, zero]), np.hstack([zero, spread])])
    return anchored, objective, replace(frame, factor=factor)


def refit(fit: Fitted, panel: Panel) -> Fitted:
    """Fit the model of a fit to part of its data, quickly.

    The climb starts where the earlier fit ended and does without the last, fine stages: a fifth of
    the time, within a few hundredths of a standard error; less near on large, sparse tables.
    """
    model = replace(fit.model, anchors=fit.anchors, n_skills=None)
    prepared = prepared_for(model, panel)
    same = prepared.benchmarks == fit.benchmarks
    if not same or prepared.features.names != fit.feature_names:
        return fit_model(model, panel, seed=fit.seed)
    objective = objective_at(model, prepared, fit.anchors)
    start = [("earlier fit", prepared.to_search(fit.frame))]
    climbs = list(climb_from(objective, start, _QUICK, seed=fit.seed, n_jobs=1))
    return make_fit(
        model,
        panel,
        prepared,
        objective,
        climbs,
        best=climbs[0],
        method="mml",
        seed=fit.seed,
        nodes=_QUICK_NODES,
    )


def objective_at(model: Settings, prepared: Prepared, anchors: Mapping[str, str]) -> Objective:
    """Return the hill with the anchors as markers, for slopes that differ between families too."""
    markers = np.array(check_anchors(anchors, prepared.benchmarks))
    hill = objective_for(model, prepared, len(markers))
    pattern = hill.chart.pattern
    if model.family_slopes is not None:
        off = np.zeros_like(pattern[0])
        own = np.eye(len(markers), dtype=bool)
        pattern = np.stack([np.hstack([pattern[0], off]), np.hstack([off, own])])
    return replace(hill, chart=replace(hill.chart, markers=markers, pattern=pattern))


def make_fit(
    model: Settings,
    panel: Panel,
    prepared: Prepared,
    objective: Objective,
    climbs: Sequence[Climb],
    *,
    best: Climb,
    method: str,
    seed: int,
    nodes: int = _VALUE_NODES,
) -> Fitted:
    """Return what the best of several climbs estimated, with a report on all of them."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1, user_api="blas"):
        found = objective.measure(best.ascent.frame, nodes, seed)
    frame = prepared.from_search(best.ascent.frame)
    if not _warn_of_exact_fits(frame, prepared.benchmarks):
        _warn_of_rough_integrals(found, prepared.families, nodes)
    anchors = model.anchors
    if anchors is None:
        reliability = anchor_reliability(frame, prepared.table)
        anchors = suggest_anchors(frame, prepared.benchmarks, reliability, most=1).best
    positions = check_anchors(anchors, prepared.benchmarks)
    anchored = anchor(frame, positions, list(anchors.values())).read_only()
    return Fitted(
        model=model,
        panel=panel,
        anchors=dict(anchors),
        frame=anchored,
        prepared=prepared,
        loglik=found.loglik,
        n_params=objective.chart.size,
        latent_means=read_only(found.mean),
        latent_covariances=read_only(found.covariance),
        converged=best.ascent.converged,
        message=best.ascent.message,
        method=method,
        seed=seed,
        starts=_report(climbs),
        trace=_trace(best.ascent),
    )


def _warn_of_exact_fits(frame: Frame, benchmarks: Sequence[str]) -> bool:
    """Name the benchmarks whose precision grew without bound; say whether there are any."""
    exact = [
        benchmark
        for benchmark, precision in zip(benchmarks, frame.log_precisions, strict=True)
        if precision > np.log(_EXACT)
    ]
    if exact:
        warnings.warn(
            f"fitted almost exactly, with a precision above {_EXACT:.0e}: {', '.join(exact)}. The "
            "likelihood hardly has a maximum there: use fewer skills, or leave benchmarks out.",
            LvkitWarning,
            stacklevel=5,  # the line that fits
        )
    return bool(exact)


def _warn_of_rough_integrals(found: Marginal, families: Sequence[str], nodes: int) -> None:
    """Name the families whose integral rests on few of the nodes.

    Where a family's posterior is of the shape that the nodes were placed for, nearly all count.
    What the others lack is held against as many nodes whatever the rule.
    """
    error = np.sqrt(np.maximum(found.n_nodes / found.effective_nodes - 1.0, 0.0) / nodes)
    rough = [name for name, off in zip(families, error, strict=True) if off > _ROUGH]
    if rough:
        named = ", ".join(rough[:_NAMED])
        more = f" and {len(rough) - _NAMED} more families" if len(rough) > _NAMED else ""
        warnings.warn(
            f"the log-likelihood may be off by {np.linalg.norm(error[error > _ROUGH]):.1f}: the "
            f"scores of {named}{more} say something of their latent vector that is far from "
            "normal. Look for errors in them, or use fewer skills.",
            LvkitWarning,
            stacklevel=5,  # the line that fits
        )


def _trace(ascent: Ascent) -> pd.DataFrame:
    columns = ["iteration", "loglik", "expected_gain"]
    rows = [[getattr(step, name) for name in columns] for step in ascent.trace]
    return pd.DataFrame(rows, columns=columns).set_index("iteration")


def _report(climbs: Sequence[Climb]) -> pd.DataFrame:
    rows = [
        {
            "start": climb.start,
            "loglik": climb.loglik,
            "converged": climb.ascent.converged,
            "steps": len(climb.ascent.trace),
            "seconds": climb.seconds,
        }
        for climb in climbs
    ]
    table = pd.DataFrame(rows).set_index("start")
    table["behind"] = table["loglik"].max() - table["loglik"]
    return table
