"""Which benchmarks to evaluate next, in order of expected information for their cost.

Evaluations cost money, and most of them say again what others have said. For a model of which
nothing or little has been measured, a plan of evaluations lists the benchmarks that are left in the
order in which to run them: at each step the one that is expected to take most off the standard
deviation of the target, for what it costs. A target is a skill, a benchmark's expected score, a
weighted mix of either, or all skills together. :mod:`lvkit.planning.information_gain` has the
formulas.

The parameters are taken as known, and the model as right: the plan is about what scores can still
tell of the model at hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from html import escape

import numpy as np
import numpy.typing as npt
import pandas as pd

from lvkit.data.panel import Panel, benchmark_labels
from lvkit.errors import LvkitError, count, nearest
from lvkit.fit.fit import Fit
from lvkit.planning.information_gain import Candidates, Quantity
from lvkit.planning.target import read_target
from lvkit.prediction.distribution import latent_posteriors
from lvkit.prediction.request import Request, read_request
from lvkit.tools.checks import check_whole, is_number

Array = npt.NDArray[np.float64]

_IN_WORDS = 3
"""How many steps are put into words."""

_KINDS = {
    "known": "the scores of its family '{}'",
    "new": "the population of families",
    "unknown": "the population of families",
}
"""What a model is judged by, besides its own scores."""

_SKILLS_UNIT = "standard deviations among families, root mean square of the skills"

_SAID = {
    "items": "Costs are numbers of items.",
    "given": "Costs are as given.",
    "equal": "Every benchmark costs the same.",
}


@dataclass(frozen=True, eq=False)
class EvaluationPlan:
    """Which benchmarks to run next.

    Attributes
    ----------
    table : DataFrame
        A row for each benchmark, in the order in which to run them: ``benchmark``, ``cost``,
        ``sd_before`` and ``sd_after`` (standard deviation of the target before and, as expected,
        after the step), ``reduction``, ``reduction_per_cost`` and ``cumulative_cost``.
    candidates : DataFrame
        All benchmarks as the first step sees them, each as if it were run first; the best first.
    words : tuple of str
        The same in plain sentences.
    model : str
        The model's name.
    label, unit : str
        What is wanted, and what its standard deviation is measured in.
    known : tuple of str
        Benchmarks whose scores of this model are known, and are conditioned on.
    costs : {"items", "given", "equal"}
        What the costs are.
    labels : mapping of str to str
        What to call the benchmarks in figures and sentences.
    """

    table: pd.DataFrame
    candidates: pd.DataFrame
    words: tuple[str, ...]
    model: str
    label: str
    unit: str
    known: tuple[str, ...]
    costs: str
    labels: Mapping[str, str] = field(default_factory=dict, repr=False)

    def _repr_html_(self) -> str:
        said = " ".join(escape(sentence) for sentence in self.words)
        table = self.table.to_html(index=False, float_format="{:.3g}".format)
        return f"<p>{said}</p>{table}"


def plan_evaluations(
    fit: Fit,
    models: pd.DataFrame | Panel,
    *,
    target: str | Mapping[str, float] | None = None,
    costs: Mapping[str, float] | str | None = "items",
    among: Iterable[str] | None = None,
    most: int | None = None,
    new_family: str = "error",
) -> EvaluationPlan:
    """Plan which benchmarks to run next on a model.

    Parameters
    ----------
    fit : Fit
        The fit.
    models : DataFrame or Panel
        One model, a row as in :meth:`Fit.predict`: its family is known, new with a few scores, or
        blank; scores in columns named after benchmarks are known already.
    target : str, mapping or None
        What is to be known better: a skill or a benchmark's expected score, by name
        (``"skill:x"`` or ``"benchmark:x"`` where a name is both); a mapping from names of either
        kind to weights; None for all skills, whose mean variance counts.
    costs : "items", mapping or None
        What running a benchmark costs: its number of items (all cost the same if one of them has no
        such number, and the words say so); your own costs in any unit, for every benchmark that is
        left; None if all cost the same.
    among : iterable of str, optional
        The benchmarks that can be run; None for all of the fit.
    most : int, optional
        How many benchmarks to plan for; None for all that are left.
    new_family : {"error", "population"}
        As in :meth:`Fit.predict`.

    Returns
    -------
    EvaluationPlan

    Raises
    ------
    LvkitError
        For more than one model, unknown names, costs that are no positive numbers, and if no
        benchmark is left.

    Notes
    -----
    Greedy: each step takes the benchmark with the largest expected fall of the standard deviation
    per unit of cost, given the steps before it. In simulations the standard deviations that the
    plan tells are within 4 % of what drawn scores leave on average, most of them within 1 %
    (``docs/planning.md``). Scores that have come in may change the order: give them with the model
    and plan again.

    Examples
    --------
    Every benchmark is expected to leave less than the one before:

    >>> import lvkit as lv
    >>> model = lv.LatentSkillModel(n_skills=1, features="log_params")
    >>> fit = model.fit(lv.load_leaderboard().complete())
    >>> new = pd.DataFrame([{"model": "new", "family": None, "params_b": 8.0}])
    >>> plan = plan_evaluations(fit, new, costs=None)
    >>> bool((plan.table["sd_after"].diff().dropna() < 0.0).all())
    True
    """
    request = read_request(fit, models, new_family)
    if request.size != 1:
        raise LvkitError(
            f"got {request.size} models",
            where="models",
            expected="one, since each model has a plan of its own",
        )
    known = _known(fit, request)
    left = _left(fit, known, among)
    prices, kind, remark = _prices(fit, left, costs)
    latent = tuple(part[0, 0] for part in latent_posteriors(fit, request, [fit.frame]))
    candidates = Candidates.of(
        fit.frame.coefficients(), request.design[0], request.features[0], latent, fit.model.clip
    )
    label, unit, quantity = _wanted(fit, request, target, candidates, latent)
    number = len(left) if most is None else min(check_whole(most, "most"), len(left))
    table, first = _greedy(fit, candidates, quantity, latent[1], left, prices, number)
    words = _words(request, label, unit, known, table, remark or _SAID[kind])
    labels = benchmark_labels(fit.panel)
    return EvaluationPlan(table, first, words, request.models[0], label, unit, known, kind, labels)


def _known(fit: Fit, request: Request) -> tuple[str, ...]:
    """Return the benchmarks whose scores of the model the evidence holds."""
    name, family = request.models[0], request.families[0]
    measured = ~np.isnan(request.scores[0])
    if name in fit.prepared.models and fit.panel.models.loc[name, "family"] == family:
        measured |= fit.panel.scores.loc[name, list(fit.benchmarks)].notna().to_numpy()
    return tuple(np.array(fit.benchmarks, dtype=object)[measured])


def _left(fit: Fit, known: tuple[str, ...], among: Iterable[str] | None) -> list[str]:
    """Return the benchmarks that can still be run."""
    chosen = fit.benchmarks if among is None else tuple(among)
    for name in chosen:
        if name not in fit.benchmarks:
            raise LvkitError(
                f"got {name!r}",
                where="among",
                expected="benchmarks of the fit: " + ", ".join(fit.benchmarks),
                remedy=nearest(str(name), fit.benchmarks).strip(),
            )
    left = [name for name in fit.benchmarks if name in chosen and name not in known]
    if not left:
        raise LvkitError(
            "no benchmark is left to run",
            where="among" if among is not None else "models",
            expected="a benchmark without a score",
            remedy="fit.predict_skills says what the known scores tell.",
        )
    return left


def _prices(
    fit: Fit, left: list[str], costs: Mapping[str, float] | str | None
) -> tuple[Array, str, str]:
    """Return each benchmark's cost, what the costs are, and a remark ("" if none is needed)."""
    if costs is None:
        return np.ones(len(left)), "equal", ""
    if isinstance(costs, str):
        if costs != "items":
            raise LvkitError(
                f"got {costs!r}", where="costs", expected="'items', a mapping, or None"
            )
        items = fit.panel.benchmarks.loc[left, "n_items"].astype(float)
        lacking = items.index[items.isna()]
        if len(lacking):
            remark = f"Every benchmark costs the same, since '{lacking[0]}' has no number of items."
            return np.ones(len(left)), "equal", remark
        return np.asarray(items, dtype=float), "items", ""
    if not isinstance(costs, Mapping):
        raise LvkitError(f"got {costs!r}", where="costs", expected="'items', a mapping, or None")
    return _given_prices(fit, left, costs), "given", ""


def _given_prices(fit: Fit, left: list[str], costs: Mapping[str, float]) -> Array:
    for name in costs:
        if name not in fit.benchmarks:
            raise LvkitError(
                f"got {name!r}",
                where="costs",
                expected="benchmarks of the fit: " + ", ".join(fit.benchmarks),
                remedy=nearest(str(name), fit.benchmarks).strip(),
            )
    lacking = [name for name in left if name not in costs]
    if lacking:
        raise LvkitError(
            f"no cost for '{lacking[0]}'",
            where="costs",
            expected="a cost for every benchmark that is left",
            remedy="Add it, or leave the benchmark out with among=[...].",
        )
    for name in left:
        value = costs[name]
        if not (is_number(value) and value > 0.0):
            raise LvkitError(
                f"got {value!r}", where=f"costs, '{name}'", expected="a positive number"
            )
    return np.array([float(costs[name]) for name in left])


def _wanted(
    fit: Fit,
    request: Request,
    target: str | Mapping[str, float] | None,
    candidates: Candidates,
    latent: tuple[Array, ...],
) -> tuple[str, str, Quantity]:
    """Return what is to be known better: its name, its unit, and how it follows from z."""
    skills = np.einsum("r,rkq->kq", request.design[0], fit.frame.factor)
    if target is None:
        mix = np.eye(len(skills)) / len(skills)
        return "all skills", _SKILLS_UNIT, Quantity.skills(skills, mix, latent[1])
    goal = read_target(fit, target)
    chosen, mix = goal.positions, np.outer(goal.weights, goal.weights)
    if goal.kind == "skill":
        return goal.label, goal.unit, Quantity.skills(skills[chosen], mix, latent[1])
    reduced = fit.frame.coefficients()
    centre = candidates.weights @ latent[0] + reduced.feature @ request.features[0]
    centre = (centre + reduced.intercept)[chosen]
    quantity = Quantity.scores(
        candidates.weights[chosen], centre, reduced.floor[chosen], mix, latent[1]
    )
    return goal.label, goal.unit, quantity


def _greedy(
    fit: Fit,
    candidates: Candidates,
    quantity: Quantity,
    covariance: Array,
    left: list[str],
    prices: Array,
    number: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the steps, and all benchmarks as the first step sees them."""
    price = dict(zip(left, prices, strict=True))
    rows: list[pd.Series] = []
    first: pd.DataFrame | None = None
    before = quantity.left(covariance)
    for _ in range(number):
        taken = {row["benchmark"] for row in rows}
        after = {
            name: candidates.after(covariance, fit.benchmarks.index(name))
            for name in left
            if name not in taken
        }
        step = pd.DataFrame(
            [(name, price[name], before, quantity.left(p)) for name, p in after.items()],
            columns=["benchmark", "cost", "sd_before", "sd_after"],
        )
        step["reduction"] = step["sd_before"] - step["sd_after"]
        step["reduction_per_cost"] = step["reduction"] / step["cost"]
        step = step.sort_values("reduction_per_cost", ascending=False, kind="stable")
        first = step.reset_index(drop=True) if first is None else first
        rows.append(step.iloc[0])
        before, covariance = float(rows[-1]["sd_after"]), after[rows[-1]["benchmark"]]
    assert first is not None
    table = pd.DataFrame(rows).reset_index(drop=True)
    return table.assign(cumulative_cost=table["cost"].cumsum()), first


def _words(
    request: Request,
    label: str,
    unit: str,
    known: tuple[str, ...],
    table: pd.DataFrame,
    costs: str,
) -> tuple[str, ...]:
    """Return the plan in plain sentences."""
    start = table["sd_before"].iloc[0]
    whose = _KINDS[request.kinds[0]].format(request.families[0])
    scores = count(len(known), "known score")
    given = f" and {scores} of its own" if known else ""
    sentences = [
        f"{request.models[0]}, judged by {whose}{given}: the standard deviation of {label} is "
        f"{start:.3g} ({unit})."
    ]
    for number, row in enumerate(table.head(_IN_WORDS).itertuples()):
        verb = "Run" if number == 0 else "Then run"
        sentences.append(
            f"{verb} {row.benchmark}: it is expected to leave {row.sd_after:.3g} of "
            f"{row.sd_before:.3g}."
        )
    if len(table) > _IN_WORDS:
        end = table["sd_after"].iloc[-1]
        sentences.append(
            f"After all {count(len(table), 'benchmark')} of the plan {end:.3g} would be left."
        )
    return (*sentences, costs)
