"""Facts about one family: the numbers that its pictures and sentences share.

Where a family stands among all others and how surely, which families are like it, and what its
next sizes would be: computed here once, so that a picture and the sentence beside it agree. The
parameters are taken as known, which makes families independent of each other, and a family's
posterior is taken for normal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from lvkit.checks import check_level
from lvkit.errors import LvkitError
from lvkit.facts import checked_names, family_standings

if TYPE_CHECKING:
    from lvkit.predict import Prediction
    from lvkit.results import Fit


FACTORS = {2.0: "twice", 4.0: "four times"}
"""How many times the largest size the next sizes are, and what to call them."""


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
        :func:`lvkit.facts.family_standings`, ``lower`` and ``upper``, and ``rank``, 1 for the
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
    found = means.assign(
        distance=np.sqrt(squares.mean(axis=1)),
        lineage=lineages.reindex(means.index),
        n_scores=tables[fit.skills[0]]["n_scores"],
    )
    found = found.drop(index=family).sort_values("distance", kind="stable").head(most)
    return found[["distance", "lineage", "n_scores", *fit.skills]]


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
