"""Draws from the posterior of the families' latent variables, and comparisons of families.

A fit gives each family's latent vector alpha a posterior mean. How sure that is, and whether one
family's recipe is better than another's, the whole posterior tells: the prior ``N(0, Sigma)`` times
the Beta densities of the family's scores, at the fitted parameters. Markov chains draw from it,
all families at once, and :mod:`lvkit.estimation.metropolis` says whether the draws can be trusted.

The parameters are taken as known: the draws show what is uncertain about a family, not about the
loadings and slopes.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from lvkit.errors import LvkitError, LvkitWarning, count, nearest
from lvkit.estimation.fitted import Fitted
from lvkit.estimation.metropolis import draw_latent, ess_bulk, ess_tail, r_hat
from lvkit.model.coordinates import read_only
from lvkit.tools.checks import check_level, check_whole

if TYPE_CHECKING:
    from xarray import DataTree


Array = npt.NDArray[np.float64]

_WORST_R_HAT = 1.01
_LEAST_ESS = 400.0
"""What Vehtari et al. (2021) ask of draws that are used."""

_SHOWN = 8
"""At most so many names in a warning."""


@dataclass(frozen=True, eq=False)
class FamilyPosterior:
    """Draws from the posterior of the families' latent vectors, at the fitted parameters.

    Attributes
    ----------
    draws : ndarray, shape (families, draws, skills)
        Latent vectors alpha, in standard deviations among families; chain after chain.
    families, skills : tuple of str
        Names, in the order of the draws.
    chains : int
        Number of chains; each has as many draws.
    acceptance : ndarray, shape (families,)
        Share of the proposals that were accepted.
    slopes : ndarray, shape (families, draws, skills), or None
        With ``family_slopes``: how much each family's slopes on that feature differ from the
        common ones, drawn together with `draws`. Alpha is then a family's latent vector where
        the centred feature is zero.
    """

    draws: Array = field(repr=False)
    families: tuple[str, ...]
    skills: tuple[str, ...]
    chains: int
    acceptance: Array = field(repr=False)
    slopes: Array | None = field(default=None, repr=False)

    @cached_property
    def _agreement(self) -> tuple[Array, Array]:
        """R-hat and bulk effective sample size, a column for each skill and each slope."""
        parts = [self.draws] if self.slopes is None else [self.draws, self.slopes]
        chains = np.concatenate([self._by_chain(part) for part in parts], axis=1)
        return r_hat(chains), ess_bulk(chains)

    @property
    def doubtful(self) -> tuple[str, ...]:
        """Families whose draws, slopes included, are too few or do not agree between chains."""
        agree, worth = self._agreement
        sound = (agree <= _WORST_R_HAT) & (worth >= _LEAST_ESS)
        return tuple(np.array(self.families)[~sound.all(axis=1)].tolist())

    def _by_chain(self, draws: Array) -> Array:
        """Return draws as (families, skills, chains, draws of a chain)."""
        split = draws.reshape(len(self.families), self.chains, -1, len(self.skills))
        return np.moveaxis(split, 3, 1)

    def summary(self, level: float = 0.95) -> pd.DataFrame:
        """Return each family's posterior in one table.

        Parameters
        ----------
        level : float
            Posterior probability of the intervals, which leave out as much on either side.

        Returns
        -------
        DataFrame
            Index ``(family, skill)``; columns ``mean``, ``sd``, ``lower``, ``upper``, and for the
            draws themselves ``rhat`` (one is best), ``ess_bulk`` and ``ess_tail`` (how many
            independent draws they are worth) and ``acceptance``.

        Raises
        ------
        LvkitError
            If the level is not between 0 and 1.
        """
        lower, upper = np.quantile(self.draws, _limits(level), axis=1)
        n_skills = len(self.skills)
        agree, worth = self._agreement
        columns = {
            "mean": self.draws.mean(axis=1),
            "sd": self.draws.std(axis=1),
            "lower": lower,
            "upper": upper,
            "rhat": agree[:, :n_skills],
            "ess_bulk": worth[:, :n_skills],
            "ess_tail": ess_tail(self._by_chain(self.draws)),
            "acceptance": np.repeat(self.acceptance, n_skills),
        }
        index = pd.MultiIndex.from_product([self.families, self.skills], names=["family", "skill"])
        return pd.DataFrame({name: each.ravel() for name, each in columns.items()}, index=index)

    def compare(self, a: str, b: str, level: float = 0.95) -> pd.DataFrame:
        """Compare two families, skill by skill.

        Parameters
        ----------
        a, b : str
            Names of two families.
        level : float
            Posterior probability of the intervals.

        Returns
        -------
        DataFrame
            Index ``skill``; columns ``difference``, the posterior mean of a's latent variable less
            b's, in standard deviations among families; ``lower`` and ``upper``; and
            ``probability`` that a's is the higher one.

        Raises
        ------
        LvkitError
            For a family that was not fitted, twice the same family, or a level outside (0, 1).
        """
        if a == b:
            raise LvkitError(f"got {a!r} twice", where="compare", expected="two different families")
        difference = self.draws[self._position(a)] - self.draws[self._position(b)]
        lower, upper = np.quantile(difference, _limits(level), axis=0)
        return pd.DataFrame(
            {
                "difference": difference.mean(axis=0),
                "lower": lower,
                "upper": upper,
                "probability": (difference > 0.0).mean(axis=0),
            },
            index=pd.Index(self.skills, name="skill"),
        )

    def _position(self, family: str) -> int:
        """Return the position of a family; refuse an unknown one."""
        if family not in self.families:
            raise LvkitError(
                f"got {family!r}",
                where="compare",
                expected="the name of a fitted family",
                remedy=nearest(family, self.families).strip(),
            )
        return self.families.index(family)

    def to_datatree(self) -> DataTree:
        """Return the draws as an xarray ``DataTree``, which ArviZ takes as it is.

        Returns
        -------
        DataTree
            With the group ``posterior``: ``alpha`` and, with ``family_slopes``, ``slope``;
            dimensions ``chain``, ``draw``, ``family`` and ``skill``.

        Raises
        ------
        LvkitError
            If xarray is not installed.
        """
        try:
            from xarray import Dataset, DataTree
        except ImportError as error:
            raise LvkitError(
                "xarray, which to_datatree needs, is not installed",
                remedy="Install it: pip install 'lvkit[xarray]'.",
            ) from error
        dimensions = ("chain", "draw", "family", "skill")
        drawn = {"alpha": self.draws} | ({} if self.slopes is None else {"slope": self.slopes})
        arrays = {name: self._by_chain(each).transpose(2, 3, 0, 1) for name, each in drawn.items()}
        coords = {
            "chain": np.arange(self.chains),
            "draw": np.arange(self.draws.shape[1] // self.chains),
            "family": list(self.families),
            "skill": list(self.skills),
        }
        data = {name: (dimensions, each) for name, each in arrays.items()}
        attributes = {"inference_library": "lvkit"}
        return DataTree.from_dict({"posterior": Dataset(data, coords, attributes)})

    def __repr__(self) -> str:
        agree, worth = self._agreement
        return (
            f"FamilyPosterior({count(len(self.families), 'family')}, "
            f"{count(len(self.skills), 'skill')}, "
            f"{self.draws.shape[1]} draws in {self.chains} chains: R-hat up to "
            f"{agree.max():.3f}, effective sample size from {worth.min():.0f})"
        )

    def _repr_html_(self) -> str:
        text = self.summary().to_html(float_format="{:.3g}".format, max_rows=24)
        return f"<p>{escape(repr(self))}</p>{text}"


def _limits(level: float) -> Array:
    """Return the two probabilities between which a central interval of this level lies."""
    outside = 0.5 * (1.0 - check_level(level))
    return np.array([outside, 1.0 - outside])


def sample_families(
    fit: Fitted, *, draws: int = 2000, seed: int = 0, chains: int = 4
) -> FamilyPosterior:
    """Draw the families' latent vectors from their posterior, at the fitted parameters.

    Parameters
    ----------
    fit : Fitted
        The fitted model.
    draws : int
        Draws for each family that are kept, over all chains together; rounded up to a multiple of
        `chains`.
    seed : int
        The same seed gives the same draws, however the table was sorted.
    chains : int
        Number of chains.

    Returns
    -------
    FamilyPosterior

    Raises
    ------
    LvkitError
        If draws, seed or chains are not whole numbers in range.

    Warns
    -----
    LvkitWarning
        Names the families with an R-hat above 1.01 or a bulk effective sample size below 400.

    Notes
    -----
    Markov chains of an independence Metropolis sampler; :mod:`lvkit.estimation.metropolis` says
    how, and what was tried and rejected. On the 184 embedded models, K = 4, it takes about a
    second.

    Examples
    --------
    The draws scatter around the posterior means that the fit found by another way:

    >>> import lvkit as lv
    >>> fit = lv.LatentSkillModel(n_skills=1).fit(lv.load_leaderboard().complete())
    >>> post = sample_families(fit)
    >>> bool(np.allclose(post.draws.mean(axis=1), fit.family_effects, atol=0.05))
    True
    """
    draws, chains = check_whole(draws, "draws"), check_whole(chains, "chains")
    z, acceptance = draw_latent(
        fit.prepared.table,
        fit.frame.coefficients(),
        fit.latent_means,
        fit.latent_covariances,
        count=-(-draws // chains),
        chains=chains,
        seed=check_whole(seed, "seed", 0),
    )
    effects = np.einsum("mkq,lqcd->mlcdk", fit.frame.factor, z)
    effects = effects.reshape(*effects.shape[:2], -1, len(fit.skills))
    post = FamilyPosterior(
        draws=read_only(effects[0]),
        families=fit.families,
        skills=fit.skills,
        chains=chains,
        acceptance=read_only(acceptance),
        slopes=read_only(effects[1]) if len(effects) > 1 else None,
    )
    _warn_of_poor_draws(post)
    return post


def _warn_of_poor_draws(post: FamilyPosterior) -> None:
    """Name the families whose draws cannot be trusted."""
    poor = post.doubtful
    if not poor:
        return
    more = f" and {len(poor) - _SHOWN} more" if len(poor) > _SHOWN else ""
    warnings.warn(
        f"draws not to be trusted, with an R-hat above {_WORST_R_HAT} or an effective sample size "
        f"below {_LEAST_ESS:.0f}: {', '.join(poor[:_SHOWN])}{more}. Ask for more of them: "
        f"sample_families(draws={4 * post.draws.shape[1]}).",
        LvkitWarning,
        stacklevel=4,
    )
