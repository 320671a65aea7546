"""The marginal likelihood: what the scores of each family say once its latent vector is averaged out.

Given the parameters, families are independent, and within a family every score is a Beta regression
on known covariates and on the family's latent vector. So the model reaches this module in its
*reduced form*: for benchmark j, model i of family l and whitened latent vector ``z ~ N(0, I_q)``

    eta = sum_r  Z_ir  A_rj' z  +  b_j' x_i  +  d_j ,

with latent design Z (a column of ones; a further column for each feature whose slope differs
between families), features x, and per benchmark the coefficients A (m x q), b (p), d, log precision
and floor. How skills, loadings and correlations produce these coefficients is the business of
:mod:`lvkit.structure`; here is only the integral.

Each family's integral is taken around its posterior mode: Newton's method finds the mode, the inverse
expected information there scales a fixed set of quasi-Monte Carlo nodes, and importance weights correct the
Gaussian to the true posterior. Fisher's identity gives the gradient and Louis' identity the Hessian
from the same nodes. The nodes are placed anew at every evaluation: with nodes frozen for a whole
optimisation the optimiser exploits their errors and stops at a wrong point that looks converged.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lvkit.beta import Evidence, ScoreTerms, evidence, score_terms
from lvkit.nodes import Nodes

__all__ = [
    "Coefficients",
    "Marginal",
    "Posterior",
    "ScoreTable",
    "integrate",
    "posterior_modes",
    "refined",
]

Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]

_BLOCK = 16_384
"""Scores times nodes worked on at once: their temporaries stay within a core's cache."""

_MODE_STEPS = 50

_SOUND = 0.2
"""Least eigenvalue of an observed curvature that is trusted; the prior alone has one."""

_STRETCH = 1.05
"""How much wider than the posterior the nodes of the final value lie: tails count too."""

_LARGE_BLOCK = 31 * 2**20


@dataclass(frozen=True)
class ScoreTable:
    """The measured scores in long form, sorted by family and then by benchmark.

    Attributes
    ----------
    family, model, benchmark : ndarray of int, shape (n,)
        Position of each score's family, model and benchmark.
    seen : Evidence
        The scores themselves, clipped, as the Beta likelihood needs them.
    features : ndarray, shape (n, p)
        Centred features of each score's model.
    design : ndarray, shape (n, m)
        Latent design of each score's model; the first column is one.
    n_families, n_benchmarks : int
        Families and benchmarks that have scores.
    """

    family: Index
    model: Index
    benchmark: Index
    seen: Evidence
    features: Array
    design: Array
    n_families: int
    n_benchmarks: int
    family_starts: Index = field(repr=False)
    group_starts: Index = field(repr=False)

    @classmethod
    def build(
        cls, scores: Array, family: Index, features: Array, design: Array, clip: float
    ) -> ScoreTable:
        """Arrange a models x benchmarks matrix of scores (NaN = not measured).

        Parameters
        ----------
        scores : ndarray, shape (models, benchmarks)
            Every model and every benchmark has at least one score.
        family : ndarray of int, shape (models,)
            Families counted from 0, none empty.
        features, design : ndarray, shapes (models, p) and (models, m)
            Centred features and latent design of each model.
        clip : float
            Scores are held within ``[clip, 1 - clip]``.
        """
        model, benchmark = np.nonzero(~np.isnan(scores))
        order = np.lexsort((model, benchmark, family[model]))
        model, benchmark = model[order], benchmark[order]
        of_family = family[model]
        group = of_family * scores.shape[1] + benchmark
        y = np.clip(scores[model, benchmark], clip, 1.0 - clip)
        return cls(
            family=of_family,
            model=model,
            benchmark=benchmark,
            seen=evidence(y),
            features=features[model],
            design=design[model],
            n_families=int(of_family[-1]) + 1,
            n_benchmarks=scores.shape[1],
            family_starts=np.flatnonzero(np.diff(of_family, prepend=-1)),
            group_starts=np.flatnonzero(np.diff(group, prepend=-1)),
        )

    @property
    def n_scores(self) -> int:
        """Number of scores."""
        return len(self.family)

    def blocks(self, n_nodes: int) -> Iterator[_Block]:
        """Yield runs of whole families, each small enough for a core's cache."""
        ends = np.append(self.family_starts[1:], self.n_scores)
        limit = max(1, _BLOCK // n_nodes)
        first = 0
        while first < self.n_families:
            start = self.family_starts[first]
            last = int(np.searchsorted(ends, start + limit, side="right"))
            last = max(last, first + 1)
            yield _Block.cut(self, slice(first, last), slice(int(start), int(ends[last - 1])))
            first = last


class _Block(NamedTuple):
    """A run of whole families of a :class:`ScoreTable`."""

    families: slice
    scores: slice
    family: Index  # of each score, counted from the block's first family
    benchmark: Index
    family_starts: Index
    group_starts: Index
    group_family: Index
    group_benchmark: Index

    @classmethod
    def cut(cls, table: ScoreTable, families: slice, scores: slice) -> _Block:
        family = table.family[scores] - families.start
        benchmark = table.benchmark[scores]
        low, high = np.searchsorted(table.group_starts, [scores.start, scores.stop])
        groups = table.group_starts[low:high] - scores.start
        return cls(
            families,
            scores,
            family,
            benchmark,
            table.family_starts[families] - scores.start,
            groups,
            family[groups],
            benchmark[groups],
        )


@dataclass(frozen=True)
class Coefficients:
    """The reduced form: each benchmark's coefficients.

    Attributes
    ----------
    latent : ndarray, shape (m, J, q)
        Weights of the whitened latent vector, for each column of the latent design.
    feature : ndarray, shape (J, p)
        Weights of the centred features.
    intercept, log_precision, floor : ndarray, shape (J,)
        Intercept (logits), logarithm of the Beta precision, and floor.
    """

    latent: Array
    feature: Array
    intercept: Array
    log_precision: Array
    floor: Array

    @property
    def width(self) -> int:
        """Entries of one benchmark in gradient and Hessian: m q + p + 3."""
        m, _, q = self.latent.shape
        return m * q + self.feature.shape[1] + 3


@dataclass(frozen=True)
class Posterior:
    """Gaussian approximation of each family's whitened latent vector.

    Attributes
    ----------
    mode : ndarray, shape (L, q)
        Posterior mode.
    scale : ndarray, shape (L, q, q)
        ``scale @ scale.T`` is the inverse of the information at the mode.
    log_det : ndarray, shape (L,)
        Log determinant of `scale`.
    """

    mode: Array
    scale: Array
    log_det: Array


def _latent_weights(table: ScoreTable, coefficients: Coefficients) -> Array:
    """Weight of the family's latent vector in each score's predictor, shape (n, q)."""
    weights = coefficients.latent[:, table.benchmark]
    if len(weights) == 1:
        return weights[0]
    return np.einsum("nr,rnq->nq", table.design, weights)


def _fixed_part(table: ScoreTable, coefficients: Coefficients) -> Array:
    """Features' and intercept's part of each score's predictor, shape (n,)."""
    fixed = np.einsum("np,np->n", table.features, coefficients.feature[table.benchmark])
    return np.asarray(fixed + coefficients.intercept[table.benchmark])


def posterior_modes(
    table: ScoreTable,
    coefficients: Coefficients,
    start: Array | None = None,
    tolerance: float = 1e-6,
) -> Posterior:
    """Find each family's posterior mode by damped Newton steps, all families at once.

    Parameters
    ----------
    table : ScoreTable
        The scores.
    coefficients : Coefficients
        The reduced form.
    start : ndarray, shape (L, q), optional
        Where to begin; zero by default.
    tolerance : float
        Stop when no family's step is longer than this.

    Notes
    -----
    Where the log posterior is not concave the expected information takes the place of the observed
    one and keeps the step uphill; a family whose log posterior falls shortens its step. The scale
    comes from the expected information, which is always positive definite.
    """
    weights, fixed = _latent_weights(table, coefficients), _fixed_part(table, coefficients)
    rho = coefficients.log_precision[table.benchmark, None]
    floor = coefficients.floor[table.benchmark, None]
    q = weights.shape[1]
    squares = (weights[:, :, None] * weights[:, None, :]).reshape(len(weights), -1)

    def look(z: Array) -> tuple[Array, Array, Array, Array]:
        """Log posterior, its gradient, its expected and its observed curvature."""
        eta = (fixed + np.einsum("nq,nq->n", weights, z[table.family]))[:, None]
        terms, information = _score_information(table.seen, eta, rho, floor)
        sums = np.concatenate(
            [terms.value, terms.e * weights, information * squares, -terms.ee * squares],  # type: ignore[operator]
            axis=1,
        )
        total = np.add.reduceat(sums, table.family_starts, axis=0)
        expected, observed = np.split(total[:, q + 1 :].reshape(-1, 2 * q, q), 2, axis=1)
        value = total[:, 0] - 0.5 * np.einsum("lq,lq->l", z, z)
        return value, total[:, 1 : q + 1] - z, expected + np.eye(q), observed + np.eye(q)

    z = np.zeros((table.n_families, q)) if start is None else start
    value, gradient, expected, observed = look(z)
    damping = np.ones(table.n_families)
    for _ in range(_MODE_STEPS):
        sound = np.linalg.eigvalsh(observed)[:, 0] > _SOUND
        information = np.where(sound[:, None, None], observed, expected)
        step = damping[:, None] * np.linalg.solve(information, gradient[:, :, None])[:, :, 0]
        there = look(z + step)
        better = there[0] >= value - 1e-9 * (1.0 + np.abs(value))
        damping = np.where(better, np.minimum(1.0, 2.0 * damping), 0.25 * damping)
        keep = better[:, None]
        z = np.where(keep, z + step, z)
        value, gradient = np.where(better, there[0], value), np.where(keep, there[1], gradient)
        expected = np.where(keep[:, :, None], there[2], expected)
        observed = np.where(keep[:, :, None], there[3], observed)
        if np.abs(step).max() < tolerance:
            break
    root = np.linalg.cholesky(expected)
    scale = np.swapaxes(np.linalg.inv(root), 1, 2)
    log_det = -np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)
    return Posterior(z, scale, log_det)


def _score_information(
    seen: Evidence, eta: Array, rho: Array, floor: Array
) -> tuple[ScoreTerms, Array]:
    """First-order terms of each score and the expected information in its predictor."""
    terms = score_terms(seen, eta, rho, floor, order=2, floors=False)
    up = 1.0 / (1.0 + np.exp(-np.clip(eta, -300.0, 300.0)))
    # terms.ee = e (1 - 2 up) - information, whatever the score
    return terms, terms.e * (1.0 - 2.0 * up) - terms.ee  # type: ignore[operator]


@dataclass(frozen=True)
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
        Effective number of nodes (Kish) of each family's importance weights.
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
    mean: Array
    covariance: Array
    scores: Array | None = None
    hessian: Array | None = None
    complete: Array | None = None

    @property
    def gradient(self) -> Array:
        """Gradient by the benchmark coefficients, shape (J, width)."""
        if self.scores is None:
            raise ValueError("integrate(..., order=1) computes the gradient")
        return np.asarray(self.scores.sum(axis=0))


class _Sums:
    """Accumulators over the blocks of families."""

    def __init__(self, table: ScoreTable, coefficients: Coefficients, order: int) -> None:
        n_families, n_benchmarks = table.n_families, table.n_benchmarks
        q, width = coefficients.latent.shape[2], coefficients.width
        self.by_family = np.empty(n_families)
        self.effective = np.empty(n_families)
        self.mean = np.empty((n_families, q))
        self.covariance = np.empty((n_families, q, q))
        self.scores = np.zeros((n_families if order else 0, n_benchmarks, width))
        size = n_benchmarks * width
        self.complete = np.zeros((n_benchmarks, width, width))
        self.spread = np.zeros((size, size) if order > 1 else (0, 0))


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

    Returns
    -------
    Marginal

    Notes
    -----
    With r_s the log ratio of joint density to node density, a family's log-likelihood is the log
    mean of exp(r_s), its gradient the weighted mean of the complete-data gradient g_s (Fisher), and
    its Hessian the weighted mean of the complete-data Hessian plus the weighted covariance of g_s
    (Louis, 1982). Time and memory are linear in scores times nodes; memory is bounded by blocks.
    """
    _keep_freed_memory()
    posterior = placement or posterior_modes(table, coefficients, start, tolerance)
    weights, fixed = _latent_weights(table, coefficients), _fixed_part(table, coefficients)
    sums = _Sums(table, coefficients, order)
    for block in table.blocks(nodes.points.shape[1]):
        _add_block(
            sums, table, coefficients, nodes, posterior, weights, fixed, block, order, floors
        )
    return _collect(sums, posterior, order)


@lru_cache(maxsize=1)
def _keep_freed_memory() -> None:
    """Let the C library keep freed memory: handing pages back and forth doubles the run time.

    Freeing one large block raises glibc's thresholds for mapping and trimming, once per process;
    elsewhere this does nothing.
    """
    np.empty(_LARGE_BLOCK, dtype=np.uint8)


def refined(table: ScoreTable, coefficients: Coefficients, first: Nodes, second: Nodes) -> Marginal:
    """Return a precise log-likelihood, with the posterior means and covariances it rests on.

    Parameters
    ----------
    table : ScoreTable
        The scores.
    coefficients : Coefficients
        The reduced form of the model.
    first, second : Nodes
        Nodes for finding each family's posterior mean and covariance, and for the value.

    Returns
    -------
    Marginal
        Of order 0.

    Notes
    -----
    Nodes around the posterior *mean*, scaled by the posterior covariance and stretched by 5 %, need
    far fewer points than nodes around the mode: on the embedded data, four or five skills, 1,024
    moment-matched nodes are within 0.03 of the log-likelihood whatever their seed, 2,048 within
    0.02, where as many around the mode are off by up to 0.4 when one of them falls far out.
    """
    rough = integrate(table, coefficients, first, tolerance=1e-8)
    scale = np.linalg.cholesky(rough.covariance) * _STRETCH
    log_det = np.log(np.diagonal(scale, axis1=1, axis2=2)).sum(axis=1)
    placement = Posterior(rough.mean, scale, log_det)
    return integrate(table, coefficients, second, placement=placement)


def _collect(sums: _Sums, posterior: Posterior, order: int) -> Marginal:
    loglik = float(sums.by_family.sum())
    hessian = None
    if order == 2:
        flat = sums.scores.reshape(len(sums.scores), -1)
        hessian = sums.spread - flat.T @ flat
        n_benchmarks, width, _ = sums.complete.shape
        for j in range(n_benchmarks):
            at = slice(j * width, (j + 1) * width)
            hessian[at, at] += sums.complete[j]
    return Marginal(
        loglik,
        sums.by_family,
        posterior,
        sums.effective,
        sums.mean,
        sums.covariance,
        sums.scores if order else None,
        hessian,
        sums.complete if order == 2 else None,
    )


def _add_block(
    sums: _Sums,
    table: ScoreTable,
    coefficients: Coefficients,
    nodes: Nodes,
    posterior: Posterior,
    weights: Array,
    fixed: Array,
    block: _Block,
    order: int,
    floors: bool,
) -> None:
    """Integrate a run of families and add what they contribute."""
    mode, scale = posterior.mode[block.families], posterior.scale[block.families]
    a = weights[block.scores]
    spread = np.einsum("nq,nqk->nk", a, scale[block.family])
    centre = fixed[block.scores] + np.einsum("nq,nq->n", a, mode[block.family])
    eta = spread @ nodes.points
    eta += centre[:, None]
    terms = score_terms(
        table.seen.rows(block.scores),
        eta,
        coefficients.log_precision[block.benchmark, None],
        coefficients.floor[block.benchmark, None],
        order=order,
        floors=floors,
    )
    z = mode[:, :, None] + scale @ nodes.points  # (families, q, nodes)
    log_ratio = np.add.reduceat(terms.value, block.family_starts, axis=0)
    log_ratio += nodes.half_norms - 0.5 * np.einsum("lqs,lqs->ls", z, z)
    log_ratio += posterior.log_det[block.families, None]
    top = log_ratio.max(axis=1, keepdims=True)
    w = np.exp(log_ratio - top)
    total = w.sum(axis=1, keepdims=True)
    w /= total
    sums.by_family[block.families] = (top + np.log(total / w.shape[1]))[:, 0]
    sums.effective[block.families] = 1.0 / np.einsum("ls,ls->l", w, w)
    _add_moments(sums, z, w, block)
    if order:
        _add_scores(sums, table, terms, z, w, block, coefficients, order, floors)
    if order == 2:
        _add_complete(sums, table, terms, (mode, scale), w, block, nodes, floors)


def _add_moments(sums: _Sums, z: Array, w: Array, block: _Block) -> None:
    mean = np.einsum("lqs,ls->lq", z, w)
    away = z - mean[:, :, None]
    sums.mean[block.families] = mean
    sums.covariance[block.families] = np.einsum("lqs,lks->lqk", away * w[:, None, :], away)


def _add_scores(
    sums: _Sums,
    table: ScoreTable,
    terms: ScoreTerms,
    z: Array,
    w: Array,
    block: _Block,
    coefficients: Coefficients,
    order: int,
    floors: bool,
) -> None:
    """Add the families' gradients and, for the Hessian, the spread of the complete-data gradients."""
    n_families, q, n_nodes = z.shape
    m, n_benchmarks, _ = coefficients.latent.shape
    at = (block.group_family, block.group_benchmark)

    def by_group(values: Array) -> Array:
        return np.asarray(np.add.reduceat(values, block.group_starts, axis=0))

    design, features = table.design[block.scores], table.features[block.scores]
    complete = np.zeros((n_families, n_benchmarks, coefficients.width, n_nodes))
    assert terms.e is not None and terms.r is not None
    plain = by_group(terms.e)
    for r in range(m):
        pull = plain if r == 0 else by_group(terms.e * design[:, r, None])
        complete[*at, r * q : (r + 1) * q] = pull[:, None, :] * z[block.group_family]
    for p in range(features.shape[1]):
        complete[*at, m * q + p] = by_group(terms.e * features[:, p, None])
    complete[*at, -3] = plain
    complete[*at, -2] = by_group(terms.r)
    if floors and terms.c is not None:
        complete[*at, -1] = by_group(terms.c)
    flat = complete.reshape(n_families, -1, n_nodes)
    means = np.matmul(flat, w[:, :, None])[:, :, 0]
    sums.scores[block.families] = means.reshape(n_families, n_benchmarks, -1)
    if order == 2:
        flat *= np.sqrt(w)[:, None, :]
        wide = np.swapaxes(flat, 0, 1).reshape(flat.shape[1], -1)
        sums.spread += wide @ wide.T


def _add_complete(
    sums: _Sums,
    table: ScoreTable,
    terms: ScoreTerms,
    gaussian: tuple[Array, Array],
    w: Array,
    block: _Block,
    nodes: Nodes,
    floors: bool,
) -> None:
    """Add the posterior mean of the complete-data Hessian, a block for each benchmark."""
    assert terms.ee is not None and terms.er is not None and terms.rr is not None
    mode, scale = (part[block.family] for part in gaussian)
    q = mode.shape[1]
    of_score = w[block.family]
    weighted = of_score * terms.ee
    moments = weighted @ nodes.monomials
    m0, m1 = moments[:, 0], np.einsum("nqk,nk->nq", scale, moments[:, 1 : q + 1])
    m2 = np.einsum(
        "nqk,nkh,nrh->nqr", scale, moments[:, q + 1 :].reshape(-1, q, q), scale, optimize=True
    )
    first = mode * m0[:, None] + m1
    cross = mode[:, :, None] * m1[:, None, :]
    second = m0[:, None, None] * mode[:, :, None] * mode[:, None, :]
    second += cross + np.swapaxes(cross, 1, 2) + m2

    design = table.design[block.scores]
    n, m = design.shape
    fixed = np.concatenate([table.features[block.scores], np.ones((n, 1))], axis=1)
    split, end = m * q, m * q + fixed.shape[1]
    each = np.zeros((n, end + 2, end + 2))
    latent = design[:, :, None, None, None] * second[:, None, :, None, :]
    latent = latent * design[:, None, None, :, None]
    each[:, :split, :split] = latent.reshape(n, split, split)
    wide = (design[:, :, None] * first[:, None, :]).reshape(n, split)
    each[:, :split, split:end] = wide[:, :, None] * fixed[:, None, :]
    each[:, split:end, :split] = np.swapaxes(each[:, :split, split:end], 1, 2)
    each[:, split:end, split:end] = m0[:, None, None] * fixed[:, :, None] * fixed[:, None, :]

    def border(values: Array, position: int) -> None:
        weighted = of_score * values
        b = weighted @ nodes.monomials[:, : q + 1]
        z1 = mode * b[:, :1] + np.einsum("nqk,nk->nq", scale, b[:, 1:])
        each[:, :split, position] = (design[:, :, None] * z1[:, None, :]).reshape(n, split)
        each[:, split:end, position] = fixed * b[:, :1]
        each[:, position, :end] = each[:, :end, position]

    border(terms.er, end)
    each[:, end, end] = np.einsum("ns,ns->n", of_score, terms.rr)
    if floors:
        assert terms.ec is not None and terms.cr is not None and terms.cc is not None
        border(terms.ec, end + 1)
        each[:, end, end + 1] = each[:, end + 1, end] = np.einsum("ns,ns->n", of_score, terms.cr)
        each[:, end + 1, end + 1] = np.einsum("ns,ns->n", of_score, terms.cc)
    member = (block.benchmark == np.arange(len(sums.complete))[:, None]).astype(float)
    sums.complete += (member @ each.reshape(n, -1)).reshape(sums.complete.shape)
