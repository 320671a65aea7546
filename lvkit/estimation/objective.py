"""The hill: the marginal log-likelihood as a function of one vector, and what climbers return."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from lvkit.model.coordinates import Frame, MarkerChart
from lvkit.model.marginal import Marginal, integrate, refined
from lvkit.model.quadrature import Nodes, lean_nodes, make_nodes, search_nodes
from lvkit.model.score_table import Coefficients, ScoreTable

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The objective and its local shape at one vector.

    Attributes
    ----------
    vector : ndarray, shape (size,)
        Where it was evaluated.
    loglik : float
        Marginal log-likelihood.
    gradient : ndarray, shape (size,)
        Its gradient.
    information : ndarray, shape (size, size)
        Minus its Hessian: the observed information.
    complete : ndarray, shape (size, size)
        The information there would be if the latent vectors had been observed.
    scores : ndarray, shape (L, size)
        Each family's gradient; they add up to the whole.
    modes : ndarray, shape (L, q)
        Posterior modes of the families, a warm start for a neighbouring vector.
    """

    vector: Array
    loglik: float
    gradient: Array
    information: Array
    complete: Array
    scores: Array
    modes: Array


@dataclass(frozen=True, eq=False)
class Objective:
    """Marginal log-likelihood of a table of scores as a function of the free vector.

    Attributes
    ----------
    table : ScoreTable
        The scores.
    chart : MarkerChart
        What the free vector means.
    n_jobs : int, optional
        Threads for each evaluation on a large table; the numbers do not depend on it.
    at_means : bool
        Whether :meth:`evaluate` places the nodes of a large table by the posterior means, which
        takes a pass more and is better where families have few scores.
    """

    table: ScoreTable
    chart: MarkerChart
    n_jobs: int | None = 1
    at_means: bool = False

    @property
    def lean(self) -> tuple[Nodes, ...]:
        """The nodes for large tables, to search, to finish and to measure; none for others."""
        return lean_nodes(self.chart.n_latent) if self.table.n_scores > LARGE else ()

    def recentred(self, frame: Frame) -> Objective:
        """Return the same hill on the chart that suits a frame best."""
        return replace(self, chart=self.chart.recentred(frame.loadings))

    def attempt(self, vector: Array, nodes: Nodes, modes: Array) -> Evaluation | None:
        """Return :meth:`evaluate`, or None where the likelihood cannot be computed.

        A step may lead to where precisions overflow; a climber then takes a shorter one.
        """
        try:
            with np.errstate(all="ignore"):
                there = self.evaluate(vector, nodes, modes)
        except np.linalg.LinAlgError:
            return None
        parts = (there.loglik, there.gradient, there.information, there.complete)
        return there if all(np.isfinite(part).all() for part in parts) else None

    def evaluate(self, vector: Array, nodes: Nodes, modes: Array | None = None) -> Evaluation:
        """Return value, gradient and information at a vector.

        Notes
        -----
        The chain rule through the benchmark coefficients R(v): gradient ``J' g`` and Hessian
        ``J' H J + sum_r g_r d2R_r``. The complete-data information leaves the last term out, which
        keeps it positive semi-definite wherever the benchmarks' own information is.
        """
        chart = self.chart
        coefficients, floors = chart.coefficients(vector), len(chart.floors.free) > 0
        if self.at_means:
            return self._chained(vector, self._at_means(coefficients, order=2, floors=floors))
        found = integrate(
            self.table,
            coefficients,
            nodes,
            order=2,
            floors=floors,
            start=modes,
            tolerance=1e-3,
            n_jobs=self.n_jobs,
        )
        return self._chained(vector, found)

    def survey(self, frame: Frame, nodes: Nodes, seed: int = 0) -> Evaluation:
        """Return :meth:`evaluate` at a frame, the nodes placed by the posterior means.

        The search's few nodes are good for a step; standard errors need finer ones. Large tables
        have nodes of their own (:attr:`lean`).
        """
        vector = self.chart.vector(frame)
        return self._chained(vector, self._refined(self.chart.frame(vector), nodes, seed, order=2))

    def measure(self, frame: Frame, count: int, seed: int = 0) -> Marginal:
        """Return the log-likelihood of a frame by `count` well-placed nodes, and the posterior.

        Large tables have nodes of their own (:attr:`lean`).
        """
        return self._refined(frame, make_nodes(self.chart.n_latent, count, seed), seed, order=0)

    def _refined(self, frame: Frame, second: Nodes, seed: int, *, order: int) -> Marginal:
        q, coefficients = self.chart.n_latent, frame.coefficients()
        floors = order > 0 and len(self.chart.floors.free) > 0
        if self.lean:
            return self._at_means(coefficients, order=order, floors=floors)
        options: dict[str, Any] = {"order": order, "floors": floors, "n_jobs": self.n_jobs}
        count = max(256, search_nodes(q))
        if order == 0:
            count = min(count, second.points.shape[1])
        return refined(self.table, coefficients, make_nodes(q, count, seed), second, **options)

    def _at_means(self, coefficients: Coefficients, *, order: int, floors: bool) -> Marginal:
        """Integrate a large table by its finest nodes, placed by means that the others find."""
        *_, first, second = self.lean
        options: dict[str, Any] = {"order": order, "floors": floors, "n_jobs": self.n_jobs}
        return refined(self.table, coefficients, first, second, **options)

    def _chained(self, vector: Array, found: Marginal) -> Evaluation:
        """Carry derivatives by the benchmark coefficients over to the free vector."""
        assert found.scores is not None
        assert found.hessian is not None
        assert found.complete is not None
        chart, by_coefficient = self.chart, found.gradient
        jacobian = chart.jacobian(vector)
        hessian = jacobian.T @ found.hessian @ jacobian + chart.bend(vector, by_coefficient)
        by_benchmark = jacobian.reshape(*found.complete.shape[:2], -1)
        complete = np.tensordot(by_benchmark, found.complete @ by_benchmark, ((0, 1), (0, 1)))
        scores = found.scores.reshape(len(found.scores), -1) @ jacobian
        return Evaluation(
            vector=vector,
            loglik=found.loglik,
            gradient=jacobian.T @ by_coefficient.ravel(),
            information=-hessian,
            complete=-complete,
            scores=scores,
            modes=found.posterior.mode,
        )


@dataclass(frozen=True)
class Step:
    """One line of an estimator's trace."""

    iteration: int
    loglik: float
    expected_gain: float


Report = Callable[[Step], None]


@dataclass(frozen=True, eq=False)
class Ascent:
    """Where an estimator got to.

    Attributes
    ----------
    frame : Frame
        The parameters found.
    converged : bool
        Whether the estimator's own criterion for a maximum is met.
    message : str
        Why it stopped, in words.
    expected_gain : float
        How much log-likelihood a local quadratic model says is still to be had (half the squared
        Newton decrement).
    trace : tuple of Step
        The way there.
    """

    frame: Frame
    converged: bool
    message: str
    expected_gain: float
    trace: tuple[Step, ...]


class Estimator(Protocol):
    """What every estimator offers."""

    @property
    def name(self) -> str:
        """The name it is asked for by."""
        ...

    def climb(
        self, objective: Objective, start: Frame, *, seed: int = 0, report: Report | None = None
    ) -> Ascent:
        """Maximise the objective from a starting point."""
        ...


Index = npt.NDArray[np.intp]

LARGE = 30_000
"""Tables of more scores than this are searched by parts, and by the nodes for large tables."""

_FIRST = 10_000
"""Scores of the first part."""

_GROWTH = 10
"""How many times larger each part is than the one before."""

_LARGEST = 1 / 3
"""Largest share of the table that is worth a climb of its own."""

_FAMILIES = 200
"""A part has this many families, or all: of a large family only some models. With 42 families of
20 models the directions that only families tell apart are hardly determined, and the way from there
takes twice as long as from 200 families of five."""

_LEAST = 200
"""Scores that each benchmark has in a part, if it has so many."""


def parts(table: ScoreTable, seed: int = 0) -> Iterator[ScoreTable]:
    """Yield random parts of a large table, each ten times the one before.

    Parameters
    ----------
    table : ScoreTable
        The whole. One of up to 30,000 scores has no parts.
    seed : int
        Seed of the choice.

    Yields
    ------
    ScoreTable
        Scores of some models of some families, some 10,000 in the first part, and at least 200 of
        every benchmark; more where it takes more to have them. All benchmarks keep their places.

    Notes
    -----
    Families come whole where they are not large, so that what they have in common can be learned.
    """
    if table.n_scores <= LARGE:
        return
    chooser, size = _Chooser(table, seed), _FIRST
    while True:
        rows = chooser.rows(size)
        if len(rows) > _LARGEST * table.n_scores:
            return
        yield table.rows(rows)
        size = _GROWTH * max(size, len(rows))


class _Chooser:
    """Chooses scores by families and models in random order; a larger part holds the smaller."""

    def __init__(self, table: ScoreTable, seed: int) -> None:
        self.table = table
        rng = np.random.default_rng([seed, 4])
        self.turn = rng.permutation(table.n_families)[table.family]  # of each score's family
        models, of_score = np.unique(table.model, return_inverse=True)
        self.place = _places(table, of_score, rng.permutation(len(models)))

    def rows(self, size: int) -> Index:
        """Return some `size` scores, in ascending order."""
        table = self.table
        n_families = min(_FAMILIES, table.n_families)
        near = self.place < size / n_families  # few enough scores of its family come before
        sizes = np.bincount(self.turn[near], minlength=table.n_families)
        chosen = np.arange(table.n_families) <= np.searchsorted(np.cumsum(sizes), size)
        for benchmark in range(table.n_benchmarks):
            turns = np.sort(self.turn[near & (table.benchmark == benchmark)])[:_LEAST]
            chosen[turns] = True
        return np.flatnonzero(near & chosen[self.turn])


def _places(table: ScoreTable, of_score: Index, turn: Index) -> Index:
    """Return how many scores of a score's family belong to models whose turn comes earlier."""
    order = np.lexsort((turn[of_score], table.family))
    family, model = table.family[order], of_score[order]
    at = np.arange(table.n_scores)
    first = np.maximum.accumulate(np.where(np.diff(model, prepend=-1) != 0, at, 0))
    begin = np.maximum.accumulate(np.where(np.diff(family, prepend=-1) != 0, at, 0))
    places = np.empty(table.n_scores, dtype=np.intp)
    places[order] = first - begin
    return places
