"""Features as a surface over size and tokens, and the region of that plane where the data are.

A plan asks for the features of thousands of models that differ in size and tokens alone. With most
formulas, the default among them, every feature is a polynomial of degree two at most in
``s = log10(params_b)`` and ``t = log10(tokens_t)``,

    x = M (1, s, t, s^2, s t, t^2)' .

Whether that is so is tried out, not read off the formula: M is solved for on a grid of points and
has to reproduce all others. Along a budget's line s + t = const every skill is then a parabola,
whose top has a closed form. With other formulas (splines, cubes) the features are their own basis.

The :class:`Region` is the convex hull of the fitted models in that plane. Inside it a plan
interpolates; outside it rests on the form of the model alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lvkit.data.cells import is_blank
from lvkit.errors import LvkitError, nearest
from lvkit.fit.fit import Fit
from lvkit.model.coordinates import read_only
from lvkit.model.features import FeatureMap

Array = npt.NDArray[np.float64]

_GRID = np.linspace(-1.0, 2.0, 5)
"""Log sizes and log tokens where it is tried out whether features are quadratic."""

_EXACT = 1e-9

_NEEDED = {"params_b": "size", "tokens_t": "training tokens"}


@dataclass(frozen=True, eq=False)
class Surface:
    """Centred features of models that differ in size and tokens alone, linear in a basis.

    Attributes
    ----------
    quadratic : bool
        Whether the basis is (1, s, t, s^2, s t, t^2); it is (1, features) otherwise.
    matrix : ndarray, shape (p, m)
        M: the features in terms of the m functions of the basis.
    attributes : dict
        The models' other columns.
    """

    quadratic: bool
    matrix: Array
    attributes: dict[str, Any]
    _map: FeatureMap

    def basis(self, s: npt.ArrayLike, t: npt.ArrayLike) -> Array:
        """Return the basis at log sizes and log tokens, shape (..., m)."""
        s, t = np.broadcast_arrays(np.asarray(s, dtype=float), np.asarray(t, dtype=float))
        if self.quadratic:
            return _monomials(s, t)
        try:
            features = _evaluated(self._map, self.attributes, s, t)
        except LvkitError as error:
            raise LvkitError(
                error.problems[0].seen,
                where=f"plan, sizes from {10.0 ** s.min():.3g} to {10.0 ** s.max():.3g} billion "
                f"and tokens from {10.0 ** t.min():.3g} to {10.0 ** t.max():.3g} trillion",
                expected="features that can be computed wherever the plan looks",
                remedy="Splines end where the fitted models do: keep the plan inside by lv.Limits.",
            ) from error
        return np.concatenate([np.ones((*s.shape, 1)), features], axis=-1)


def _monomials(s: Array, t: Array) -> Array:
    return np.stack([np.ones_like(s), s, t, s * s, s * t, t * t], axis=-1)


def learn_surface(fit: Fit, family: str | None, attributes: Mapping[str, Any] | None) -> Surface:
    """Return the surface of a fit's features.

    Parameters
    ----------
    fit : Fit
        The fit.
    family : str or None
        A fitted family, whose models lend the columns that all of them agree on.
    attributes : mapping, optional
        Values of the other columns that the features need.

    Returns
    -------
    Surface

    Raises
    ------
    LvkitError
        If the features lack size or tokens, or a column that they need has no value.
    """
    learned = fit.prepared.features
    for column, what in _NEEDED.items():
        if column not in learned.columns:
            raise LvkitError(
                f"the features '{learned.formula}' lack {what} ({column})",
                where="plan",
                expected="a fit in which skills follow from size and training tokens",
                remedy='Fit with features="log_params * log_tokens".',
            )
    known = _attributes(fit, family, _given(attributes))
    s, t = np.log10(_typical(fit))[:, None]
    learned.at(s, t, known)  # refuses values that are none
    matrix = _quadratic(learned, tuple(known.items()))
    if matrix is not None:
        return Surface(True, matrix, known, learned)
    p = len(learned.names)
    return Surface(False, np.concatenate([np.zeros((p, 1)), np.eye(p)], axis=1), known, learned)


@lru_cache(maxsize=64)
def _quadratic(learned: FeatureMap, attributes: tuple[tuple[str, Any], ...]) -> Array | None:
    """Return the features' coefficients as polynomials of degree two; None if they are not."""
    s, t = (axis.ravel() for axis in np.meshgrid(_GRID, _GRID))
    try:
        values = _evaluated(learned, dict(attributes), s, t)
    except LvkitError:  # a spline that ends inside the grid
        return None
    basis = _monomials(s, t)
    solved, *_ = np.linalg.lstsq(basis, values, rcond=None)
    off = np.abs(basis @ solved - values).max(axis=0)
    if (off > _EXACT * (1.0 + np.abs(values).max(axis=0))).any():
        return None
    return read_only(np.where(np.abs(solved) < _EXACT, 0.0, solved).T)


def _typical(fit: Fit) -> Array:
    """Return size and tokens of one fitted model."""
    models = fit.panel.models.loc[list(fit.prepared.models), list(_NEEDED)]
    return models.iloc[0].to_numpy(float)


def _given(attributes: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the attributes that the user gave; a blank counts as not given."""
    if attributes is not None and not isinstance(attributes, Mapping):
        raise LvkitError(
            f"got {attributes!r}",
            where="attributes",
            expected="a mapping of columns to values, such as {'instruct': True}, or None",
        )
    given = dict(attributes or {})
    for name, value in given.items():
        if not pd.api.types.is_scalar(value):
            raise LvkitError(
                f"got {value!r}", where=f"attributes, '{name}'", expected="one value for all models"
            )
    return {name: value for name, value in given.items() if not is_blank(value)}


def _attributes(fit: Fit, family: str | None, given: dict[str, Any]) -> dict[str, Any]:
    """Return a value for each further column that the features need."""
    others = [c for c in fit.prepared.features.columns if c not in _NEEDED]
    for name in given:
        if name not in others:
            needs = ", ".join(others) if others else "no others than size and tokens"
            raise LvkitError(
                f"got '{name}', which the features do not use",
                where="attributes",
                expected=f"columns that the features need: {needs}",
                remedy=nearest(str(name), others).strip(),
            )
    models = fit.panel.models.loc[list(fit.prepared.models)]
    for column in others:
        if column in given:
            continue
        seen = models.loc[models["family"] == family, column].dropna().unique()
        if len(seen) != 1:
            some = ", ".join(str(value) for value in sorted(models[column].dropna().unique())[:6])
            whose = f"the models of '{family}' differ in it" if len(seen) else "nothing tells it"
            raise LvkitError(
                f"the features need '{column}', and {whose}",
                where="attributes",
                expected=f"a value such as {some}",
                remedy=f"Say it: attributes={{{column!r}: ...}}.",
            )
        given[column] = seen[0]
    return {column: given[column] for column in others}


def _evaluated(learned: FeatureMap, attributes: Mapping[str, Any], s: Array, t: Array) -> Array:
    """Return the features by the formula itself, shape (..., p)."""
    return learned.at(s.ravel(), t.ravel(), attributes).reshape(*s.shape, -1)


_INSIDE = 1e-9


@dataclass(frozen=True, eq=False)
class Region:
    """The convex hull of fitted models in log size and log tokens.

    Attributes
    ----------
    corners : ndarray, shape (h, 2)
        Its corners, in turn; two where all models lie on a line, one if they are all alike.
    """

    corners: Array

    @classmethod
    def of(cls, fit: Fit) -> Region:
        """Return the region of a fit's models."""
        models = fit.panel.models.loc[list(fit.prepared.models), ["params_b", "tokens_t"]]
        return cls.around(np.log10(models.to_numpy(float)))

    @classmethod
    def around(cls, points: Array) -> Region:
        """Return the hull of points, shape (n, 2)."""
        from scipy.spatial import ConvexHull, QhullError

        try:
            return cls(points[ConvexHull(points).vertices])
        except (QhullError, ValueError):  # on a line, or fewer than three
            centred = points - points.mean(axis=0)
            along = centred @ np.linalg.svd(centred, full_matrices=False)[2][0]
            ends = points[[int(along.argmin()), int(along.argmax())]]
            return cls(np.unique(ends, axis=0))

    def distance(self, s: Array, t: Array) -> Array:
        """Return how far points lie outside, in powers of ten; 0 inside.

        Examples
        --------
        >>> square = Region.around(np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]))
        >>> square.distance(np.array([0.5, 1.5, 2.0]), np.array([0.5, 0.5, 2.0])).round(3)
        array([0.   , 0.5  , 1.414])
        """
        point = np.stack(np.broadcast_arrays(s, t), axis=-1)[..., None, :]
        start, end = self.corners, np.roll(self.corners, -1, axis=0)
        side, away = end - start, point - start
        length = np.maximum(np.square(side).sum(axis=1), np.finfo(float).tiny)
        share = np.clip((away * side).sum(axis=-1) / length, 0.0, 1.0)
        nearest = np.sqrt(np.square(away - share[..., None] * side).sum(axis=-1)).min(axis=-1)
        turn = side[:, 0] * away[..., 1] - side[:, 1] * away[..., 0]
        inside = (turn >= -_INSIDE).all(axis=-1) & (len(self.corners) > 2)
        return np.where(inside | (nearest < _INSIDE), 0.0, nearest)
