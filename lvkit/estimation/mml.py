"""Marginal maximum likelihood by Newton's method on the complete-data information.

Each step solves ``(I_obs + damping * I_com) step = gradient``: the observed information, by Louis'
identity, pulled towards the complete-data information as far as a trust region demands. Without
damping this is Newton's method and converges in a handful of steps; with much damping it is a small
EM step, which is always uphill. The trust region is measured in the metric of the complete-data
information, so it does not care about units, and directions in which most information is missing
are the ones held back.

Rejected alternative: L-BFGS on the same function needs twenty times as many evaluations, and its
stopping rule cannot tell a maximum from a plateau. Here the criterion is statistical: the
log-likelihood that the quadratic model says is still to be gained within three standard errors
(half the squared Newton decrement, near the top). It is judged on more nodes than the search used,
so that a maximum of the nodes' errors does not pass for one of the likelihood.

A large table is climbed on random parts of it first (:mod:`lvkit.estimation.objective`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from lvkit.estimation.objective import LARGE, Ascent, Evaluation, Objective, Report, Step, parts
from lvkit.model.coordinates import Frame
from lvkit.model.quadrature import Nodes, make_nodes, search_nodes

Array = npt.NDArray[np.float64]

_ACCEPT = 0.05
"""Least share of the predicted gain that a step must bring."""

_NOISE = 0.05
"""Log-likelihood differences below this are within the error of the nodes; more on large tables."""

_LEAST_RADIUS = 1e-3
"""A trust region smaller than this says that these nodes can take the search no further."""

_LEAST_METRIC = 1.0
"""No parameter moves by more than the trust region's radius, however little is known of it."""

_MOST_NODES = 1_024
"""Where the last stage gives up doubling its nodes."""

_RUNAWAY = np.log(1e7)
"""A log precision above this is on its way to infinity."""

_ROUGH = 1e-2
"""Expected gain at which the search hands over to the polishing nodes."""

_SETTLED = 1e-3
"""Expected gain, by the finest nodes, at which a climb on a large table is at its end: one of less
is a shift of the estimate by less than a twentieth of a standard error."""

_RADIUS = 3.0
"""First trust region: three standard errors, if the latent vectors were known."""

_STRETCHED = 4.0
"""Loadings above this say that the markers of the chart no longer suit."""


@dataclass(frozen=True, eq=False)
class _LocalModel:
    """The quadratic model at one point, in coordinates where the complete information is one."""

    curvature: Array  # eigenvalues: the share of the complete information that is observed
    slope: Array
    basis: Array

    @classmethod
    def at(cls, here: Evaluation) -> _LocalModel:
        values, vectors = np.linalg.eigh(here.complete)
        values = np.maximum(np.abs(values), _LEAST_METRIC)
        unit = vectors / np.sqrt(values)  # complete information is the identity here
        curvature, turn = np.linalg.eigh(unit.T @ here.information @ unit)
        basis = unit @ turn
        return cls(curvature, basis.T @ here.gradient, basis)

    @property
    def expected_gain(self) -> float:
        """Gain in log-likelihood that the best step within the first trust region predicts.

        Where the model is concave and the top is near, half the squared Newton decrement.
        """
        return self.step(_RADIUS)[2]

    def step(self, radius: float) -> tuple[Array, float, float]:
        """Return the best step within a radius, its length and the gain it predicts."""
        low = max(0.0, -1.0001 * self.curvature[0] + 1e-8)

        def length(damping: float) -> float:
            return float(np.linalg.norm(self.slope / (self.curvature + damping)))

        damping = low
        if length(low) > radius:
            damping = self._damping_for(radius, low)
        step = self.slope / (self.curvature + damping)
        gain = float(self.slope @ step - 0.5 * np.sum(self.curvature * step**2))
        return self.basis @ step, float(np.linalg.norm(step)), gain

    def _damping_for(self, radius: float, low: float) -> float:
        from scipy.optimize import brentq

        def excess(damping: float) -> float:
            return float(np.linalg.norm(self.slope / (self.curvature + damping))) - radius

        high = low + float(np.linalg.norm(self.slope)) / radius + 1.0
        return float(brentq(excess, low, high, xtol=1e-10, rtol=1e-6))


class _Way:
    """The steps of a climb: those on parts of the scores, then those on all of them."""

    def __init__(self, report: Report | None) -> None:
        self.steps: list[Step] = []
        self.told = ""  # of parts, for the message
        self._report, self._whole, self._begun = report, False, 0

    def begin(self, n_scores: int, *, whole: bool = False) -> None:
        """Note that the climb goes on with another part of the scores, or with all of them."""
        self._begun, self._whole = len(self.steps), whole
        if not whole:
            self.told += f"{', then' if self.told else '; begun'} on {n_scores:,}"
        elif self.told:
            self.told += f" of {n_scores:,} scores"

    @property
    def here(self) -> int:
        """Steps on the present part or whole."""
        return len(self.steps) - self._begun

    def add(self, loglik: float, gain: float) -> None:
        """Add a step; a log-likelihood of a part cannot be compared and is left out."""
        step = Step(len(self.steps), loglik if self._whole else float("nan"), gain)
        self.steps.append(step)
        if self._report is not None:
            self._report(step)


def _ladder(objective: Objective, seed: int) -> Iterator[Nodes]:
    """Yield the nodes of the search and then those that finish it, finer each time."""
    if objective.lean:
        yield from objective.lean
        return
    q = objective.chart.n_latent
    count = search_nodes(q)
    yield make_nodes(q, count, seed)
    while count < _MOST_NODES:
        count *= 2
        yield make_nodes(q, count, seed)


@dataclass(frozen=True)
class MarginalNewton:
    """The default estimator.

    Attributes
    ----------
    tolerance : float
        Converged when the expected further gain in log-likelihood is below this.
    max_iterations : int
        Most steps of the search.
    polish : bool
        Whether to finish with more nodes, doubled until the criterion is met; without, for a
        first look at many starts.
    by_parts : bool
        Whether to climb on parts of a large table first; not from a start near the top.
    """

    tolerance: float = 1e-5
    max_iterations: int = 200
    polish: bool = True
    by_parts: bool = True
    name: str = "mml"

    def climb(
        self, objective: Objective, start: Frame, *, seed: int = 0, report: Report | None = None
    ) -> Ascent:
        """Maximise the marginal log-likelihood from a starting point.

        Parameters
        ----------
        objective : Objective
            The hill.
        start : Frame
            Where to begin.
        seed : int
            Seed of the nodes.
        report : callable, optional
            Called with each :class:`~lvkit.estimation.objective.Step`.

        Returns
        -------
        Ascent
        """
        way, rough = _Way(report), max(self.tolerance, _ROUGH)
        ladder = _ladder(objective, seed)
        nodes = next(ladder)
        start, radius = self._on_parts(objective, start, nodes, seed, way)
        way.begin(objective.table.n_scores, whole=True)
        ascent = self._stage(objective, start, nodes, rough, way, radius)
        for nodes in ladder:
            left = way.here < self.max_iterations
            if not self.polish or not left or ascent.frame.log_precisions.max() > _RUNAWAY:
                break
            ascent = self._stage(objective, ascent.frame, nodes, self.tolerance, way)
            if ascent.converged:
                break
        if self.polish and objective.lean and ascent.converged:
            finer = replace(objective, at_means=True)
            ascent = self._stage(finer, ascent.frame, nodes, max(self.tolerance, _SETTLED), way)
        return replace(ascent, message=ascent.message + way.told)

    def _on_parts(
        self, objective: Objective, start: Frame, nodes: Nodes, seed: int, way: _Way
    ) -> tuple[Frame, float]:
        """Climb on parts of a large table; return where to begin on the whole, and how boldly.

        The top of a part lies within a few of the part's standard errors of the whole's, in each
        direction: so far the first step on the next part, or on the whole, may go.
        """
        radius, size = _RADIUS, objective.chart.size
        if not self.by_parts:
            return start, radius
        before = 0
        for part in parts(objective.table, seed):
            if before:
                radius = _RADIUS * float(np.sqrt(size * part.n_scores / before))
            way.begin(part.n_scores)
            hill = replace(objective, table=part)
            found = self._stage(hill, start, nodes, _ROUGH, way, radius).frame
            if found.log_precisions.max() > _RUNAWAY:
                break
            start, before = found, part.n_scores
        if before:
            radius = _RADIUS * float(np.sqrt(size * objective.table.n_scores / before))
        return start, radius

    def _stage(
        self,
        objective: Objective,
        start: Frame,
        nodes: Nodes,
        tolerance: float,
        way: _Way,
        radius: float = _RADIUS,
    ) -> Ascent:
        """Climb with one set of nodes until the expected gain is below a tolerance."""
        objective = objective.recentred(start)
        here = objective.evaluate(objective.chart.vector(start), nodes)
        gain, message, converged = float("inf"), "step limit reached", False
        model = _LocalModel.at(here)
        while True:
            gain = model.expected_gain
            way.add(here.loglik, gain)
            if gain < tolerance:
                message, converged = f"converged: expected further gain {gain:.1e}", True
                break
            if way.here >= self.max_iterations:
                break
            moved = self._move(objective, here, model, nodes, radius)
            if moved is None:
                message = f"no step improves the log-likelihood: expected further gain {gain:.1e}"
                break
            here, model, radius = moved
            frame = objective.chart.frame(here.vector)
            if frame.log_precisions.max() > _RUNAWAY:
                message = (
                    f"a precision passed {np.exp(_RUNAWAY):.0e}: some scores are fitted exactly, "
                    "and the likelihood has no maximum"
                )
                break
            if np.abs(frame.loadings).max() > _STRETCHED:
                objective = objective.recentred(frame)
                here = objective.evaluate(objective.chart.vector(frame), nodes, None)
                model = _LocalModel.at(here)
        frame = objective.chart.frame(here.vector)
        return Ascent(frame, converged, message, gain, tuple(way.steps))

    def _move(
        self,
        objective: Objective,
        here: Evaluation,
        model: _LocalModel,
        nodes: Nodes,
        radius: float,
    ) -> tuple[Evaluation, _LocalModel, float] | None:
        """Take the best step the trust region allows; None if it has shrunk to nothing.

        Gradient and value come from the same nodes, but the nodes move with the parameters, so they
        agree only up to the error of the nodes. Where the predicted gain is below that noise, a
        step is good if it brings the gradient closer to zero.
        """
        noise = _NOISE * max(1.0, objective.table.n_scores / LARGE)
        while radius > _LEAST_RADIUS:
            step, length, predicted = model.step(radius)
            there = objective.attempt(here.vector + step, nodes, here.modes)
            if there is None:
                radius = 0.25 * length
                continue
            after = _LocalModel.at(there)
            gained = there.loglik - here.loglik
            settles = predicted < noise and after.expected_gain < model.expected_gain
            if gained > _ACCEPT * predicted or settles:
                if gained > 0.75 * predicted and length > 0.8 * radius:
                    return there, after, 2.5 * radius
                poor = gained < 0.25 * predicted and not settles
                return there, after, 0.5 * length if poor else radius
            radius = 0.25 * length
        return None
