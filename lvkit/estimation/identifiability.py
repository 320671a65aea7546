"""What the data do not determine: families that do not differ, skills that coincide.

A search can converge to an estimate that means nothing. Where families do not differ on a skill
beyond its features, their variance is estimated as zero; the standard deviation among families is
the skill's unit, so that its loadings go to zero and its slopes grow without bound. Where no family
tells two skills apart, their correlation ends anywhere, mostly at 1 or -1.

Both show in the families' posteriors, at no cost. In whitened coordinates, in which the family
effects of skill k are ``f_k' z`` with ``z ~ N(0, I)``, let ``S_l`` be the posterior covariance of
family l's vector z, and let the covariance among families be ``F (I + H) F'`` with a symmetric H,
zero at the estimate. The families' (expected) information about H is

    0.5 sum_l tr((I - S_l) H (I - S_l) H) ,

with the other parameters taken as known. It is the information about a variance from L families,
each of which counts by the square of its reliability. The delta method carries it over to the
logarithm of each skill's standard deviation and to Fisher's z of each correlation. Nothing here
depends on units, and no matrix has to be inverted that is singular at the boundary.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lvkit.errors import LvkitWarning
from lvkit.estimation.fitted import Fitted

Array = npt.NDArray[np.float64]

KINDS = ("family_variance", "correlation", "covariance", "few_families", "family_slopes", "flat")
"""Kinds of what a fit leaves open."""

_EFFECTIVE_FAMILIES = 2.0
"""The families tell a variance from zero if they are worth at least so many whose effects are known
exactly. With n of them the standard error of a log standard deviation is ``1 / sqrt(2 n)``, and the
likelihood ratio against no variance is about n / 2."""

_LEAST_SHARE = 0.25
"""With few families that is too much to ask; then they must be worth this share of their number."""

_SINGULAR = 0.1
"""In a direction worth fewer families than this the covariance is singular but for rounding."""

_Z_ERROR = 1.0
"""A standard error of Fisher's z above this leaves all correlations from -0.96 to 0.96 open."""

_ALIKE = 0.99
"""Skills with a correlation above this are one skill, however well it is determined."""

_BOUNDARY = 0.95
"""An undetermined correlation above this is at its boundary."""

_LEAST_INFORMATION = 0.02
"""Information about H below this counts as none; what hardly depends on such a direction is then
not affected by it."""

_FEW_VARYING = 3
"""Slopes that differ between families need so many families in which the feature varies."""

_MOST_NAMES = 6


@dataclass(frozen=True)
class Unidentified:
    """Something that a fit reports and the data do not determine.

    Attributes
    ----------
    kind : str
        One of :data:`KINDS`.
    names : tuple of str
        The skills concerned; for ``"flat"`` the parameters, for ``"family_slopes"`` the feature.
    value : float
        What was estimated: the standard deviation among families on the skill's anchor, in logits;
        a correlation; the number of families, or of families in which the feature varies; the
        number of parameters.
    sentence : str
        What it means, and what to do.
    """

    kind: str
    names: tuple[str, ...]
    value: float
    sentence: str

    def __str__(self) -> str:
        return self.sentence


def covariance_errors(factor: Array, posterior: Array) -> tuple[Array, Array]:
    """Return how well families determine the skills' standard deviations and correlations.

    Parameters
    ----------
    factor : ndarray, shape (K, K)
        F: the skills, of unit variance, in terms of the whitened latent vector.
    posterior : ndarray, shape (L, K, K)
        Posterior covariances of the families' whitened vectors.

    Returns
    -------
    log_sd : ndarray, shape (K,)
        Standard errors of the logarithms of the skills' standard deviations among families.
    z : ndarray, shape (K, K)
        Standard errors of Fisher's z of the correlations; 0 on the diagonal.

    Examples
    --------
    Eight families whose effects are known exactly, and eight of which nothing is known:

    >>> log_sd, z = covariance_errors(np.eye(2), np.zeros((8, 2, 2)))
    >>> log_sd.round(2), z.round(2)
    (array([0.25, 0.25]), array([[0.  , 0.35],
           [0.35, 0.  ]]))
    >>> bool(covariance_errors(np.eye(1), np.ones((8, 1, 1)))[0] > 1.0)
    True
    """
    n_skills = len(factor)
    rows, columns = np.triu_indices(n_skills)
    basis = np.zeros((len(rows), n_skills, n_skills))
    basis[np.arange(len(rows)), rows, columns] = 1.0
    basis = 0.5 * (basis + np.swapaxes(basis, 1, 2))
    learned = np.eye(n_skills) - posterior
    moved = np.einsum("lij,ajk->laik", learned, basis)
    information = 0.5 * np.einsum("laik,lbki->ab", moved, moved)
    values, vectors = np.linalg.eigh(information)
    root = vectors / np.sqrt(np.maximum(values, _LEAST_INFORMATION))
    by_h = np.einsum("hi,aij,kj->hka", factor, basis, factor)  # change of the covariance
    variance = np.einsum("kka->ka", by_h)
    correlation = factor @ factor.T
    sd = 0.5 * variance
    slope = by_h - correlation[..., None] * (sd[:, None] + sd[None])
    room = np.maximum(1.0 - correlation**2, 1e-12)
    np.fill_diagonal(room, np.inf)
    log_sd = np.linalg.norm(sd @ root, axis=-1)
    return np.asarray(log_sd), np.asarray(np.linalg.norm(slope @ root, axis=-1) / room)


def unidentified(fit: Fitted) -> tuple[Unidentified, ...]:
    """Return what a fit reports although the data do not determine it.

    Flat directions of the likelihood need its curvature:
    :func:`lvkit.estimation.standard_errors.all_unidentified`.

    Parameters
    ----------
    fit : Fitted
        A fit, converged or not.

    Returns
    -------
    tuple of Unidentified
        Empty where everything is determined.
    """
    return fit.memo.get(
        "unidentified",
        lambda: (*_few_families(fit), *_family_slopes(fit), *_covariance(fit)),
    )


def without_unit(fit: Fitted) -> tuple[str, ...]:
    """Return the skills on which families do not differ: no value on them has a unit.

    Parameters
    ----------
    fit : Fitted
        The fit.
    """
    records = unidentified(fit)
    return tuple(record.names[0] for record in records if record.kind == "family_variance")


def warn_if_unidentified(fit: Fitted, *, stacklevel: int = 2) -> None:
    """Warn of each of :attr:`lvkit.Fit.unidentified`.

    Parameters
    ----------
    fit : Fitted
        The fit.
    stacklevel : int
        Whose line the warnings name, as in :func:`warnings.warn`, counted from the function that
        calls this one.
    """
    for record in unidentified(fit):
        warnings.warn(record.sentence, LvkitWarning, stacklevel=stacklevel + 1)


def _few_families(fit: Fitted) -> Iterator[Unidentified]:
    """Compare the number of families with that of their variances and correlations."""
    n_skills, families = len(fit.skills), fit.n_families
    count = n_skills * (n_skills + 1) // 2
    what = f"variances and correlations of {n_skills} skills"
    if fit.model.family_slopes is not None:
        count += n_skills
        what += f" and of their slopes on {fit.model.family_slopes}"
    if n_skills > 1 and families <= count:
        yield Unidentified(
            "few_families",
            fit.skills,
            float(families),
            f"{families} families are too few for the {count} {what}. Use fewer skills, or add "
            "families.",
        )


def _family_slopes(fit: Fitted) -> Iterator[Unidentified]:
    """Count the families in which the feature with slopes of their own varies."""
    feature = fit.model.family_slopes
    if feature is None:
        return
    varying = fit.prepared.n_varying
    if varying < _FEW_VARYING:
        count = "1 family" if varying == 1 else f"{varying} families"
        yield Unidentified(
            "family_slopes",
            (feature,),
            float(varying),
            f"{feature} differs between the models of only {count} (of {fit.n_families}), too few "
            "to determine how its slopes differ between families. Fit without slopes of the "
            "families' own, or with slopes on a feature that varies within more families.",
        )


def _covariance(fit: Fitted) -> Iterator[Unidentified]:
    """Find skills on which families do not differ, and skills that the data do not distinguish."""
    n_skills, families = len(fit.skills), fit.n_families
    factor = fit.frame.factor[0][:, :n_skills]
    posterior = fit.latent_covariances[:, :n_skills, :n_skills]
    log_sd, z = covariance_errors(factor, posterior)
    least = min(_EFFECTIVE_FAMILIES, _LEAST_SHARE * families)
    alike = log_sd > 1.0 / np.sqrt(2.0 * least)
    for k in np.flatnonzero(alike):
        yield _no_variance(fit, int(k))
    correlation = fit.params.correlation
    undetermined = (z > _Z_ERROR) | (np.abs(correlation) > _ALIKE)
    pairs = [(h, k) for k in range(n_skills) for h in range(k) if undetermined[h, k]]
    for later, earlier in pairs:
        if not (alike[later] or alike[earlier]):
            yield _no_correlation(fit, later, earlier)
    learned = np.eye(n_skills) - posterior
    weakest = float(np.linalg.eigvalsh(np.einsum("lij,ljk->ik", learned, learned))[0])
    if weakest < _SINGULAR and not alike.any() and not pairs:
        yield Unidentified(
            "covariance",
            fit.skills,
            weakest,
            f"The family effects of {n_skills} skills vary in fewer than {n_skills} directions "
            "(their covariance is singular), so one skill follows from the others. Use fewer "
            "skills, or add families.",
        )


def _no_variance(fit: Fitted, at: int) -> Unidentified:
    skill = fit.skills[at]
    anchor = fit.anchors[skill]
    value = float(fit.params.loadings[fit.benchmarks.index(anchor), at])
    return Unidentified(
        "family_variance",
        (skill,),
        value,
        f"Families do not differ on skill '{skill}' beyond the features ({fit.model.features}): "
        f"their standard deviation, {value:.1g} logits on {anchor}, is not distinguished from "
        "zero. That standard deviation is the skill's unit, so the skill's loadings, slopes, "
        "values and family effects are undefined. Plan for a benchmark instead of the skill, use "
        "fewer skills, or add families.",
    )


def _no_correlation(fit: Fitted, h: int, k: int) -> Unidentified:
    names = (fit.skills[h], fit.skills[k])
    value = float(fit.params.correlation[h, k])
    pair = f"skills '{names[0]}' and '{names[1]}'"
    what = (
        f"The correlation of {pair} is at its boundary ({value:.2f}): the data do not distinguish "
        "the two."
        if abs(value) > _BOUNDARY
        else f"The data do not determine the correlation of {pair} (estimate {value:.2f})."
    )
    return Unidentified(
        "correlation",
        names,
        value,
        f"{what} Use fewer skills, choose other anchors, or add families with scores on the "
        "benchmarks of both.",
    )


def flat_directions(
    fit: Fitted, records: Iterable[Unidentified], flat: npt.NDArray[np.bool_]
) -> tuple[Unidentified, ...]:
    """Name the parameters along which the likelihood is flat and that no record covers yet.

    Parameters
    ----------
    fit : Fitted
        The fit.
    records : iterable of Unidentified
        What is known not to be determined.
    flat : ndarray of bool, shape (n_params,)
        Which free parameters vary along flat directions.
    """
    left = flat & ~concerned(fit, records)
    names = [name for name, off in zip(fit.free_parameters.names, left, strict=True) if off]
    if not names:
        return ()
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    record = Unidentified(
        "flat",
        tuple(names),
        float(len(names)),
        f"The likelihood is flat along {', '.join(names[:_MOST_NAMES])}{more}: the data do not "
        "determine these parameters. Use fewer skills or features, or add families.",
    )
    return (record,)


def concerned(fit: Fitted, records: Iterable[Unidentified]) -> npt.NDArray[np.bool_]:
    """Return which free parameters mean nothing by these records, shape (n_params,).

    Everything that is measured in the unit of a skill on which families do not differ, and the
    correlations that are not determined.
    """
    free = fit.free_parameters
    out = np.zeros(len(free.names), dtype=bool)
    for record in records:
        if record.kind == "family_variance":
            out |= free.of_skill(fit.skills.index(record.names[0]))
        elif record.kind == "correlation":
            h, k = (free.of_skill(fit.skills.index(name)) for name in record.names)
            out |= h & k & (free.kinds == "correlation")
    return out
