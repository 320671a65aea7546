"""Quadrature nodes: points and weights that stand for a normal distribution.

Sixty-four plain quasi-Monte Carlo points give a useless Hessian: the missing information is a
fourth moment of the latent vector, and nearly cancels the complete information. So the points are
Sobol points in mirrored pairs, nudged as little as possible until *all* their moments up to order
five are those of the normal distribution. At the optimum of four skills on the 184 embedded
models, 64 such points give the Hessian to 4 % of the complete-data information, where 64 plain
points are off by 53 % and 1,024 by 3 %; the log-likelihood is twice as good too (``benchmarks/``).

That is enough for a step of the search. Standard errors are wanted to a per mille, and take the
Hessian's inverse, in which its weakest directions count most: with few skills a product of Gauss's
rules is far better there (:func:`fine_nodes`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import combinations_with_replacement

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

_MATCH_LIMIT = 4_096
"""Beyond this many points plain quasi-Monte Carlo with exact covariance is accurate enough."""

_PER_AXIS = (16, 12, 9, 6, 5)
"""Points along each axis of the fine nodes, for one dimension, two, and so on."""

_LEAN = ((8, 12, 16), (4, 6, 9), (3, 5, 7), (3, 4, 6))
"""Points along each axis for a large table's search, its last stage, and value and errors."""

_FINE = 2_048
"""Number of fine nodes where a product would take too many."""


@dataclass(frozen=True, eq=False)
class Nodes:
    """Standard normal nodes and what the integrals need of them.

    Attributes
    ----------
    points : ndarray, shape (q, s)
        The nodes.
    half_norms : ndarray, shape (s,)
        Half of each node's squared length; and the logarithm of its weight, where weights differ,
        in units of their mean. Both are added to the log ratio of the densities.
    monomials : ndarray, shape (s, 1 + q + q * q)
        1, the node, and the node's outer product with itself.
    weights : ndarray, shape (s,), or None
        The weights, in units of their mean; None where they are equal.
    """

    points: Array
    half_norms: Array
    monomials: Array
    weights: Array | None = None

    def unweighted(self, values: Array) -> Array:
        """Return values at the nodes, shape (..., s), divided by the nodes' relative weights."""
        return values if self.weights is None else values / self.weights

    @classmethod
    def from_points(cls, points: Array) -> Nodes:
        """Wrap points of shape (s, q)."""
        products = (points[:, :, None] * points[:, None, :]).reshape(len(points), -1)
        return cls(
            points=np.ascontiguousarray(points.T),
            half_norms=0.5 * np.einsum("sq,sq->s", points, points),
            monomials=np.concatenate([np.ones((len(points), 1)), points, products], axis=1),
        )


def search_nodes(dimension: int) -> int:
    """Return how many nodes a search needs: enough to match all moments to order five.

    Examples
    --------
    >>> [search_nodes(q) for q in (1, 4, 6, 8)]
    [64, 64, 128, 256]
    """
    return 64 if dimension <= 5 else 128 if dimension <= 7 else 256


@lru_cache(maxsize=32)
def make_nodes(dimension: int, count: int, seed: int = 0) -> Nodes:
    """Return nodes for a standard normal distribution.

    Parameters
    ----------
    dimension : int
        Length q of a node.
    count : int
        Number of nodes, even.
    seed : int
        Seed of the scrambling.

    Returns
    -------
    Nodes
        Scrambled Sobol points through the normal quantile function, each with its mirror image (all
        odd moments are zero), whitened, and with exact fourth moments where the count allows.

    Examples
    --------
    >>> nodes = make_nodes(2, 64)
    >>> bool(np.allclose(np.mean(nodes.points**4, axis=1), 3.0))
    True
    """
    from scipy.special import ndtri
    from scipy.stats import qmc

    half = count // 2
    uniform = qmc.Sobol(dimension, scramble=True, rng=np.random.default_rng(seed)).random(half)
    points = ndtri(np.clip(uniform, 1e-12, 1.0 - 1e-12))
    if half > dimension:
        points = np.linalg.solve(np.linalg.cholesky(points.T @ points / half), points.T).T
    n_moments = _count(dimension, 2) + _count(dimension, 4)
    if count <= _MATCH_LIMIT and half * dimension > 1.3 * n_moments and half > dimension:
        points = _match_moments(points)
    return Nodes.from_points(np.concatenate([points, -points]))


@lru_cache(maxsize=32)
def product_nodes(dimension: int, per_axis: int) -> Nodes:
    """Return the nodes of a product of Gauss-Hermite rules.

    Parameters
    ----------
    dimension : int
        Length q of a node.
    per_axis : int
        Number of points along each axis; there are ``per_axis ** dimension`` nodes.

    Returns
    -------
    Nodes
        Exact for polynomials of degree below ``2 * per_axis`` in each coordinate.

    Examples
    --------
    >>> nodes = product_nodes(2, 6)
    >>> weights = np.exp(nodes.half_norms - 0.5 * (nodes.points**2).sum(axis=0)) / 36
    >>> np.round(weights @ nodes.points.T**10, 6).tolist()
    [945.0, 945.0]
    """
    axis, weights = np.polynomial.hermite_e.hermegauss(per_axis)
    points = np.stack(np.meshgrid(*[axis] * dimension), axis=-1).reshape(-1, dimension)
    logs = np.stack(np.meshgrid(*[np.log(weights / weights.mean())] * dimension), axis=-1)
    logs = logs.reshape(-1, dimension).sum(axis=1)
    nodes = Nodes.from_points(points)
    return replace(nodes, half_norms=nodes.half_norms + logs, weights=np.exp(logs))


def fine_nodes(dimension: int, seed: int = 0) -> Nodes:
    """Return nodes that are good enough for standard errors.

    Parameters
    ----------
    dimension : int
        Length q of a node.
    seed : int
        Seed of the scrambling, where the nodes are scrambled: beyond five dimensions.

    Returns
    -------
    Nodes

    Notes
    -----
    Largest error of a standard error on embedded and simulated panels, relative: below 1e-7 with
    one or two skills, 1e-4 with three, 2e-3 with four (1,296 nodes), 1e-2 with five. As many
    quasi-Monte Carlo nodes as take the same time are off by 2 to 12 %.
    """
    if dimension <= len(_PER_AXIS):
        return product_nodes(dimension, _PER_AXIS[dimension - 1])
    return make_nodes(dimension, _FINE, seed)


def lean_nodes(dimension: int) -> tuple[Nodes, ...]:
    """Return the nodes for large tables: to search, to finish, and to measure.

    Parameters
    ----------
    dimension : int
        Length q of a node.

    Returns
    -------
    tuple of Nodes
        Three products of Gauss's rules; none beyond four dimensions. The first two are placed at
        the posterior modes, the last by the posterior means, which the second finds.

    Notes
    -----
    Nodes are the same for every family, and so are the signs of their errors: they add up over
    families, while standard errors shrink. With three skills the estimate is off by 0.075 of its
    standard errors with 64 quasi-Monte Carlo nodes and by 0.060 with 128 (184 embedded models, 67
    families); by 0.048 with a product of 3 nodes along each axis, 0.0019 with 5, and 0.0002 with 7.
    The log-likelihood is off by 1.3e-6 for each family with 7 (343 nodes at the modes) and by
    5.4e-5 with 2,048 quasi-Monte Carlo nodes at the means.

    Families with fewer scores than that have posteriors that are farther from normal. With 5,000
    families of one model and K = 3, the estimate is off by 0.04 standard errors at 12 scores each
    and by 2.9 at four, with 5 nodes along each axis at the modes; with 7 at the means, by 0.003 and
    0.25. So a climb ends by the last nodes.

    Examples
    --------
    >>> [nodes.points.shape[1] for nodes in lean_nodes(3)], lean_nodes(5)
    ([27, 125, 343], ())
    """
    if dimension > len(_LEAN):
        return ()
    return tuple(product_nodes(dimension, count) for count in _LEAN[dimension - 1])


def _count(dimension: int, degree: int) -> int:
    """Return the number of distinct moments of a degree."""
    from math import comb

    return comb(dimension + degree - 1, degree)


def _match_moments(points: Array, tolerance: float = 1e-12, max_steps: int = 25) -> Array:
    """Move points as little as possible until their second and fourth moments are normal.

    Gauss-Newton steps of least length on the moment equations; if they do not converge, the points
    come back as they were.
    """
    half, dimension = points.shape
    exponents = [
        np.array(list(combinations_with_replacement(range(dimension), degree))) for degree in (2, 4)
    ]
    wanted = np.concatenate([_normal_moments(powers, dimension) for powers in exponents])
    moved = points
    for _ in range(max_steps):
        found, slopes = zip(*(_moments(moved, powers) for powers in exponents), strict=True)
        miss = wanted - np.concatenate(found)
        if np.abs(miss).max() < tolerance:
            return moved
        slope = np.concatenate(slopes)
        step = slope.T @ np.linalg.lstsq(slope @ slope.T, miss, rcond=None)[0]
        step = step.reshape(half, dimension)
        moved = moved + step * min(1.0, 1.0 / np.abs(step).max())
    return points


def _normal_moments(powers: npt.NDArray[np.intp], dimension: int) -> Array:
    """Moments of the standard normal distribution: products of 1 (order 2) and 3 (order 4)."""
    counts = np.stack([(powers == axis).sum(axis=1) for axis in range(dimension)])
    factors = np.select([counts % 2 == 1, counts == 4], [0.0, 3.0], default=1.0)
    return np.asarray(factors.prod(axis=0))


def _moments(points: Array, powers: npt.NDArray[np.intp]) -> tuple[Array, Array]:
    """Sample moments and their derivatives by the points, shapes (n,) and (n, half * dimension)."""
    half, dimension = points.shape
    values = points[:, powers]
    slopes = np.zeros((len(powers), half, dimension))
    for position in range(powers.shape[1]):
        rest = np.delete(values, position, axis=2).prod(axis=2).T / half
        rows = np.arange(len(powers))
        slopes[rows, :, powers[:, position]] += rest
    return values.prod(axis=2).mean(axis=0), slopes.reshape(len(powers), -1)
