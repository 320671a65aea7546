"""The marginal likelihood, with the latent vectors of families integrated out.

Given the parameters, families are independent; within a family the scores share one whitened latent
vector z (:mod:`lvkit.model.score_table` has the reduced form). Each family's integral over z is
taken by a set of quasi-Monte Carlo nodes around its posterior mode, scaled by the inverse
information there, and importance weights correct the Gaussian to the true posterior. Fisher's
identity gives the gradient and Louis' identity the Hessian from the same nodes. The nodes are
placed anew at every evaluation: with nodes frozen for a whole optimisation the optimiser exploits
their errors and stops at a wrong point that looks converged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from lvkit.model.beta import ScoreTerms, score_terms
from lvkit.model.posterior_mode import Posterior, posterior_modes
from lvkit.model.quadrature import Nodes
from lvkit.model.score_table import Block, Coefficients, ScoreTable
from lvkit.tools.parallel import in_threads, thread_count

Array = npt.NDArray[np.float64]

_STRETCH = 1.05
"""How much wider than the posterior the nodes of the final value lie: tails count too."""

_LARGE_BLOCK = 31 * 2**20


@dataclass(frozen=True, eq=False)
class Marginal:
    """The marginal log-likelihood and what was asked for besides.

    Attributes
    ----------
    loglik : float
        Sum over families.
    by_family : ndarray, shape (L,)
        Log-likelihood of each family.
    posterior : Posterior
        Modes and scales the nodes were placed by.
    effective_nodes : ndarray, shape (L,)
        Effective number of nodes (Kish) of each family's importance weights: all, where the
        posterior has the shape the nodes were placed for.
    n_nodes : int
        Number of nodes.
    mean, covariance : ndarray, shapes (L, q) and (L, q, q)
        Posterior mean and covariance of the whitened latent vectors.
    scores : ndarray, shape (L, J, width), or None
        Each family's gradient by the benchmark coefficients, in the order latent (m, q), feature
        (p), intercept, log precision, floor.
    hessian : ndarray, shape (J * width, J * width), or None
        Hessian of the log-likelihood by the same coefficients.
    complete : ndarray, shape (J, width, width), or None
        The complete-data part of it: what the Hessian would be were the latent vectors known.
    """

    loglik: float
    by_family: Array
    posterior: Posterior
    effective_nodes: Array
    n_nodes: int
    mean: Array
    covariance: Array
    scores: Array | None = None
    hessian: Array | None = None
    complete: Array | None = None

    @classmethod
    def joined(cls, each: Sequence[Marginal]) -> Marginal:
        """Return what several runs of families say together, added up in their order."""
        if len(each) == 1:
            return each[0]

        def joined(name: str) -> Array:
            return np.concatenate([getattr(one, name) for one in each])

        def added(name: str) -> Array | None:
            first = getattr(each[0], name)
            return None if first is None else np.asarray(sum(getattr(one, name) for one in each))

        by_family = joined("by_family")
        return cls(
            float(by_family.sum()),
            by_family,
            Posterior.joined([one.posterior for one in each]),
            joined("effective_nodes"),
            each[0].n_nodes,
            joined("mean"),
            joined("covariance"),
            None if each[0].scores is None else joined("scores"),
            added("hessian"),
            added("complete"),
        )

    @property
    def gradient(self) -> Array:
        """Gradient by the benchmark coefficients, shape (J, width)."""
        if self.scores is None:
            raise ValueError("integrate(..., order=1) computes the gradient")
        return np.asarray(self.scores.sum(axis=0))


def integrate(
    table: ScoreTable,
    coefficients: Coefficients,
    nodes: Nodes,
    *,
    order: int = 0,
    floors: bool = False,
    start: Array | None = None,
    tolerance: float = 1e-6,
    placement: Posterior | None = None,
    n_jobs: int | None = 1,
) -> Marginal:
    """Return the marginal log-likelihood of the scores, with derivatives on request.

    Parameters
    ----------
    table : ScoreTable
        The scores.
    coefficients : Coefficients
        The reduced form of the model.
    nodes : Nodes
        Nodes of dimension q.
    order : {0, 1, 2}
        0 for the value, 1 for each family's gradient too, 2 for the Hessian too.
    floors : bool
        Whether derivatives by the floors are wanted; their entries are zero otherwise.
    start : ndarray, shape (L, q), optional
        Where the search for the posterior modes begins.
    tolerance : float
        Precision of the modes; they only place the nodes.
    placement : Posterior, optional
        Where to place the nodes, instead of at the posterior modes.
    n_jobs : int, optional
        Threads for the chunks of a large table; the numbers do not depend on it.

    Returns
    -------
    Marginal

    Notes
    -----
    With r_s the log ratio of joint density to node density, a family's log-likelihood is the log
    mean of exp(r_s), its gradient the weighted mean of the complete-data gradient g_s (Fisher), and
    its Hessian the weighted mean of the complete-data Hessian plus the weighted covariance of g_s
    (Louis, 1982). Time is linear in scores times nodes. Memory is bounded: families are worked on
    in blocks, chunk by chunk where the table is large, and a family larger than a block in slices,
    twice: once for its weights and once for the derivatives.
    """
    _keep_freed_memory()
    chunks = table.chunks()

    def one(families: slice, scores: slice) -> Marginal:
        part = table if len(chunks) == 1 else table.rows(scores)
        if placement is not None:
            posterior = placement if part is table else placement.families(families)
        else:
            begin = None if start is None else start[families]
            posterior = posterior_modes(part, coefficients, begin, tolerance)
        sums = _Sums(part, coefficients, nodes, posterior, order=order, floors=floors)
        for block in part.blocks(nodes.points.shape[1], wide=part is not table):
            sums.add(block)
        return sums.collect()

    count = thread_count(n_jobs) if len(chunks) > 1 else 1
    return Marginal.joined(in_threads(one, chunks, count))


@lru_cache(maxsize=1)
def _keep_freed_memory() -> None:
    """Let the C library keep freed memory: handing pages back and forth doubles the run time.

    Freeing one large block raises glibc's thresholds for mapping and trimming, once per process;
    elsewhere this does nothing.
    """
    np.empty(_LARGE_BLOCK, dtype=np.uint8)


def refined(
    table: ScoreTable,
    coefficients: Coefficients,
    first: Nodes,
    second: Nodes,
    *,
    order: int = 0,
    floors: bool = False,
    n_jobs: int | None = 1,
) -> Marginal:
    """Return a precise log-likelihood, with the posterior means and covariances it rests on.

    Parameters
    ----------
    table : ScoreTable
        The scores.
    coefficients : Coefficients
        The reduced form of the model.
    first, second : Nodes
        Nodes for finding each family's posterior mean and covariance, and for the value.
    order : {0, 1, 2}
        Derivatives, as in :func:`integrate`.
    floors : bool
        Whether derivatives by the floors are wanted.
    n_jobs : int, optional
        Threads, as in :func:`integrate`.

    Returns
    -------
    Marginal

    Notes
    -----
    Nodes around the posterior *mean*, scaled by the posterior covariance and stretched by 5 %, need
    far fewer points than nodes around the mode: on the embedded data, four or five skills, 1,024
    moment-matched nodes are within 0.03 of the log-likelihood whatever their seed, 2,048 within
    0.02, where as many around the mode are off by up to 0.4 when one of them falls far out.
    """
    rough = integrate(table, coefficients, first, tolerance=1e-8, n_jobs=n_jobs)
    try:
        placement = Posterior.of(rough.mean, rough.covariance, _STRETCH)
    except np.linalg.LinAlgError:  # a posterior that is a point: scores fitted exactly
        placement = rough.posterior
    return integrate(
        table, coefficients, second,
        order=order, floors=floors, placement=placement, n_jobs=n_jobs,
    )  # fmt: skip


class _Sums:
    """One pass over the families, block by block."""

    def __init__(
        self,
        table: ScoreTable,
        coefficients: Coefficients,
        nodes: Nodes,
        posterior: Posterior,
        *,
        order: int,
        floors: bool,
    ) -> None:
        self.table, self.coefficients, self.nodes = table, coefficients, nodes
        self.posterior, self.order, self.floors = posterior, order, floors
        self.weights = coefficients.latent_weights(table)
        self.fixed = coefficients.fixed_part(table)
        n_families, n_benchmarks = table.n_families, table.n_benchmarks
        q, width = coefficients.latent.shape[2], coefficients.width
        self.by_family = np.empty(n_families)
        self.effective = np.empty(n_families)
        self.mean = np.empty((n_families, q))
        self.covariance = np.empty((n_families, q, q))
        self.scores = np.zeros((n_families if order else 0, n_benchmarks, width))
        size = n_benchmarks * width if order == 2 else 0
        self.complete = np.zeros((n_benchmarks, width, width))
        self.spread = np.zeros((size, size))

    def collect(self) -> Marginal:
        """Return what the blocks added up to."""
        return Marginal(
            float(self.by_family.sum()),
            self.by_family,
            self.posterior,
            self.effective,
            self.nodes.points.shape[1],
            self.mean,
            self.covariance,
            self.scores if self.order else None,
            self._hessian() if self.order == 2 else None,
            self.complete if self.order == 2 else None,
        )

    def _hessian(self) -> Array:
        """Louis: complete-data part, plus spread of the complete-data gradients in each family."""
        flat = self.scores.reshape(len(self.scores), -1)
        hessian = self.spread - flat.T @ flat
        n_benchmarks, width, _ = self.complete.shape
        for j in range(n_benchmarks):
            at = slice(j * width, (j + 1) * width)
            hessian[at, at] += self.complete[j]
        return np.asarray(hessian)

    def add(self, block: Block) -> None:
        """Integrate a run of families and add what they contribute."""
        nodes, families = self.nodes, block.families
        mode, scale = self.posterior.mode[families], self.posterior.scale[families]
        slices = self.table.slices(block, nodes.points.shape[1])
        terms = self._terms(block, mode, scale, self.order) if len(slices) == 1 else None
        z = mode[:, :, None] + scale @ nodes.points  # (families, q, nodes)
        log_ratio = self._log_density(slices, terms, mode, scale)
        log_ratio += nodes.half_norms - 0.5 * np.einsum("lqs,lqs->ls", z, z)
        log_ratio += self.posterior.log_det[families, None]
        top = log_ratio.max(axis=1, keepdims=True)
        w = np.exp(log_ratio - top)
        total = w.sum(axis=1, keepdims=True)
        w /= total
        self.by_family[families] = (top + np.log(total / w.shape[1]))[:, 0]
        self.effective[families] = 1.0 / np.einsum("ls,ls->l", w, nodes.unweighted(w))
        self.mean[families] = mean = np.einsum("lqs,ls->lq", z, w)
        away = z - mean[:, :, None]
        self.covariance[families] = (away * w[:, None, :]) @ np.swapaxes(away, 1, 2)
        if self.order:
            self._add_derivatives(block, slices, terms, z, w)

    def _log_density(
        self, slices: Sequence[Block], terms: ScoreTerms | None, mode: Array, scale: Array
    ) -> Array:
        """Log density of each family's scores at its nodes, shape (families, nodes)."""
        if terms is not None:
            return np.add.reduceat(terms.value, slices[0].family_starts, axis=0)
        values = (self._terms(piece, mode, scale, 0).value.sum(axis=0) for piece in slices)
        return np.asarray(sum(values))[None]

    def _terms(self, block: Block, mode: Array, scale: Array, order: int) -> ScoreTerms:
        """Log densities and derivatives of the block's scores at all nodes."""
        weights = self.weights[block.scores]
        spread = np.einsum("nq,nqk->nk", weights, scale[block.family])
        centre = self.fixed[block.scores] + np.einsum("nq,nq->n", weights, mode[block.family])
        eta = spread @ self.nodes.points
        eta += centre[:, None]
        return score_terms(
            self.table.seen.rows(block.scores),
            eta,
            self.coefficients.log_precision[block.benchmark, None],
            self.coefficients.floor[block.benchmark, None],
            order=order,
            floors=self.floors,
        )

    def _add_derivatives(
        self, block: Block, slices: Sequence[Block], terms: ScoreTerms | None, z: Array, w: Array
    ) -> None:
        """Add the families' gradients and, for the Hessian, the spread of complete-data ones."""
        n_families, _, n_nodes = z.shape
        n_benchmarks, width = len(self.complete), self.coefficients.width
        mode, scale = self.posterior.mode[block.families], self.posterior.scale[block.families]
        complete = np.zeros((n_benchmarks, width, n_families, n_nodes))
        for piece in slices:
            known = terms or self._terms(piece, mode, scale, self.order)
            self._add_gradients(complete, piece, known, z)
            if self.order == 2:
                self._add_complete(piece, known, w[piece.family], mode, scale)
        root = np.sqrt(w)
        complete *= root
        means = np.matmul(complete.reshape(-1, n_families, n_nodes).swapaxes(0, 1), root[..., None])
        self.scores[block.families] = means.reshape(n_families, n_benchmarks, width)
        if self.order == 2:
            wide = complete.reshape(n_benchmarks * width, -1)
            self.spread += wide @ wide.T

    def _add_gradients(self, out: Array, block: Block, terms: ScoreTerms, z: Array) -> None:
        """Add the scores' complete-data gradients at each node, shape (J, width, L, nodes)."""
        assert terms.e is not None
        assert terms.r is not None
        m, (q, n_nodes) = len(self.coefficients.latent), z.shape[1:]
        family, benchmark = block.group_family, block.group_benchmark
        pulls = (block.weighted_sums @ terms.e).reshape(len(family), -1, n_nodes)
        for r in range(m):
            out[benchmark, r * q : (r + 1) * q, family] += pulls[:, r, None] * z[family]
        out[benchmark, m * q : -3, family] += pulls[:, m:]
        out[benchmark, -3, family] += pulls[:, 0]
        out[benchmark, -2, family] += block.plain_sums @ terms.r
        if terms.c is not None:
            out[benchmark, -1, family] += block.plain_sums @ terms.c

    def _add_complete(
        self, block: Block, terms: ScoreTerms, w: Array, mode: Array, scale: Array
    ) -> None:
        """Add the posterior mean of the complete-data Hessian, a block for each benchmark."""
        latent = LatentMoments(self.nodes, mode[block.family], scale[block.family], w)
        design, features = self.table.design[block.scores], self.table.features[block.scores]
        each = complete_hessians(terms, latent, design, features)
        member = (block.benchmark == np.arange(len(self.complete))[:, None]).astype(float)
        self.complete += (member @ each.reshape(len(w), -1)).reshape(self.complete.shape)


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
