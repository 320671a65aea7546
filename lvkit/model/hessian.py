"""Louis' identity, its complete-data part: the Hessian as if the latent vectors were known.

A score's predictor is linear in ``v = (Z z, x, 1)`` with z the family's latent vector, so the
posterior mean of its complete-data Hessian is that of ``ee v v'``, bordered by those of ``er v``
and ``ec v``. They follow from the moments of the nodes, one matrix product for all scores.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from lvkit.model.beta import ScoreTerms
from lvkit.model.quadrature import Nodes

Array = npt.NDArray[np.float64]


class LatentMoments:
    """Posterior means of (value, value z, value z z') for each score, from the common nodes.

    With z = mode + scale node, they follow from the moments of the nodes.

    Parameters
    ----------
    nodes : Nodes
        The s nodes.
    mode, scale : ndarray, shapes (n, q) and (n, q, q)
        How each score's family places them.
    w : ndarray, shape (n, s)
        Importance weights, which add up to one.
    """

    def __init__(self, nodes: Nodes, mode: Array, scale: Array, w: Array) -> None:
        self.nodes, self.mode, self.scale, self.w = nodes, mode, scale, w

    def to_first(self, values: Array) -> tuple[Array, Array]:
        """Moments of order 0 and 1, shapes (n,) and (n, q)."""
        q = self.mode.shape[1]
        raw = (self.w * values) @ self.nodes.monomials[:, : q + 1]
        around = np.einsum("nqk,nk->nq", self.scale, raw[:, 1:])
        return raw[:, 0], self.mode * raw[:, :1] + around

    def to_second(self, values: Array) -> tuple[Array, Array, Array]:
        """Moments of order 0, 1 and 2, shapes (n,), (n, q) and (n, q, q)."""
        mode, scale, q = self.mode, self.scale, self.mode.shape[1]
        raw = (self.w * values) @ self.nodes.monomials
        around = np.einsum("nqk,nk->nq", scale, raw[:, 1 : q + 1])
        square = scale @ raw[:, q + 1 :].reshape(-1, q, q) @ np.swapaxes(scale, 1, 2)
        cross = mode[:, :, None] * around[:, None, :]
        second = square + cross + np.swapaxes(cross, 1, 2)
        second += raw[:, 0, None, None] * mode[:, :, None] * mode[:, None, :]
        return raw[:, 0], mode * raw[:, :1] + around, second


def complete_hessians(
    terms: ScoreTerms, latent: LatentMoments, design: Array, features: Array
) -> Array:
    """Return each score's posterior mean of the complete-data Hessian.

    Parameters
    ----------
    terms : ScoreTerms
        Second derivatives of the n scores at the nodes.
    latent : LatentMoments
        The scores' nodes and weights.
    design, features : ndarray, shapes (n, m) and (n, p)
        Latent design and features of each score's model.

    Returns
    -------
    ndarray, shape (n, width, width)
        By the coefficients of the score's benchmark, ordered as in
        :class:`lvkit.model.marginal.Marginal`.
    """
    assert terms.ee is not None
    assert terms.er is not None
    n = len(design)
    fixed = np.concatenate([features, np.ones((n, 1))], axis=1)
    weight, first, second = latent.to_second(terms.ee)
    split = design.shape[1] * first.shape[1]
    end = split + fixed.shape[1]
    each = np.zeros((n, end + 2, end + 2))
    squared = design[:, :, None, None, None] * second[:, None, :, None, :]
    squared = squared * design[:, None, None, :, None]
    each[:, :split, :split] = squared.reshape(n, split, split)
    wide = (design[:, :, None] * first[:, None, :]).reshape(n, split)
    each[:, :split, split:end] = wide[:, :, None] * fixed[:, None, :]
    each[:, split:end, :split] = np.swapaxes(each[:, :split, split:end], 1, 2)
    each[:, split:end, split:end] = weight[:, None, None] * (fixed[:, :, None] * fixed[:, None, :])

    def border(values: Array, position: int) -> None:
        plain, pulled = latent.to_first(values)
        wide = (design[:, :, None] * pulled[:, None, :]).reshape(n, split)
        each[:, :end, position] = np.concatenate([wide, fixed * plain[:, None]], axis=1)
        each[:, position, :end] = each[:, :end, position]

    border(terms.er, end)
    _fill_corner(each[:, end:, end:], terms, latent.w, border)
    return each


def _fill_corner(
    corner: Array, terms: ScoreTerms, w: Array, border: Callable[[Array, int], None]
) -> None:
    """Put in what log precision and floor have with each other, and the floor's border."""
    assert terms.rr is not None
    corner[:, 0, 0] = np.einsum("ns,ns->n", w, terms.rr)
    if terms.ec is None:
        return
    assert terms.cr is not None
    assert terms.cc is not None
    border(terms.ec, -1)
    corner[:, 0, 1] = corner[:, 1, 0] = np.einsum("ns,ns->n", w, terms.cr)
    corner[:, 1, 1] = np.einsum("ns,ns->n", w, terms.cc)
