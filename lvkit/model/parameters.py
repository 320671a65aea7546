"""Parameters in the form that users see: unit variances, one anchor benchmark for each skill.

An **anchor** loads on its own skill alone, positively, and each skill has variance one across
families. That fixes the K squared rotations and scales that the likelihood cannot see, so the
maximised likelihood is the same whichever benchmarks are the anchors, and changing them is algebra:
with A the anchors' rows of the loadings in any frame,

    T = D^-1 A ,   D_k = sqrt(A Sigma A')_kk ,   Lambda -> Lambda T^-1 ,   Sigma -> T Sigma T' .
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt

from lvkit.errors import LvkitError, LvkitWarning, nearest
from lvkit.model.coordinates import Frame, lower_triangular, read_only

Array = npt.NDArray[np.float64]

_WORST_CONDITION = 1e4
"""Anchors whose skills are more nearly dependent than this are refused."""

_ALIKE = 0.99
"""Skills that are more highly correlated than this are hardly two."""


@dataclass(frozen=True, eq=False)
class Parameters:
    """The parameters of a latent skill model.

    Attributes
    ----------
    loadings : ndarray, shape (J, K)
        Logits per standard deviation of a skill among families.
    intercepts : ndarray, shape (J,)
        Logits at the mean of the features and a skill of zero.
    precisions : ndarray, shape (J,)
        Beta precision of the scores; larger is less noise.
    floors : ndarray, shape (J,)
        Lower asymptotes of the expected scores.
    slopes : ndarray, shape (K, p)
        Change of a skill per unit of a feature.
    correlation : ndarray, shape (K, K)
        Correlation of the families' latent variables.
    slope_sd : ndarray, shape (K,), or None
        Standard deviation among families of the skills' slopes, if they differ.

    Examples
    --------
    >>> truth = Parameters(
    ...     loadings=np.array([[1.0], [0.5]]), intercepts=np.zeros(2),
    ...     precisions=np.full(2, 50.0), floors=np.zeros(2),
    ...     slopes=np.array([[0.8]]), correlation=np.eye(1),
    ... )
    >>> truth.n_skills, truth.n_benchmarks
    (1, 2)
    """

    loadings: Array
    intercepts: Array
    precisions: Array
    floors: Array
    slopes: Array
    correlation: Array
    slope_sd: Array | None = None

    @property
    def n_benchmarks(self) -> int:
        """J."""
        return int(self.loadings.shape[0])

    @property
    def n_skills(self) -> int:
        """K."""
        return int(self.loadings.shape[1])

    @property
    def frame(self) -> Frame:
        """The same parameters as a :class:`~lvkit.model.coordinates.Frame`."""
        values, vectors = np.linalg.eigh(self.correlation)
        if values[0] < -1e-8:
            raise LvkitError(
                f"the smallest eigenvalue is {values[0]:.3g}",
                where="Parameters.correlation",
                expected="a correlation matrix",
            )
        factor = lower_triangular((vectors * np.sqrt(np.maximum(values, 0.0)))[None])
        if self.slope_sd is not None:
            zero = np.zeros_like(self.correlation)
            factor = np.stack(
                [np.hstack([factor[0], zero]), np.hstack([zero, np.diag(self.slope_sd)])]
            )
        return Frame(
            self.loadings,
            factor,
            self.slopes,
            self.intercepts,
            np.log(self.precisions),
            self.floors,
        )

    def read_only(self) -> Parameters:
        """Return the same parameters in arrays that cannot be written to."""
        arrays = {f.name: getattr(self, f.name) for f in fields(self)}
        copies = {name: None if a is None else read_only(a) for name, a in arrays.items()}
        return Parameters(**copies)  # type: ignore[arg-type]

    @classmethod
    def of(cls, frame: Frame) -> Parameters:
        """Return the parameters of an anchored frame (see :func:`anchor`)."""
        n_skills = frame.loadings.shape[1]
        covariance = frame.factor[0] @ frame.factor[0].T
        slope_sd = None
        if len(frame.factor) > 1:
            slope_sd = np.abs(np.diag(frame.factor[1][:, n_skills:]))
        return cls(
            loadings=frame.loadings,
            intercepts=frame.intercepts,
            precisions=np.exp(frame.log_precisions),
            floors=frame.floors,
            slopes=frame.slopes,
            correlation=covariance,
            slope_sd=slope_sd,
        )


def anchor(
    frame: Frame, anchors: Sequence[int], names: Sequence[str], *, check: bool = True
) -> Frame:
    """Return the frame in which these benchmarks are the anchors of unit-variance skills.

    Parameters
    ----------
    frame : Frame
        Any frame of the model.
    anchors : sequence of int, length K
        Position of each skill's anchor.
    names : sequence of str, length K
        The anchors' names, for the error.
    check : bool
        Whether to refuse poor anchors. Draws of parameters around a fit are not refused.

    Raises
    ------
    LvkitError
        If the anchors do not tell the skills apart: their skills would be nearly dependent.
    """
    rows = frame.loadings[list(anchors)]
    spread = np.sqrt(np.square(rows @ frame.factor[0]).sum(axis=1))
    transform = rows / np.where(spread > 0.0, spread, 1.0)[:, None]
    if check:
        _check_condition(transform, frame.factor[0], names)
    anchored = frame.change(transform)
    loadings = anchored.loadings.copy()
    own = np.diag(np.diag(loadings[list(anchors)]))
    loadings[list(anchors)] = own  # exact zeros where algebra leaves rounding
    return replace(anchored, loadings=loadings)


def warn_if_alike(frame: Frame, names: Sequence[str], *, stacklevel: int = 2) -> None:
    """Warn if two skills of an anchored frame are hardly two.

    Not part of :func:`anchor`, which the estimation of standard errors calls many times.

    Parameters
    ----------
    frame : Frame
        An anchored frame (see :func:`anchor`), its skills of unit variance among families.
    names : sequence of str, length K
        The skills' names.
    stacklevel : int
        Whose line the warning names, as in :func:`warnings.warn`, counted from the function that
        calls this one.

    Warns
    -----
    LvkitWarning
        If the families' standings on two skills correlate by more than 0.99, either way: one skill
        then tells 98 % of the variance of the other, and loadings on the two are hardly told apart.

    Notes
    -----
    Correlations of pairs are looked at, not the condition number of the whole. With many skills the
    covariance of the families' effects is often singular at the maximum (on the embedded data from
    six skills on, where the condition number is about 2,000 while no pair correlates above 0.85).
    That is a fact about the number of skills, which no choice of anchors mends.
    """
    correlation = np.abs(frame.factor[0] @ frame.factor[0].T)
    pairs = np.argwhere(np.triu(correlation, 1) > _ALIKE)
    if not len(pairs):
        return
    told = [f"'{names[a]}' and '{names[b]}' ({correlation[a, b]:.3f})" for a, b in pairs]
    warnings.warn(
        f"skills that are hardly two, by their correlation between families: {', '.join(told)}. "
        "Choose other anchors, fit.suggest_anchors() ranks them; or use fewer skills.",
        LvkitWarning,
        stacklevel=stacklevel + 1,
    )


def _check_condition(transform: Array, factor: Array, names: Sequence[str]) -> None:
    """Refuse anchors whose skills are nearly dependent."""
    singular = np.linalg.svd(transform @ factor, compute_uv=False)
    condition = singular[0] / singular[-1] if singular[-1] > 0.0 else np.inf
    skewed = np.linalg.cond(transform)
    spread = np.square(transform @ factor).sum(axis=1)
    if min(condition, skewed) > _WORST_CONDITION or not spread.all() or not np.isfinite(skewed):
        raise LvkitError(
            f"condition number {condition:.1e}",
            where=f"anchors {', '.join(names)}",
            expected=f"below {_WORST_CONDITION:.0e}: benchmarks that tell the skills apart",
            remedy="Choose other anchors; fit.suggest_anchors() ranks them.",
        )


def check_anchors(anchors: Mapping[str, str], benchmarks: Sequence[str]) -> tuple[int, ...]:
    """Return the anchors' positions among the benchmarks.

    Raises
    ------
    LvkitError
        For a benchmark that is not there, or that anchors two skills.
    """
    for skill, benchmark in anchors.items():
        if benchmark not in benchmarks:
            raise LvkitError(
                f"got '{benchmark}'",
                where=f"anchor of skill '{skill}'",
                expected="one of the fitted benchmarks " + ", ".join(benchmarks),
                remedy=nearest(str(benchmark), benchmarks).strip(),
            )
    chosen = list(anchors.values())
    for benchmark in chosen:
        if chosen.count(benchmark) > 1:
            raise LvkitError(
                f"'{benchmark}' anchors {chosen.count(benchmark)} skills",
                where="anchors",
                expected="a different benchmark for each skill",
            )
    return tuple(list(benchmarks).index(benchmark) for benchmark in chosen)
