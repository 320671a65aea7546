"""The choice of anchors: which benchmarks measure the skills most clearly.

The likelihood cannot tell: every set of anchors fits equally well. But sets differ in how readable
the skills are. Good anchors measure their skills reliably and give a *simple structure*: each
benchmark rests on few skills, and the skills are not near copies of one another. Re-anchoring is
algebra, so all sets can be tried.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import combinations
from math import comb

import numpy as np
import numpy.typing as npt
import pandas as pd

from lvkit.model.beta import response
from lvkit.model.coordinates import Frame
from lvkit.model.score_table import ScoreTable

Array = npt.NDArray[np.float64]

_MOST_SETS = 200_000
"""More sets than this are not enumerated; the benchmarks that stand out are tried instead."""

_WORST_CORRELATION = 0.95

_WORST_RELIABILITY = 0.5
"""Below this, a benchmark's scores hold more noise than skill."""

_FEW = 1.0 / 3.0
"""A benchmark with a smaller share of the median benchmark's models or families has few scores."""

_LEAST = 0.01
"""Reliabilities below this are equally useless."""


@dataclass(frozen=True, eq=False)
class AnchorSuggestions:
    """Sets of anchors, best first.

    Attributes
    ----------
    table : DataFrame
        A row for each set: ``anchors``; ``complexity``, the mean number of skills a benchmark rests
        on (Hofmann; 1 is simplest); ``mean_correlation`` and ``max_correlation`` of the skills, in
        absolute value; ``reliability``, that of the least reliable anchor; ``score``, by which the
        sets are ranked (lower is better); ``reason``, in words.
    benchmarks : tuple of str
        All fitted benchmarks, whose names no automatic skill has.
    """

    table: pd.DataFrame
    benchmarks: tuple[str, ...] = field(repr=False)

    @property
    def best(self) -> dict[str, str]:
        """The best set, from automatic skill name (:func:`automatic_names`) to anchor."""
        return automatic_names(self.table["anchors"].iloc[0], self.benchmarks)

    def _repr_html_(self) -> str:
        return str(self.table.head(10).to_html(float_format="{:.2f}".format))


def automatic_names(anchors: Iterable[str], benchmarks: Iterable[str]) -> dict[str, str]:
    """Name the skills of automatic anchors, so that no skill has the name of a benchmark.

    Parameters
    ----------
    anchors : iterable of str
        One for each skill.
    benchmarks : iterable of str
        All names that are taken.

    Returns
    -------
    dict of str to str
        Skill name to anchor. A single skill is called ``general``; of several, each is called after
        its anchor, with ``_skill`` behind it. Where that is taken, a number follows.

    Examples
    --------
    >>> automatic_names(["mmlu"], ["mmlu", "gsm8k"])
    {'general': 'mmlu'}
    >>> automatic_names(["mmlu", "gsm8k"], ["mmlu", "gsm8k", "gsm8k_skill"])
    {'mmlu_skill': 'mmlu', 'gsm8k_skill2': 'gsm8k'}
    """
    anchors = list(anchors)
    taken = {name.casefold() for name in benchmarks}
    names: dict[str, str] = {}
    for anchor in anchors:
        stem = f"{anchor}_skill"
        if len(anchors) == 1:
            stem = "general_skill" if "general" in taken else "general"
        name, number = stem, 2
        while name.casefold() in taken:
            name, number = f"{stem}{number}", number + 1
        taken.add(name.casefold())
        names[name] = anchor
    return names


def anchor_reliability(frame: Frame, table: ScoreTable) -> Array:
    """Return how reliably each benchmark measures the skill that it would anchor.

    Parameters
    ----------
    frame : Frame
        The parameters, in any frame.
    table : ScoreTable
        The scores, with features in the frame's units.

    Returns
    -------
    ndarray, shape (J,)
        From 0 to 1; 0 also for a benchmark with few scores: with less than a third of the models or
        of the families that the median benchmark has.

    Notes
    -----
    An anchor's skill is what its scores depend on, so that the question is how much of a score is
    skill and how much noise: the reliability (communality) of the benchmark,
    ``signal / (signal + noise)`` in squared logits. The signal is the variance of its linear
    predictor over the models with a score, by features and by families; the noise is that of one
    score, by the delta method ``mu (1 - mu) / ((1 + phi) (d mu / d eta)^2)``, averaged as
    information, which is its inverse. K loadings explain a part of pure noise, K / (n - 1) of it on
    average; the share is therefore adjusted as an adjusted R^2 is.

    Both come from the reduced form, which is the same in every frame, at the cost of one pass over
    the scores. The loading's z-value would measure how *surely* a loading differs from zero, which
    any loading does with enough models, however little of the skill it tells; it would also need
    the curvature of the likelihood, which takes longer than many fits.
    """
    n_skills, size = frame.loadings.shape[1], table.n_benchmarks
    reduced, at = frame.coefficients(), table.benchmark
    counts = np.bincount(at, minlength=size)
    pairs = np.unique(np.stack([at, table.family]), axis=1)
    families = np.bincount(pairs[0], minlength=size)

    def mean(values: Array) -> Array:
        return np.asarray(np.bincount(at, values, minlength=size) / np.maximum(counts, 1))

    eta = reduced.fixed_part(table)
    signal = mean(np.square(eta - mean(eta)[at]))
    signal += mean(np.square(reduced.latent_weights(table)).sum(axis=1))
    floor = reduced.floor[at]
    mu = np.clip(response(eta, floor), 1e-9, 1.0 - 1e-9)
    slope = (mu - floor) * (1.0 - mu) / (1.0 - floor)
    precision = 1.0 + np.exp(reduced.log_precision[at])
    information = mean(np.square(slope) * precision / (mu * (1.0 - mu)))
    noise_share = 1.0 / (1.0 + signal * information)
    free = np.maximum(counts - 1 - n_skills, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        reliability = 1.0 - noise_share * (counts - 1) / free
    few = (counts < _FEW * np.median(counts)) | (families < _FEW * np.median(families))
    return np.where(few, 0.0, np.clip(np.nan_to_num(reliability, nan=0.0), 0.0, 1.0))


def suggest_anchors(
    frame: Frame, benchmarks: tuple[str, ...], reliability: Array, most: int = 20
) -> AnchorSuggestions:
    """Rank sets of anchors for a fitted model.

    Parameters
    ----------
    frame : Frame
        The parameters, in any frame.
    benchmarks : tuple of str, length J
        Names.
    reliability : ndarray, shape (J,)
        How reliably each measures its skill: :func:`anchor_reliability`.
    most : int
        How many sets to return.

    Returns
    -------
    AnchorSuggestions

    Notes
    -----
    For each set the loadings and correlations after re-anchoring are computed. A benchmark's
    complexity is ``(sum lambda^2)^2 / sum lambda^4`` (Hofmann, 1978); anchors have complexity one.
    Negative loadings make skills hard to read, so their share of the squared loadings counts as
    further complexity. To the mean complexity and the mean correlation is added the noise per
    signal of the least reliable anchor, ``1 / reliability - 1``: without it, a benchmark of pure
    noise would make a fine anchor, since no other benchmark rests on its skill. Sets with a
    correlation above 0.95 come behind all others, since their skills are hardly two, and sets with
    an anchor whose reliability is below 1/2 come behind these. Beyond 200,000 sets such benchmarks
    are left out, and then those that the others tell best.
    """
    n_skills = frame.loadings.shape[1]
    candidates = _candidates(frame, reliability, n_skills)
    sets = np.array(list(combinations(candidates, n_skills)))
    measures = [_measure(frame, chunk) for chunk in np.array_split(sets, -(-len(sets) // 5_000))]
    complexity, mean, largest = (np.concatenate(column) for column in zip(*measures, strict=True))
    least = reliability[sets].min(axis=1)
    score = complexity + mean + 1.0 / np.maximum(least, _LEAST) - 1.0
    score += 10.0 * (largest > _WORST_CORRELATION)
    score += 20.0 * (reliability[sets] < _WORST_RELIABILITY).sum(axis=1)
    order = np.argsort(np.round(score, 9), kind="stable")[:most]
    table = pd.DataFrame(
        {
            "anchors": [tuple(benchmarks[j] for j in sets[at]) for at in order],
            "complexity": complexity[order],
            "mean_correlation": mean[order],
            "max_correlation": largest[order],
            "reliability": least[order],
            "score": score[order],
        },
        index=pd.RangeIndex(1, len(order) + 1, name="rank"),
    )
    worst = [benchmarks[sets[at][np.argmin(reliability[sets[at]])]] for at in order]
    table["reason"] = [
        _reason(row, name) for row, name in zip(table.itertuples(), worst, strict=True)
    ]
    return AnchorSuggestions(table, benchmarks)


def _candidates(frame: Frame, reliability: Array, n_skills: int) -> npt.NDArray[np.intp]:
    """Return the benchmarks whose sets are tried, few enough of them."""
    candidates = np.arange(len(frame.loadings))
    if comb(len(candidates), n_skills) > _MOST_SETS:
        reliable = np.flatnonzero(reliability >= _WORST_RELIABILITY)
        candidates = reliable if len(reliable) >= n_skills else candidates
    while comb(len(candidates), n_skills) > _MOST_SETS:
        candidates = _without_plainest(frame, reliability, candidates)
    return candidates


def _without_plainest(
    frame: Frame, reliability: Array, candidates: npt.NDArray[np.intp]
) -> npt.NDArray[np.intp]:
    """Leave out the less reliable of the two candidates whose family effects are most alike."""
    effects = frame.loadings[candidates] @ frame.factor[0]
    directions = effects / np.maximum(np.linalg.norm(effects, axis=1, keepdims=True), 1e-12)
    alike = np.abs(directions @ directions.T) - np.eye(len(candidates))
    pair = np.array(np.unravel_index(np.argmax(alike), alike.shape))
    return np.delete(candidates, pair[np.argmin(reliability[candidates[pair]])])


def _measure(frame: Frame, sets: npt.NDArray[np.intp]) -> tuple[Array, Array, Array]:
    """Complexity, mean and largest absolute correlation of many sets of anchors at once."""
    rows = frame.loadings[sets]
    spread = np.linalg.norm(rows @ frame.factor[0], axis=2)
    transform = rows / np.maximum(spread, 1e-12)[:, :, None]
    singular = np.linalg.svd(transform, compute_uv=False)
    usable = singular[:, -1] > 1e-6 * singular[:, 0]
    identity = np.eye(transform.shape[1])
    safe = np.where(usable[:, None, None], transform, identity)
    inverse = np.linalg.inv(safe)
    squares = np.square(frame.loadings @ inverse)
    negative = np.where(frame.loadings @ inverse < 0.0, squares, 0.0)
    total = squares.sum(axis=2)
    complexity = np.square(total) / np.maximum(np.square(squares).sum(axis=2), 1e-300)
    complexity += negative.sum(axis=2) / np.maximum(total, 1e-300)
    factor = safe @ frame.factor[0]
    correlation = np.abs(factor @ np.swapaxes(factor, 1, 2))
    n_skills = len(identity)
    upper = correlation[:, *np.triu_indices(n_skills, 1)]
    mean = upper.mean(axis=1) if n_skills > 1 else np.zeros(len(sets))
    largest = upper.max(axis=1) if n_skills > 1 else np.zeros(len(sets))
    bad = ~usable
    return (
        np.where(bad, np.inf, complexity.mean(axis=1)),
        np.where(bad, 1.0, mean),
        np.where(bad, 1.0, largest),
    )


def _reason(row: object, weakest: str) -> str:
    """Say in words what speaks for or against a set, `weakest` being its least reliable anchor."""
    if len(row.anchors) == 1:  # type: ignore[attr-defined]
        return f"{weakest} measures the skill with a reliability of {row.reliability:.2f}"  # type: ignore[attr-defined]
    complexity, mean, largest = row.complexity, row.mean_correlation, row.max_correlation  # type: ignore[attr-defined]
    simple = (
        "simple structure"
        if complexity < 1.5
        else "fair structure"
        if complexity < 2.2
        else "mixed"
    )
    text = f"{simple}: a benchmark rests on {complexity:.1f} skills on average"
    if row.reliability < _WORST_RELIABILITY:  # type: ignore[attr-defined]
        text += f"; {weakest} hardly measures a skill (reliability {row.reliability:.2f})"  # type: ignore[attr-defined]
    if largest > _WORST_CORRELATION:
        return f"{text}; two skills are hardly two (correlation {largest:.2f})"
    return f"{text}; skills correlate {mean:.2f} on average, {largest:.2f} at most"
