"""Where the data are: how far a planned model lies outside the sizes and tokens ever fitted.

The region is the convex hull of the fitted models in the plane of log10 size and log10 tokens; the
distance to it is measured in powers of ten. Inside the hull a plan interpolates; outside it rests
on the form of the model alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lvkit.results import Fit

Array = npt.NDArray[np.float64]

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
