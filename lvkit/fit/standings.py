"""Standings of families: ranks, similar families, and forecasts of larger models.

Figures, sentences and reports take these numbers from here, so that they agree. The parameters are
taken as known, which makes families independent of each other, and a family's posterior is taken to
be normal.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lvkit.errors import LvkitError
from lvkit.estimation.family_posterior import FamilyPosterior
from lvkit.fit.fit import Fit
from lvkit.prediction.predict import Prediction
from lvkit.tools.checks import check_level, checked_names

TOP_FAMILIES = 24
"""How many families figures and sentences are about, unless asked for more."""

FACTORS = {2.0: "twice", 4.0: "four times"}
"""How many times the largest size the next sizes are, and what to call them."""


def _family_scores(fit: Fit) -> pd.Series[int]:
    """Return how many scores of each fitted family are in the fit."""
    counts = np.bincount(fit.prepared.table.family, minlength=fit.n_families)
    return pd.Series(counts, index=fit.family_effects.index)


def known_families(fit: Fit, top: int | None = None) -> pd.DataFrame:
    """Return the latent variables of the families with the most scores.

    Parameters
    ----------
    fit : Fit
        The fitted model.
    top : int, optional
        How many families; None for all.

    Returns
    -------
    DataFrame
        Rows of ``fit.family_effects``, the family with the most scores first.

    Raises
    ------
    LvkitError
        If `top` is below one.
    """
    if top is not None and top < 1:
        raise LvkitError(f"got {top}", where="argument 'top'", expected="one family at least")
    order = _family_scores(fit).sort_values(ascending=False, kind="stable").index
    return fit.family_effects.loc[order[:top]]


def family_standings(fit: Fit, skill: str, top: int | None = TOP_FAMILIES) -> pd.DataFrame:
    """Return how the best known families stand on a skill, and how well that is known.

    Parameters
    ----------
    fit : Fit
        The fitted model.
    skill : str
        One of its skills.
    top : int, optional
        How many families, those with the most scores; None for all.

    Returns
    -------
    DataFrame
        Indexed by family, highest first: ``standing`` and ``sd``, posterior mean and standard
        deviation of the family's latent variable in standard deviations among families, and
        ``n_scores``, how many scores they rest on. The parameters are taken as known.

    Raises
    ------
    LvkitError
        If `top` is below one.
    """
    effects = known_families(fit, top)[skill]
    weights = fit.frame.factor[0][fit.skills.index(skill)]
    variances = np.einsum("q,fqr,r->f", weights, fit.latent_covariances, weights)
    sd = pd.Series(np.sqrt(variances), index=fit.family_effects.index)
    table = pd.DataFrame({"standing": effects, "sd": sd, "n_scores": _family_scores(fit)})
    return table.loc[effects.index].sort_values("standing", ascending=False, kind="stable")


def two_skills(held: FamilyPosterior | Fit, skills: Sequence[str] | None = None) -> tuple[str, str]:
    """Return the two skills of a picture, the first two unless others are asked for."""
    chosen = checked_names(held.skills[:2] if skills is None else skills, held.skills, what="skill")
    if len(set(chosen)) != 2 or len(chosen) != 2:
        raise LvkitError(
            f"got {', '.join(chosen)}", where="argument 'skills'", expected="two different skills"
        )
    return chosen[0], chosen[1]


def main_family(fit: Fit, about: str = "") -> str:
    """Return the family a report is about.

    Parameters
    ----------
    fit : Fit
        The fitted model.
    about : str
        A fitted family; empty for the one with the most fitted models, the first of several.

    Returns
    -------
    str

    Raises
    ------
    LvkitError
        For a family that is not in the fit, with the reason if its models were left out.
    """
    family = fit.panel.models["family"]
    if not about:
        counts = family.loc[list(fit.prepared.models)].value_counts(sort=False)
        return str(counts.idxmax())
    left = fit.dropped.loc[family.reindex(fit.dropped.index) == about, "reason"]
    if about not in fit.families and len(left):
        raise LvkitError(
            f"none of the models of '{about}' is in the fit ({'; '.join(dict.fromkeys(left))})",
            where="family",
            remedy="Fit with features that need no more than is known of them, or fill it in.",
        )
    return checked_names([about], fit.families)[0]


def ranked_families(fit: Fit, skill: str, level: float = 0.95) -> pd.DataFrame:
    """Return how all families stand on a skill, with intervals and ranks.

    Parameters
    ----------
    fit : Fit
        The fitted model.
    skill : str
        One of its skills.
    level : float
        Posterior probability of the intervals.

    Returns
    -------
    DataFrame
        Indexed by family, highest first: ``standing``, ``sd`` and ``n_scores`` of
        :func:`family_standings`, ``lower`` and ``upper``, and ``rank``, 1 for the
        highest.

    Raises
    ------
    LvkitError
        If there is no such skill, and for a level outside (0, 1).
    """
    from scipy.special import ndtri

    checked_names([skill], fit.skills, what="skill")
    table = family_standings(fit, skill, None)
    half = ndtri(0.5 + 0.5 * check_level(level)) * table["sd"]
    ranks = np.arange(1, len(table) + 1)
    return table.assign(lower=table["standing"] - half, upper=table["standing"] + half, rank=ranks)


def family_places(fit: Fit, family: str, level: float = 0.95) -> pd.DataFrame:
    """Return where a family stands among all others, skill by skill.

    Parameters
    ----------
    fit : Fit
        The fitted model.
    family : str
        One of its families.
    level : float
        Posterior probability of the intervals, and of being surely above or below another family.

    Returns
    -------
    DataFrame
        Index ``skill``; the columns of :func:`ranked_families`, and ``above`` and ``below``: how
        many of the others the family stands above, or below, with a probability of `level` at
        least.

    Raises
    ------
    LvkitError
        If there is no such family, and for a level outside (0, 1).
    """
    from scipy.special import ndtr

    checked_names([family], fit.families)
    rows = []
    for skill in fit.skills:
        table = ranked_families(fit, skill, level)
        own, others = table.loc[[family]], table.drop(index=family)
        apart = np.hypot(own["sd"].to_numpy(), others["sd"].to_numpy())
        higher = ndtr((own["standing"].to_numpy() - others["standing"].to_numpy()) / apart)
        above, below = int((higher >= level).sum()), int((higher <= 1.0 - level).sum())
        rows.append(own.assign(above=above, below=below))
    return pd.concat(rows).set_axis(pd.Index(fit.skills, name="skill"))


def similar_families(fit: Fit, family: str, most: int = 5) -> pd.DataFrame:
    """Return the families whose standings are most like a family's.

    Parameters
    ----------
    fit : Fit
        The fitted model.
    family : str
        One of its families.
    most : int
        How many to return at most.

    Returns
    -------
    DataFrame
        Indexed by family, the nearest first: ``distance``, ``lineage``, ``n_scores``, and the
        standing on each skill.

    Notes
    -----
    The distance is the root of the expected squared difference of two standings, averaged over
    skills: what is uncertain counts, so that a family with few scores, drawn towards the average,
    does not pass for a near one.
    """
    checked_names([family], fit.families)
    order = list(fit.families)
    tables = {skill: family_standings(fit, skill, None).loc[order] for skill in fit.skills}
    means = pd.DataFrame({skill: table["standing"] for skill, table in tables.items()})
    variances = pd.DataFrame({skill: table["sd"] ** 2 for skill, table in tables.items()})
    squares = (means - means.loc[family]) ** 2 + variances + variances.loc[family]
    lineages = fit.panel.models.drop_duplicates("family").set_index("family")["lineage"]
    neighbours = means.assign(
        distance=np.sqrt(squares.mean(axis=1)),
        lineage=lineages.reindex(means.index),
        n_scores=tables[fit.skills[0]]["n_scores"],
    )
    neighbours = neighbours.drop(index=family).sort_values("distance", kind="stable").head(most)
    return neighbours[["distance", "lineage", "n_scores", *fit.skills]]


def largest_model(fit: Fit, family: str) -> str:
    """Return the largest fitted model of a family; of several, the one with the most scores."""
    checked_names([family], fit.families)
    models = fit.panel.models.loc[list(fit.prepared.models)]
    models = models[models["family"] == family]
    measured = fit.panel.scores.loc[models.index].notna().sum(axis=1)
    order = models.assign(measured=measured)
    order = order.sort_values(["params_b", "measured"], ascending=False, kind="stable")
    return str(order.index[0])


def next_models(fit: Fit, family: str) -> pd.DataFrame:
    """Return a family's next sizes, as ``fit.predict`` takes them.

    Parameters
    ----------
    fit : Fit
        The fitted model.
    family : str
        One of its families.

    Returns
    -------
    DataFrame
        A row for each of :data:`FACTORS`, named after the largest model ("twice opt-66b"): so many
        times its parameters at its tokens per parameter, and alike in all else.
    """
    largest = largest_model(fit, family)
    models = []
    for factor, words in FACTORS.items():
        row = fit.panel.models.loc[[largest]]
        scaled = {name: row[name] * factor for name in ("params_b", "tokens_t") if name in row}
        models.append(row.assign(**scaled).set_axis([f"{words} {largest}"]))
    return pd.concat(models).rename_axis("model").reset_index()


def family_forecast(
    fit: Fit, family: str, *, level: float = 0.95, draws: int = 500, seed: int = 0
) -> Prediction:
    """Predict the scores of a family's fitted models and of its next sizes.

    Parameters
    ----------
    fit : Fit
        The fitted model.
    family : str
        One of its families.
    level : float
        Level of the intervals.
    draws : int
        Draws behind each prediction.
    seed : int
        Seed of the draws.

    Returns
    -------
    Prediction
        Models from the smallest to the largest, then the next sizes. Intervals are calibrated if
        the fit is, and plug-in ones if its search did not converge.
    """
    ahead = next_models(fit, family)
    models = fit.panel.models.loc[list(fit.prepared.models)]
    models = models[models["family"] == family].sort_values("params_b", kind="stable")
    asked = pd.concat([models.reset_index(), ahead], ignore_index=True)
    kind = None if fit.converged else "plugin"
    return fit.predict(asked, level=level, intervals=kind, draws=draws, seed=seed)


def growth_points(fit: Fit, prediction: Prediction) -> pd.DataFrame:
    """Return the rows of a family's forecast by size, each with what was measured.

    Parameters
    ----------
    fit : Fit
        The fitted model.
    prediction : Prediction
        What :func:`family_forecast` returned.

    Returns
    -------
    DataFrame
        Rows of ``prediction.table`` with ``params_b``, ``observed`` (NaN where there is none),
        ``inside`` (whether it lies in the interval) and ``ahead`` (whether the model is a next
        size), from the smallest model to the largest.
    """
    table = prediction.table
    held = list(prediction.request.models)
    family = str(table["family"].iloc[0])
    ahead = next_models(fit, family).set_index("model")
    sizes = pd.concat([fit.panel.models["params_b"], ahead["params_b"]])
    scores = fit.panel.scores.reindex(index=held, columns=list(fit.benchmarks))
    observed = scores.to_numpy().ravel()
    table = table.assign(
        params_b=table["model"].map(sizes),
        observed=observed,
        inside=(observed >= table["lower"]) & (observed <= table["upper"]),
        ahead=table["model"].isin(ahead.index),
    )
    return table.sort_values("params_b", kind="stable").reset_index(drop=True)
