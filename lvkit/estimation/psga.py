"""Projected stochastic gradient ascent, the algorithm of arXiv 2512.06553.

No integral is computed on the way. Each iteration takes a batch of families, moves the chains that
follow their latent vectors (:mod:`lvkit.estimation.langevin_chains`), averages the complete-data
gradient over the draws, scales it to all families, takes a step, and projects the parameters back
onto the anchored form (:mod:`lvkit.estimation.anchored`). Steps shrink, and the estimate is the
average of the last half of the way (Polyak and Ruppert), which is as precise as if every step had
been the best one.

**The preconditioner.** In some directions only one or two per cent of the information that known
latent vectors would give is observed. Plain or diagonally scaled gradients must take steps that
the best determined directions bear, and need many thousands of them for the others. So steps are
``gamma P^-1 gradient`` with ``P = I_obs + damping (I_com + 1)``, where ``I_com`` is the information
there would be if the latent vectors were known, and ``I_obs`` what is left of it when the missing
part is taken off (Louis' identity). Both are running averages over the same draws: a block for each
benchmark, and one full matrix for what the families' unknown vectors tie together. The damping
bounds the steps in directions that are hardly observed, where the noise of the chains is largest;
it falls with the step size.

**Stopping.** After every window of iterations two numbers are compared with a tolerance, both in
units of log-likelihood: what the noise that is left in the average costs, judged by how much higher
the average lies than the averages of its two halves, and what a Newton step from the average would
still gain. Both, and the log-likelihood in the trace, take evaluations of the integral; they steer
nothing, except that a search that has fallen far goes back to the best average and tries shorter
steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lvkit.estimation.anchored import AnchoredChart, Information, damped_solution, missing
from lvkit.estimation.langevin_chains import Chains, batches
from lvkit.estimation.mml import MarginalNewton
from lvkit.estimation.objective import Ascent, Objective, Report, Step
from lvkit.model.coordinates import Frame
from lvkit.model.marginal import integrate
from lvkit.model.quadrature import make_nodes, search_nodes
from lvkit.tools.checks import check_whole

Array = npt.NDArray[np.float64]

_BOLDEST = 0.4
"""No direction is stepped along by more than this share of an EM step."""

_LEAST_DAMPING = 0.15
"""Noise in the information is held off by at least this share of the complete-data information."""

_LONGEST = 3.0
"""Longest step, in standard errors that there would be if the latent vectors were known."""

_MOVES = 2
"""Proposals for each chain at each visit."""

_FIRST_VISITS = 60
"""So many times a batch brings its information up to date at every visit."""

_REFRESH = 5
"""After that, at every fifth."""

_MOST_BATCHES = 4
"""More batches would make the gradient noisier than its steps can bear."""

_FEWEST_WINDOWS = 8
"""No verdict on fewer windows."""

_BETTER_ANCHORS = 2.0
"""Anchors are exchanged for others that span this many times their volume."""

_FALL = 5.0
"""Where the average has fallen by more, steps were too long: back to the best, at half the pace."""

_JUDGING_NODES = 512
"""Nodes for the verdict: the information must be right where hardly any is observed."""

_EXACT = np.log(1e7)
"""A log precision this high is on its way to infinity."""

_LIMIT = "iteration limit reached"

_LOOK = MarginalNewton(max_iterations=1, polish=False, by_parts=False)
"""Looks at log-likelihood and expected gain, and does not move."""


@dataclass(frozen=True)
class ProjectedStochasticAscent:
    """The paper's own estimator.

    Attributes
    ----------
    tolerance : float
        Converged when neither the noise in the averaged parameters nor the expected further gain is
        worth more than this, in units of log-likelihood.
    max_iterations : int
        Most iterations.
    batch : int
        Most families in a batch, unless that made more than four batches: then a quarter of all.
    chains : int
        Chains of each family, at least two.
    step, warmth, fade : float
        Step t is ``step * (1 + t / warmth) ** -fade`` times the preconditioned gradient. With a
        fade above one half and at most one the steps add up to infinity and their squares do not.
    window : int
        Iterations between two looks at the log-likelihood.
    """

    tolerance: float = 0.25
    max_iterations: int = 6_000
    batch: int = 40
    chains: int = 8
    step: float = 0.3
    warmth: float = 100.0
    fade: float = 0.6
    window: int = 100
    name: str = "psga"

    def __post_init__(self) -> None:
        """Refuse settings that make no sense."""
        check_whole(self.max_iterations, "max_iterations")
        check_whole(self.batch, "batch")
        check_whole(self.chains, "chains", 2)
        check_whole(self.window, "window")

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
            Seed of batches, chains and nodes.
        report : callable, optional
            Called with each :class:`~lvkit.estimation.objective.Step`, one for each window.

        Returns
        -------
        Ascent
            Its trace is that of the averaged parameters. `converged` says that both parts of the
            stopping rule are met; `expected_gain` is the second of them. A search that ends at its
            iteration limit returns the best average seen, or the start if none was better.
        """
        best, trace = start, [_look(objective, start, seed, 0)]
        top, gain, message = trace[0].loglik, trace[0].expected_gain, ""
        if report is not None:
            report(trace[0])
        run = _Run(self, objective, start, seed)
        while not message:
            latest = run.attempt()
            if latest is None or latest.loglik < top - _FALL:
                run.restart(best)
                latest = _look(objective, best, seed, run.iteration)
            message, gain = self._verdict(run, latest)
            limit = message.startswith(_LIMIT)
            if latest.loglik >= top or (message and not limit):
                best, top = run.average(), latest.loglik
            elif limit:
                message += f"; an earlier average, {top - latest.loglik:.2f} higher, is kept"
                latest = _look(objective, best, seed, run.iteration)
                gain = max(latest.expected_gain, run.gain(best))
                message += f", from where it is {gain:.2f}"
            trace.append(latest)
            if report is not None:
                report(latest)
        return Ascent(best, message.startswith("converged"), message, gain, tuple(trace))

    def _verdict(self, run: _Run, latest: Step) -> tuple[str, float]:
        """Return why the search ends, or nothing, and the expected further gain."""
        gain, last = latest.expected_gain, run.iteration >= self.max_iterations
        if run.frame.log_precisions.max() >= _EXACT:
            exact = f"a precision passed {np.exp(_EXACT):.0e}: some scores are fitted exactly, and "
            return exact + "the likelihood has no maximum", gain
        promising = len(run.means) >= _FEWEST_WINDOWS and gain < self.tolerance
        if not promising and not last:
            return "", gain
        gain, noise = max(gain, run.gain(run.average())), run.noise()
        state = f"expected further gain {gain:.2f}, noise in the average worth {noise:.2f}"
        if promising and max(gain, noise) < self.tolerance:
            return f"converged: {state}", gain
        return (f"{_LIMIT}: {state}" if last else ""), gain


def _look(objective: Objective, frame: Frame, seed: int, iteration: int) -> Step:
    """Return log-likelihood and expected gain within a trust region, by few nodes."""
    seen = _LOOK.climb(objective, frame, seed=seed).trace[0]
    return Step(iteration, seen.loglik, seen.expected_gain)


class _Run:
    """Where a search is: parameters, chains, information, and the windows' averages."""

    def __init__(
        self, settings: ProjectedStochasticAscent, objective: Objective, start: Frame, seed: int
    ) -> None:
        self.settings, self.objective, self.seed = settings, objective, seed
        rng, self.sources = np.random.default_rng([seed, 1]), np.random.SeedSequence([seed, 2])
        size = max(settings.batch, -(-objective.table.n_families // _MOST_BATCHES))
        self.tables = list(batches(objective.table, size, rng))
        self.turns = _rounds(len(self.tables), rng)
        self.iteration, self.brake = 0, 1.0
        self._begin(start)

    def _begin(self, start: Frame) -> None:
        """Place chains and learn the information where the parameters are."""
        self.chart = AnchoredChart.of(self.objective.chart, start)
        self.vector, self.means = self.chart.vector(start), list[Array]()
        settings, count = self.settings, len(self.tables)
        floors = len(self.chart.floors.free) > 0
        self.batches = [
            Chains(table, count=settings.chains, floors=floors, seed=source)
            for table, source in zip(self.tables, self.sources.spawn(count), strict=True)
        ]
        self.visits = [0] * count
        self.information = Information(count)
        coefficients = self.frame.coefficients()
        for chains in self.batches:
            complete = chains.move(coefficients, _MOVES)
            self.information.add(chains.known(coefficients), missing(complete))

    def restart(self, frame: Frame) -> None:
        """Begin anew from a frame, at half the pace."""
        self.brake *= 0.5
        self._begin(frame)

    def attempt(self) -> Step | None:
        """Run a window and look at the average; None where the likelihood cannot be computed."""
        try:
            with np.errstate(all="ignore"):
                self.window()
                seen = _look(self.objective, self.average(), self.seed, self.iteration)
        except np.linalg.LinAlgError:
            return None
        return seen if np.isfinite([seen.loglik, seen.expected_gain]).all() else None

    @property
    def frame(self) -> Frame:
        """The latest parameters."""
        return self.chart.frame(self.vector)

    @property
    def pace(self) -> float:
        """Size of the next step; 1 would be a Newton step."""
        own = self.settings
        return float(self.brake * own.step * (1.0 + self.iteration / own.warmth) ** -own.fade)

    def window(self) -> None:
        """Run the iterations of a window, and keep their average."""
        length = min(self.settings.window, self.settings.max_iterations - self.iteration)
        total, count = np.zeros_like(self.vector), 0
        for _ in range(length):
            if self._exchange_anchors():
                total, count = np.zeros_like(self.vector), 0
            self._iterate(next(self.turns))
            total += self.vector
            count += 1
        self.means.append(total / count)

    def average(self) -> Frame:
        """Return the average over the last half of the windows."""
        if not self.means:
            return self.frame
        return self.chart.frame(self.chart.project(np.mean(self._late(), axis=0)))

    def gain(self, frame: Frame) -> float:
        """Return the further gain a Newton step from an average promises, by many nodes.

        Half the squared Newton decrement, without a trust region: where hardly anything is
        observed, the top may be far away. Infinite where the average is not on a concave slope.
        """
        from scipy.linalg import cho_factor, cho_solve

        objective = self.objective.recentred(frame)
        nodes = make_nodes(objective.chart.n_latent, _JUDGING_NODES, self.seed)
        here = objective.evaluate(objective.chart.vector(frame), nodes)
        try:
            factor = cho_factor(here.information)
        except np.linalg.LinAlgError:
            return float("inf")
        return 0.5 * float(here.gradient @ cho_solve(factor, here.gradient))

    def noise(self) -> float:
        """Return what the noise in the average costs, in log-likelihood.

        It is how much higher the average lies than its halves do: the variance of a mean is a
        quarter of that of the difference between its halves.
        """
        late = self._late()
        half = len(late) // 2
        if half < 1:
            return float("inf")
        both, first, second = (self._height(part) for part in (late, late[:half], late[half:]))
        return max(0.0, both - 0.5 * (first + second))

    def _height(self, means: list[Array]) -> float:
        """Return the log-likelihood at the average over some windows."""
        q = self.objective.chart.n_latent
        coefficients = self.chart.frame(self.chart.project(np.mean(means, axis=0))).coefficients()
        nodes = make_nodes(q, search_nodes(q), self.seed)
        return integrate(self.objective.table, coefficients, nodes).loglik

    def _late(self) -> list[Array]:
        return self.means[len(self.means) // 2 :]

    def _exchange_anchors(self) -> bool:
        """Exchange anchors that hardly tell the skills apart; averaging then begins anew."""
        frame = self.frame
        chart = AnchoredChart.of(self.objective.chart, frame)
        if chart.volume(frame) <= _BETTER_ANCHORS * self.chart.volume(frame):
            return False
        self.chart, self.vector = chart, chart.vector(frame)
        self.means.clear()
        return True

    def _iterate(self, which: int) -> None:
        """Move the chains of one batch, and take one projected step."""
        chains, coefficients = self.batches[which], self.frame.coefficients()
        self.iteration += 1
        self.visits[which] += 1
        fresh = self.visits[which] <= _FIRST_VISITS or self.visits[which] % _REFRESH == 0
        if fresh:
            chains.place(coefficients)
        complete = chains.move(coefficients, _MOVES)
        if fresh:
            self.information.add(chains.known(coefficients), missing(complete))
        total = len(self.batches) * complete.mean(axis=3).sum(axis=2)
        gradient = self.chart.pull(self.vector, total)
        self.vector = self.chart.project(self.vector + self._step(gradient))

    def _step(self, gradient: Array) -> Array:
        """Return the step that a gradient asks for."""
        free = np.flatnonzero(self.chart.free(self.vector, gradient))
        both = self.information.at(self.chart, self.vector)
        known, lost = (part[np.ix_(free, free)] for part in both)
        pace = self.pace
        damping = max(pace / _BOLDEST, _LEAST_DAMPING)
        direction = damped_solution(known, lost, damping, gradient[free])
        length = float(np.sqrt(abs(direction @ known @ direction)))
        step = np.zeros_like(gradient)
        step[free] = direction * min(pace, _LONGEST / max(length, 1e-300))
        return step


def _rounds(count: int, rng: np.random.Generator) -> Iterator[int]:
    """Yield batch numbers, every batch once a round, each round in an order of its own."""
    while True:
        yield from rng.permutation(count).tolist()
