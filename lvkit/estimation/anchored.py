"""The anchored form of the parameters as constraints, and projection onto them.

A projected ascent moves in the coordinates people read: each skill has variance one and an anchor
benchmark that loads on it alone, positively. Three kinds of constraint keep it there, and each has
its own projection.

* The anchors' zeros are coordinates that do not move: the gradient is projected by leaving them
  out.
* Skills have **unit variance**. A skill's row of the latent factor and of the slopes, divided by a
  number, and its column of the loadings, multiplied by it, are the same model. The projection
  divides by the skill's standard deviation in that way, so it costs no likelihood.
* Anchor loadings and precisions are **positive**, floors lie between zero and their ceiling. The
  projection is onto the nearest admissible value.

Coordinates are the free loadings, the free entries of ``[C_1 .. C_m, G]`` (see
:mod:`lvkit.model.coordinates`), intercepts, log precisions, and the estimated floors themselves.

A climb also needs to know how much the scores tell, and learns it from the chains' draws. The
information in the scores is what there would be if the families' latent vectors were known, less
what is missing because they are not (Louis' identity): the mean complete-data information, a block
for each benchmark, less the posterior covariance of the complete-data gradient, a full matrix,
since a family's unknown vector ties all benchmarks together. The two nearly cancel in some
directions, so both are averaged over many draws.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from lvkit.model.coordinates import Floors, Frame, MarkerChart, choose_markers, lower_triangular

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_LEAST_LOADING = 1e-3
"""An anchor's loading stays above this, in logits per standard deviation of its skill."""

_LOG_PRECISIONS = (np.log(1e-2), np.log(1e7))
"""Log precisions stay within these bounds; at the upper one scores are fitted exactly."""


@dataclass(frozen=True, eq=False)
class AnchoredChart:
    """What the vector of a projected ascent means, and the set it is held to.

    Attributes
    ----------
    anchors : ndarray of int, shape (K,)
        Each skill's anchor.
    n_benchmarks, n_features : int
        J and p.
    pattern : ndarray of bool, shape (m, K, q)
        Which entries of the latent factor are free.
    floors : Floors
        Which floors are fixed and which are estimated.
    """

    anchors: npt.NDArray[np.intp]
    n_benchmarks: int
    n_features: int
    pattern: Mask
    floors: Floors

    @classmethod
    def of(cls, chart: MarkerChart, frame: Frame) -> AnchoredChart:
        """Return the anchored form of a chart's model, with anchors that suit a frame.

        The anchors are the benchmarks whose rows of the whitened loadings span the most volume: the
        skills they make are as nearly uncorrelated as can be. A factor that is tied to its markers
        keeps them.
        """
        anchors = chart.markers
        if len(chart.pattern) == 1:
            anchors = choose_markers(frame.coefficients().latent[0], chart.n_skills)
        return cls(anchors, chart.n_benchmarks, chart.n_features, chart.pattern, chart.floors)

    @property
    def n_skills(self) -> int:
        """K."""
        return len(self.anchors)

    @cached_property
    def _loading_mask(self) -> Mask:
        """Free loadings: an anchor loads on its own skill alone."""
        mask = np.ones((self.n_benchmarks, self.n_skills), dtype=bool)
        mask[self.anchors] = np.eye(self.n_skills, dtype=bool)
        return mask

    @cached_property
    def _mixing_mask(self) -> Mask:
        """Free entries of the K x (m q + p) matrix [C_1 .. C_m, G]."""
        latent = np.swapaxes(self.pattern, 0, 1).reshape(self.n_skills, -1)
        return np.concatenate([latent, np.ones((self.n_skills, self.n_features), bool)], axis=1)

    @cached_property
    def cuts(self) -> tuple[int, int, int, int]:
        """Where the mixing entries, intercepts, log precisions and floors begin in the vector."""
        mixing = int(self._loading_mask.sum())
        intercepts = mixing + int(self._mixing_mask.sum())
        precisions = intercepts + self.n_benchmarks
        return mixing, intercepts, precisions, precisions + self.n_benchmarks

    @property
    def size(self) -> int:
        """Length of the vector: the number of parameters and K variances, which are held at one."""
        return self.cuts[3] + len(self.floors.free)

    @cached_property
    def bounds(self) -> tuple[Array, Array]:
        """Least and greatest admissible value of each coordinate."""
        low, high = np.full(self.size, -np.inf), np.full(self.size, np.inf)
        of_anchor = np.zeros_like(self._loading_mask)
        of_anchor[self.anchors] = np.eye(self.n_skills, dtype=bool)
        low[: self.cuts[0]][of_anchor[self._loading_mask]] = _LEAST_LOADING
        at = slice(self.cuts[2], self.cuts[3])
        low[at], high[at] = _LOG_PRECISIONS
        low[self.cuts[3] :] = 0.0
        high[self.cuts[3] :] = self.floors.ceiling[self.floors.free]
        return low, high

    def _matrices(self, vector: Array) -> tuple[Array, Array]:
        """Return the loadings (J, K) and the mixing matrix (K, m q + p)."""
        loadings, mixing = np.zeros(self._loading_mask.shape), np.zeros(self._mixing_mask.shape)
        loadings[self._loading_mask] = vector[: self.cuts[0]]
        mixing[self._mixing_mask] = vector[self.cuts[0] : self.cuts[1]]
        return loadings, mixing

    def vector(self, frame: Frame) -> Array:
        """Return the admissible vector of a frame, whatever the frame's coordinates."""
        frame = frame.to_markers(self.anchors)
        factor = lower_triangular(frame.factor)
        latent = np.swapaxes(factor, 0, 1).reshape(self.n_skills, -1)
        mixing = np.concatenate([latent, frame.slopes], axis=1)
        pieces = (
            frame.loadings[self._loading_mask],
            mixing[self._mixing_mask],
            frame.intercepts,
            frame.log_precisions,
            frame.floors[self.floors.free],
        )
        return self.project(np.concatenate(pieces))

    def frame(self, vector: Array) -> Frame:
        """Return the parameters that a vector stands for."""
        loadings, mixing = self._matrices(vector)
        m, n_skills, q = self.pattern.shape
        _, _, intercepts, precisions, own = np.split(vector, self.cuts)
        floors = self.floors.fixed.copy()
        floors[self.floors.free] = own
        factor = np.swapaxes(mixing[:, : m * q].reshape(n_skills, m, q), 0, 1)
        slopes = mixing[:, m * q :]
        return Frame(loadings, factor, slopes, intercepts, precisions, floors)

    def project(self, vector: Array) -> Array:
        """Return the vector brought back onto the constraint set."""
        loadings, mixing = self._matrices(vector)
        spread = np.linalg.norm(mixing[:, : self.pattern.shape[2]], axis=1)
        spread = np.where(spread > 0.0, spread, 1.0)
        scaled = vector.copy()
        scaled[: self.cuts[0]] = (loadings * spread)[self._loading_mask]
        scaled[self.cuts[0] : self.cuts[1]] = (mixing / spread[:, None])[self._mixing_mask]
        return np.clip(scaled, *self.bounds)

    def normals(self, vector: Array) -> Array:
        """Return unit vectors across the surface of unit variances, shape (K, size)."""
        _, mixing = self._matrices(vector)
        q, out = self.pattern.shape[2], np.zeros((self.n_skills, self.size))
        skill, column = np.nonzero(self._mixing_mask)
        inside = np.flatnonzero(column < q)
        skill, column = skill[inside], column[inside]
        out[skill, self.cuts[0] + inside] = mixing[skill, column]
        return out

    def free(self, vector: Array, gradient: Array) -> Mask:
        """Return which coordinates may move: not those at a bound that the gradient pushes at."""
        low, high = self.bounds
        stuck = ((vector <= low) & (gradient < 0.0)) | ((vector >= high) & (gradient > 0.0))
        return np.asarray(~stuck)

    def pull(self, vector: Array, gradient: Array) -> Array:
        """Return the gradient by the vector.

        Parameters
        ----------
        vector : ndarray, shape (size,)
            Where.
        gradient : ndarray, shape (J, width)
            Gradient by the benchmark coefficients, ordered as in
            :class:`lvkit.model.marginal.Marginal`.
        """
        loadings, mixing = self._matrices(vector)
        of_row = gradient[:, :-3]
        pieces = (
            (of_row @ mixing.T)[self._loading_mask],
            (loadings.T @ of_row)[self._mixing_mask],
            gradient[:, -3],
            gradient[:, -2],
            gradient[self.floors.free, -1],
        )
        return np.concatenate(pieces)

    def jacobian(self, vector: Array) -> Array:
        """Return the derivative of the benchmark coefficients, shape (J * width, size)."""
        loadings, mixing = self._matrices(vector)
        mixing_at, intercepts_at, precisions_at, floors_at = self.cuts
        end = mixing.shape[1]
        out = np.zeros((self.n_benchmarks, end + 3, self.size))
        row, skill = np.nonzero(self._loading_mask)
        out[row, :end, np.arange(mixing_at)] = mixing[skill]
        of_skill, column = np.nonzero(self._mixing_mask)
        out[:, column, np.arange(mixing_at, intercepts_at)] = loadings[:, of_skill]
        every = np.arange(self.n_benchmarks)
        out[every, end, intercepts_at + every] = 1.0
        out[every, end + 1, precisions_at + every] = 1.0
        own = self.floors.free
        out[own, end + 2, floors_at + np.arange(len(own))] = 1.0
        return out.reshape(-1, self.size)

    def volume(self, frame: Frame) -> float:
        """Return how well the anchors tell the skills apart: their volume in whitened loadings."""
        rows = frame.coefficients().latent[0][self.anchors]
        return float(np.prod(np.linalg.svd(rows, compute_uv=False)))


_MEMORY = 20
"""The information is averaged over as many rounds through the families."""


def missing(complete: Array) -> Array:
    """Return the missing information: the spread of complete-data gradients over the chains.

    Parameters
    ----------
    complete : ndarray, shape (J, width, L, S)
        What :meth:`Chains.move` returns.

    Returns
    -------
    ndarray, shape (J * width, J * width)
        Sum over families of the covariance over their chains. The chains of a family never meet, so
        it is unbiased.
    """
    n_benchmarks, width, _, count = complete.shape
    away = complete - complete.mean(axis=3, keepdims=True)
    flat = away.reshape(n_benchmarks * width, -1)
    return np.asarray(flat @ flat.T / (count - 1))


class Information:
    """Running averages of known and missing information, by the benchmark coefficients.

    These coefficients are the same whatever the anchors are, and change smoothly on the way.
    """

    def __init__(self, n_batches: int) -> None:
        self.n_batches, self.count = n_batches, 0
        self.known, self.missing = np.zeros(()), np.zeros(())

    def add(self, known: Array, missing: Array) -> None:
        """Average in what one batch says, scaled to all families."""
        self.count += 1
        rounds = min(self.n_batches + self.count / 4, _MEMORY * self.n_batches)
        weight = 1.0 / min(self.count, rounds)
        self.known = self.known + weight * (self.n_batches * known - self.known)
        self.missing = self.missing + weight * (self.n_batches * missing - self.missing)

    def at(self, chart: AnchoredChart, vector: Array) -> tuple[Array, Array]:
        """Return complete-data and missing information by the vector.

        Directions across the surface of unit variances change nothing in the likelihood; they are
        given an information of the usual size, so that no step runs along them.
        """
        jacobian = chart.jacobian(vector)
        by_benchmark = jacobian.reshape(*self.known.shape[:2], -1)
        known = np.tensordot(by_benchmark, self.known @ by_benchmark, ((0, 1), (0, 1)))
        normals = chart.normals(vector)
        known += np.diagonal(known).mean() * normals.T @ normals
        return known, jacobian.T @ self.missing @ jacobian


def damped_solution(known: Array, lost: Array, damping: float, gradient: Array) -> Array:
    """Solve ``(known - lost + damping (known + 1)) x = gradient``, with more damping if need be.

    The one keeps steps within bounds where even known latent vectors would tell nothing.
    """
    from scipy.linalg import cho_factor, cho_solve

    guard = known + np.eye(len(known))
    for _ in range(8):
        try:
            factor = cho_factor(known - lost + damping * guard, check_finite=False)
        except np.linalg.LinAlgError:
            damping *= 2.0
        else:
            return np.asarray(cho_solve(factor, gradient))
    return np.asarray(gradient / np.maximum(np.abs(np.diagonal(known)), 1.0))
