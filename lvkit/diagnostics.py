"""Can a sampler's draws be trusted? R-hat and effective sample size, as their authors define them.

Several chains explore one distribution from different starts. If they have forgotten where they
began, the variance between their means is what the variance within them predicts, and *R-hat* is
one. Draws that resemble their predecessors tell less than independent ones would: the *effective
sample size* counts how many independent draws would pin the mean down as well.

Everything here follows Vehtari, Gelman, Simpson, Carpenter and Bürkner (2021, Bayesian Analysis 16,
667-718): chains are split in halves, so that a drift shows too, and values are replaced by normal
scores of their ranks, so that heavy tails cannot hide a fault.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

_LEAST_DRAWS = 4
"""Fewer draws in a chain than this cannot be split and compared: the answer is NaN."""


def r_hat(chains: npt.ArrayLike) -> Array:
    """Return the rank-normalised split R-hat, the greater of bulk and tail.

    Parameters
    ----------
    chains : array_like, shape (..., chains, draws)
        Draws of any number of quantities, in the order they were drawn.

    Returns
    -------
    ndarray, shape (...)
        One where all chains agree; above 1.01 they should not be used. NaN if nothing varies, if
        something is not finite, or with fewer than four draws in a chain.

    Examples
    --------
    Two chains around the same mean, and two around means three standard deviations apart:

    >>> draws = np.random.default_rng(0).standard_normal((2, 1000))
    >>> bool(r_hat(draws) < 1.01), bool(r_hat(draws + [[0.0], [3.0]]) > 1.5)
    (True, True)
    """
    split = _split(chains)
    if split is None:
        return _nothing(chains)
    folded = np.abs(split - np.median(split, axis=(-2, -1), keepdims=True))
    worst = np.maximum(_plain_r_hat(_normal_scores(split)), _plain_r_hat(_normal_scores(folded)))
    return np.where(_sound(split), worst, np.nan)


def ess_bulk(chains: npt.ArrayLike) -> Array:
    """Return the effective sample size for the middle of the distribution: means and medians.

    Parameters
    ----------
    chains : array_like, shape (..., chains, draws)
        Draws of any number of quantities, in the order they were drawn.

    Returns
    -------
    ndarray, shape (...)
        Effective number of independent draws in all chains together; NaN as in :func:`r_hat`.

    Notes
    -----
    Autocorrelations are summed by Geyer's initial monotone sequence: sums of neighbouring pairs, as
    long as they are positive, each held to be no larger than the one before, and the first
    autocorrelation after them if that is positive, which steadies the sum where draws alternate.
    Such draws are worth more than independent ones; the gain is capped at ``log10(n)`` times their
    number.

    Examples
    --------
    Independent draws are worth their number, 4,000; a first-order autoregression with coefficient
    0.5 is worth a third of it:

    >>> noise = np.random.default_rng(0).standard_normal((4, 1000))
    >>> chains = noise.copy()
    >>> for t in range(1, 1000):
    ...     chains[:, t] = 0.5 * chains[:, t - 1] + noise[:, t]
    >>> bool(3500 < ess_bulk(noise) < 4500), bool(1100 < ess_bulk(chains) < 1600)
    (True, True)
    """
    split = _split(chains)
    if split is None:
        return _nothing(chains)
    return np.where(_sound(split), _plain_ess(_normal_scores(split)), np.nan)


def ess_tail(chains: npt.ArrayLike) -> Array:
    """Return the effective sample size for the tails: the lesser of the 5 % and 95 % quantiles'.

    Parameters
    ----------
    chains : array_like, shape (..., chains, draws)
        Draws of any number of quantities, in the order they were drawn.

    Returns
    -------
    ndarray, shape (...)
        Effective number of independent draws; NaN as in :func:`r_hat`.

    Examples
    --------
    >>> draws = np.random.default_rng(0).standard_normal((4, 1000))
    >>> bool(3000 < ess_tail(draws) < 5000)
    True
    """
    split = _split(chains)
    if split is None:
        return _nothing(chains)
    limits = np.quantile(split, [0.05, 0.95], axis=(-2, -1), keepdims=True)
    below = [_plain_ess((split <= limit).astype(float)) for limit in limits]
    return np.where(_sound(split), np.minimum(*below), np.nan)


def _split(chains: npt.ArrayLike) -> Array | None:
    """Return each chain's halves as chains of their own; a middle draw is left out."""
    values = np.asarray(chains, dtype=float)
    half = values.shape[-1] // 2
    if 2 * half < _LEAST_DRAWS:
        return None
    return np.concatenate([values[..., :half], values[..., -half:]], axis=-2)


def _nothing(chains: npt.ArrayLike) -> Array:
    return np.full(np.shape(chains)[:-2], np.nan)


def _sound(split: Array) -> npt.NDArray[np.bool_]:
    """Where all draws are finite and they are not all the same."""
    finite = np.isfinite(split).all(axis=(-2, -1))
    return np.asarray(finite & (split.max(axis=(-2, -1)) > split.min(axis=(-2, -1))))


def _normal_scores(split: Array) -> Array:
    """Replace values by the normal quantiles of their ranks over all chains (Blom's offsets)."""
    from scipy.special import ndtri
    from scipy.stats import rankdata

    flat = split.reshape(*split.shape[:-2], -1)
    ranks = rankdata(flat, axis=-1)
    return np.asarray(ndtri((ranks - 0.375) / (flat.shape[-1] + 0.25))).reshape(split.shape)


def _variances(split: Array) -> tuple[Array, Array]:
    """Return the mean variance within chains, and the variance estimated from all of them."""
    draws = split.shape[-1]
    within = split.var(axis=-1, ddof=1).mean(axis=-1)
    between = split.mean(axis=-1).var(axis=-1, ddof=1)
    return within, within * (draws - 1) / draws + between


def _plain_r_hat(split: Array) -> Array:
    within, total = _variances(split)
    with np.errstate(divide="ignore", invalid="ignore"):  # a constant: NaN is the answer
        return np.asarray(np.sqrt(total / within))


def _autocovariances(split: Array) -> Array:
    """Autocovariances of each chain at all lags, by the fast Fourier transform."""
    from scipy.fft import irfft, next_fast_len, rfft

    draws = split.shape[-1]
    size = next_fast_len(2 * draws, real=True)
    spectrum = rfft(split - split.mean(axis=-1, keepdims=True), size, axis=-1)
    return np.asarray(irfft(np.abs(spectrum) ** 2, size, axis=-1)[..., :draws] / draws)


def _plain_ess(split: Array) -> Array:
    """Draws over the integrated autocorrelation time, of chains already split and transformed."""
    n_chains, draws = split.shape[-2:]
    within, total = _variances(split)
    mean_covariance = _autocovariances(split).mean(axis=-2)
    with np.errstate(divide="ignore", invalid="ignore"):  # a constant: NaN is the answer
        correlation = 1.0 - (within[..., None] - mean_covariance) / total[..., None]
    correlation[..., 0] = 1.0
    count = max(1, (draws - 3) // 2)  # the last lags rest on two or three products: noise
    pairs = correlation[..., : 2 * count].reshape(*within.shape, count, 2).sum(axis=-1)
    positive = np.logical_and.accumulate(pairs > 0.0, axis=-1)
    monotone = np.minimum.accumulate(np.where(positive, pairs, 0.0), axis=-1)
    after = np.minimum(2 * positive.sum(axis=-1, keepdims=True), draws - 1)
    edge = np.take_along_axis(correlation, after, axis=-1)[..., 0]
    time = 2.0 * monotone.sum(axis=-1) - 1.0 + np.maximum(edge, 0.0)
    size = n_chains * draws
    return np.asarray(size / np.maximum(time, 1.0 / np.log10(size)))
