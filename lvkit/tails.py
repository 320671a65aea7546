"""How far out a score lies: tails of the Beta distribution, and normal scores.

The normal score of an observation is the standard normal quantile of its distribution function. If
the distribution is right, normal scores are standard normal, whatever the shape of the distribution
itself, so scores of easy and hard benchmarks can be looked at together.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

_LEAST = 1e-300


def beta_below(y: npt.ArrayLike, mean: npt.ArrayLike, precision: npt.ArrayLike) -> Array:
    """Return the probability below a score in a Beta distribution.

    Parameters
    ----------
    y : array_like
        Scores from 0 to 1.
    mean, precision : array_like
        Of the distribution.

    Examples
    --------
    >>> float(beta_below(0.25, 0.5, 2.0))  # the uniform distribution
    0.25
    """
    from scipy.special import betainc

    y, mean, precision = (np.asarray(v, dtype=float) for v in (y, mean, precision))
    return np.asarray(betainc(mean * precision, (1.0 - mean) * precision, y))


def beta_above(y: npt.ArrayLike, mean: npt.ArrayLike, precision: npt.ArrayLike) -> Array:
    """Return the probability above a score; see :func:`beta_below`.

    Computed by itself, so that it keeps its digits where it is small.
    """
    y, mean = np.asarray(y, dtype=float), np.asarray(mean, dtype=float)
    return beta_below(1.0 - y, 1.0 - mean, precision)


def censored(y: Array, below: Array, above: Array, clip: float) -> tuple[Array, Array]:
    """Return the probabilities on both sides of scores of which the ends are not told apart.

    Parameters
    ----------
    y : ndarray
        Scores held within ``[clip, 1 - clip]``.
    below, above : ndarray
        Probabilities below and above them.
    clip : float
        A score at `clip` stands for all below it, and one at ``1 - clip`` for all above.

    Returns
    -------
    tuple of ndarray
        At the ends, those of the middle of the mass that the score stands for.

    Examples
    --------
    >>> censored(np.array([0.01]), np.array([0.2]), np.array([0.8]), 0.01)
    (array([0.1]), array([0.9]))
    """
    low, high = y <= clip, y >= 1.0 - clip
    half_below, half_above = 0.5 * below, 0.5 * above
    new_below = np.where(low, half_below, np.where(high, 1.0 - half_above, below))
    new_above = np.where(low, 1.0 - half_below, np.where(high, half_above, above))
    return new_below, new_above


def normal_scores(below: npt.ArrayLike, above: npt.ArrayLike) -> Array:
    """Return normal scores from the probabilities below and above.

    Examples
    --------
    >>> normal_scores([0.5, 0.975], [0.5, 0.025]).round(2).tolist()
    [0.0, 1.96]
    """
    from scipy.special import ndtri

    low = np.maximum(np.asarray(below, dtype=float), _LEAST)
    high = np.maximum(np.asarray(above, dtype=float), _LEAST)
    return np.asarray(np.where(low <= high, ndtri(low), -ndtri(high)))
