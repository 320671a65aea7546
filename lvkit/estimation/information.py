"""How much the scores tell, learned on the way from the chains' draws.

The information in the scores is what there would be if the families' latent vectors were known,
less what is missing because they are not (Louis' identity). Both come from the draws: the first as
the mean complete-data information, a block for each benchmark, the second as the posterior
covariance of the complete-data gradient, a full matrix, since a family's unknown vector ties all
benchmarks together. The two nearly cancel in some directions, so both are averaged over many draws.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lvkit.estimation.anchored import AnchoredChart

Array = npt.NDArray[np.float64]

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
