"""Coordinates: skills to benchmark coefficients, and derivatives back to the parameters.

A :class:`Frame` holds the model's parameters in some coordinates of skill space,

    theta = C z + G x ,      eta_j = lambda_j' theta + d_j ,      z ~ N(0, I) ,

and any invertible K x K matrix T gives another frame of the same model: ``Lambda T^-1``, ``T C``,
``T G``. Re-anchoring is such a change of frame, and so is choosing coordinates for the search.

The estimators move a plain vector of unconstrained numbers. :class:`MarkerChart` says what the
vector means: K *marker* benchmarks have loading one on their own skill and none on the others, so
that skills are measured in the logits of their markers, and all else is free. That is a chart
without constraints, without directions that change nothing, and with numbers of order one. (Skills
with unit variance, the obvious choice, make a poor chart: where families hardly differ in a skill
that grows with size, slopes of 30 multiply loadings of 0.05, and every step runs along a curved
ravine.) The maximum does not depend on the markers; the user's anchors come afterwards, by algebra.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from lvkit.model.score_table import Coefficients

Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Frame:
    """The model's parameters in one system of coordinates of skill space.

    Attributes
    ----------
    loadings : ndarray, shape (J, K)
        Lambda.
    factor : ndarray, shape (m, K, q)
        C: how the whitened latent vector enters the skills, for each column of the latent design.
        For the random intercepts of the paper m = 1, q = K and C C' is the skills' covariance.
    slopes : ndarray, shape (K, p)
        G: how the centred features enter the skills.
    intercepts, log_precisions, floors : ndarray, shape (J,)
        d, log phi and c.
    """

    loadings: Array
    factor: Array
    slopes: Array
    intercepts: Array
    log_precisions: Array
    floors: Array

    def change(self, transform: Array) -> Frame:
        """Return the same model with skills ``transform @ theta``; K x K, invertible."""
        return replace(
            self,
            loadings=np.asarray(np.linalg.solve(transform.T, self.loadings.T).T, dtype=float),
            factor=transform @ self.factor,
            slopes=transform @ self.slopes,
        )

    def read_only(self) -> Frame:
        """Return the same frame in arrays that cannot be written to."""
        return Frame(*(read_only(getattr(self, part.name)) for part in fields(self)))

    def to_markers(self, markers: Index) -> Frame:
        """Return the frame in which the marker benchmarks' loadings are the identity matrix."""
        return self.change(self.loadings[markers])

    def coefficients(self) -> Coefficients:
        """Return the reduced form, which is the same in every frame."""
        return Coefficients(
            latent=self.loadings @ self.factor,
            feature=self.loadings @ self.slopes,
            intercept=self.intercepts,
            log_precision=self.log_precisions,
            floor=self.floors,
        )


def choose_markers(effects: Array, n_skills: int) -> Index:
    """Return K benchmarks that span skill space best, by QR with column pivoting.

    Parameters
    ----------
    effects : ndarray, shape (J, at least K)
        The benchmarks' loadings, or their coefficients, which are mixtures of loadings.
    n_skills : int
        K.
    """
    from scipy.linalg import qr

    _, _, order = qr(effects.T, mode="economic", pivoting=True)
    return np.sort(order[:n_skills])


@dataclass(frozen=True, eq=False)
class Floors:
    """Lower asymptotes of the benchmarks: fixed, or to be estimated below a ceiling.

    Attributes
    ----------
    fixed : ndarray, shape (J,)
        The floor of each benchmark whose floor is not estimated.
    ceiling : ndarray, shape (J,)
        Highest floor allowed where it is estimated; 0 where it is not.

    Notes
    -----
    An estimated floor is ``ceiling * sigmoid(u)`` with u free, so that ``0 < c < ceiling``.
    """

    fixed: Array
    ceiling: Array

    @property
    def free(self) -> Index:
        """Positions of the benchmarks whose floor is estimated."""
        return np.flatnonzero(self.ceiling > 0.0)

    def values(self, u: Array) -> Array:
        """Return all floors, shape (J,), at the free numbers u."""
        floors = self.fixed.copy()
        floors[self.free] = self.ceiling[self.free] * expit(u)
        return floors

    def numbers(self, floors: Array) -> Array:
        """Return the free numbers u that give these floors."""
        share = np.clip(floors[self.free] / self.ceiling[self.free], 1e-6, 1.0 - 1e-6)
        return np.asarray(logit(share))

    def slopes(self, u: Array) -> Array:
        """Return the derivative of each estimated floor by its number."""
        up = expit(u)
        return np.asarray(self.ceiling[self.free] * up * (1.0 - up))


@dataclass(frozen=True, eq=False)
class MarkerChart:
    """What the free vector means, for one choice of marker benchmarks.

    The vector holds the other benchmarks' loadings, the free entries of ``[C_1 .. C_m, G]`` row by
    row, intercepts, log precisions, and the numbers behind the estimated floors.

    Attributes
    ----------
    markers : ndarray of int, shape (K,)
        The benchmarks that measure the skills' scales.
    n_benchmarks, n_features : int
        J and p.
    pattern : ndarray of bool, shape (m, K, q)
        Which entries of the latent factor are free; the others are zero.
    floors : Floors
        Which floors are fixed and which are free.
    """

    markers: Index
    n_benchmarks: int
    n_features: int
    pattern: npt.NDArray[np.bool_]
    floors: Floors

    @classmethod
    def intercepts(
        cls, markers: Index, n_benchmarks: int, n_features: int, floors: Floors
    ) -> MarkerChart:
        """Chart of the paper's model: one random intercept per skill, freely correlated."""
        n_skills = len(markers)
        lower = np.tri(n_skills, dtype=bool)[None]
        return cls(markers, n_benchmarks, n_features, lower, floors)

    def recentred(self, effects: Array) -> MarkerChart:
        """Return the chart of the markers that suit these effects best (:func:`choose_markers`).

        A factor that is not freely correlated ties the chart to its markers: it stays as it is.
        """
        if len(self.pattern) > 1:
            return self
        return replace(self, markers=choose_markers(effects, self.n_skills))

    @property
    def n_skills(self) -> int:
        """K."""
        return len(self.markers)

    @property
    def n_latent(self) -> int:
        """q, the length of a family's whitened latent vector."""
        return int(self.pattern.shape[2])

    @cached_property
    def others(self) -> Index:
        """The benchmarks that are no markers."""
        return np.setdiff1d(np.arange(self.n_benchmarks), self.markers)

    @cached_property
    def _mixing_mask(self) -> npt.NDArray[np.bool_]:
        """Free entries of the K x (m q + p) matrix [C_1 .. C_m, G]."""
        latent = np.swapaxes(self.pattern, 0, 1).reshape(self.n_skills, -1)
        return np.concatenate([latent, np.ones((self.n_skills, self.n_features), bool)], axis=1)

    @cached_property
    def cuts(self) -> tuple[int, int, int, int]:
        """Where the mixing entries, intercepts, log precisions and floors begin in the vector."""
        mixing = (self.n_benchmarks - self.n_skills) * self.n_skills
        intercepts = mixing + int(self._mixing_mask.sum())
        precisions = intercepts + self.n_benchmarks
        return mixing, intercepts, precisions, precisions + self.n_benchmarks

    @property
    def size(self) -> int:
        """Length of the vector: the number of parameters."""
        return self.cuts[3] + len(self.floors.free)

    def _matrices(self, vector: Array) -> tuple[Array, Array]:
        """Return the loadings (J, K) and the mixing matrix (K, m q + p)."""
        loadings = np.empty((self.n_benchmarks, self.n_skills))
        loadings[self.markers] = np.eye(self.n_skills)
        loadings[self.others] = vector[: self.cuts[0]].reshape(-1, self.n_skills)
        mixing = np.zeros(self._mixing_mask.shape)
        mixing[self._mixing_mask] = vector[self.cuts[0] : self.cuts[1]]
        return loadings, mixing

    def frame(self, vector: Array) -> Frame:
        """Return the parameters that a vector stands for."""
        loadings, mixing = self._matrices(vector)
        m, n_skills, q = self.pattern.shape
        _, _, intercepts, precisions, floors = np.split(vector, self.cuts)
        return Frame(
            loadings=loadings,
            factor=np.swapaxes(mixing[:, : m * q].reshape(n_skills, m, q), 0, 1),
            slopes=mixing[:, m * q :],
            intercepts=intercepts,
            log_precisions=precisions,
            floors=self.floors.values(floors),
        )

    def vector(self, frame: Frame) -> Array:
        """Return the vector of a frame, whatever its coordinates; the inverse of :meth:`frame`."""
        frame = frame.to_markers(self.markers)
        factor = lower_triangular(frame.factor)
        latent = np.swapaxes(factor, 0, 1).reshape(self.n_skills, -1)
        mixing = np.concatenate([latent, frame.slopes], axis=1)
        pieces = (
            frame.loadings[self.others].ravel(),
            mixing[self._mixing_mask],
            frame.intercepts,
            frame.log_precisions,
            self.floors.numbers(frame.floors),
        )
        return np.concatenate(pieces)

    def coefficients(self, vector: Array) -> Coefficients:
        """Return the benchmark coefficients that a vector stands for."""
        return self.frame(vector).coefficients()

    def jacobian(self, vector: Array) -> Array:
        """Return the derivative of the coefficients by the vector, shape (J * width, size).

        Rows are ordered by benchmark, and within a benchmark as in
        :class:`lvkit.model.marginal.Marginal`: a benchmark's latent and feature coefficients are
        the row ``lambda_j' [C_1 .. C_m, G]``, and the rest stand for themselves.
        """
        loadings, mixing = self._matrices(vector)
        n_skills, end = mixing.shape
        mixing_at, intercepts_at, precisions_at, floors_at = self.cuts
        out = np.zeros((self.n_benchmarks, end + 3, self.size))
        row, skill = np.ogrid[: len(self.others), :n_skills]
        out[self.others[row], :end, row * n_skills + skill] = mixing[skill]
        of_skill, column = np.nonzero(self._mixing_mask)
        out[:, column, np.arange(mixing_at, intercepts_at)] = loadings[:, of_skill]
        every = np.arange(self.n_benchmarks)
        out[every, end, intercepts_at + every] = 1.0
        out[every, end + 1, precisions_at + every] = 1.0
        free = self.floors.free
        slopes = self.floors.slopes(vector[floors_at:])
        out[free, end + 2, floors_at + np.arange(len(free))] = slopes
        return out.reshape(-1, self.size)

    def bend(self, vector: Array, gradient: Array) -> Array:
        """Return the curvature of the map itself, weighted by a gradient.

        Parameters
        ----------
        vector : ndarray, shape (size,)
            The free vector.
        gradient : ndarray, shape (J, width)
            Gradient by the benchmark coefficients.

        Returns
        -------
        ndarray, shape (size, size)
            Sum over coefficients of gradient times the coefficient's Hessian by the vector: the
            map is bilinear in loadings and mixing matrix, and linear but for the floors.
        """
        mixing_at, intercepts_at, _, floors_at = self.cuts
        out = np.zeros((self.size, self.size))
        of_skill, column = np.nonzero(self._mixing_mask)
        row = np.arange(len(self.others))[:, None]
        loading, mixing = row * self.n_skills + of_skill, np.arange(mixing_at, intercepts_at)
        cross = gradient[self.others][:, column]
        out[loading, mixing] = cross
        out[mixing, loading] = cross
        free, u = self.floors.free, vector[floors_at:]
        at = floors_at + np.arange(len(free))
        out[at, at] = gradient[free, -1] * self.floors.slopes(u) * (1.0 - 2.0 * expit(u))
        return out


def read_only(array: Array) -> Array:
    """Return a copy of an array that cannot be written to."""
    copy = np.array(array)
    copy.flags.writeable = False
    return copy


def lower_triangular(factor: Array) -> Array:
    """Rotate the latent vector so that an intercept-only factor is lower triangular."""
    if len(factor) > 1:
        return factor
    triangular = np.asarray(np.linalg.qr(factor[0].T, mode="r"), dtype=float).T
    return np.asarray((triangular * np.where(np.diag(triangular) < 0.0, -1.0, 1.0))[None])
