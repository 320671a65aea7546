"""The summary of a report in a few paragraphs.

Every number in a sentence comes from the results; the wording is that of association, since nothing
here shows that a recipe causes a skill.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lvkit.data.panel import benchmark_labels
from lvkit.errors import count
from lvkit.estimation.settings import PAPER_ANCHORS
from lvkit.fit.interpret import scale_effects, side_skills
from lvkit.fit.select_skills import bic_by_families
from lvkit.fit.standings import family_standings
from lvkit.plots.family_effects import extremes
from lvkit.plots.fit import company, errors, features_of, pairs
from lvkit.plots.phrases import Prose, listed

if TYPE_CHECKING:
    from lvkit.fit.fit import Fit
    from lvkit.fit.select_skills import Selection


def summarise(selection: Selection, fit: Fit) -> Prose:
    """Tell what was found, in plain words.

    Parameters
    ----------
    selection : Selection
        What :func:`lvkit.select_skills` returned.
    fit : Fit
        The fit to interpret, one of the selection's, re-anchored perhaps.

    Returns
    -------
    Prose
        Paragraphs on the data, the number of skills, the skills, what goes along with size and
        tokens, the families, how well the model fits, and how far to trust it.
    """
    paragraphs = (
        ("The data", _data(fit)),
        ("How many skills", _how_many(selection, fit)),
        ("What they are", _skills(fit)),
        (features_of(fit).capitalize(), _scale(fit)),
        ("Families", _families(fit)),
        ("How well it fits", errors(fit)),
        ("How far to trust it", _trust(fit)),
    )
    return Prose(tuple((subject, text) for subject, text in paragraphs if text))


def left_out(fit: Fit) -> Prose:
    """Name the models that are not in the fit, reason by reason."""
    reasons = fit.dropped["reason"]
    if reasons.empty:
        return Prose((("None", "Every model of the table is in the fit."),))
    models = reasons.index.to_series().groupby(reasons, sort=False)
    named = [(str(why), f"{listed(names)}.") for why, names in models]
    return Prose(tuple((why[:1].upper() + why[1:], names) for why, names in named))


def _data(fit: Fit) -> str:
    reasons = fit.dropped["reason"].value_counts()
    why = listed(f"{reason}: {size:,}" for reason, size in reasons.items())
    number = count(len(fit.dropped), "model")
    left = f"{number} stayed out of it ({why})." if why else "No model stayed out of it."
    return (
        f"The model was fitted to {count(fit.n_scores, 'score')} of "
        f"{count(fit.n_models, 'model')} in {count(fit.n_families, 'family')} on "
        f"{count(len(fit.benchmarks), 'benchmark')}. {left}"
    )


def _how_many(selection: Selection, fit: Fit) -> str:
    table, skills = selection.table, len(fit.skills)
    best = {name: int(table.index[int(table[name].argmin())]) for name in ("aic", "bic")}
    most = int(table.index.max())
    edge = {name: " (the most that were tried)" * (k == most > 1) for name, k in best.items()}
    return " ".join(
        (
            f"Of {listed(table.index, 'or')} skills, AIC favours {best['aic']}{edge['aic']} and "
            f"BIC, which asks more of each parameter, {best['bic']}{edge['bic']}.",
            _which_bic(selection, fit, best["bic"]),
            f"What follows is for {skills}: {_why(skills, best['aic'])}, "
            f"{_beside(float(table['delta_aic'][skills]))}.{_slopes_told(fit)}",
        )
    )


def _which_bic(selection: Selection, fit: Fit, best: int) -> str:
    """Say what BIC counts as observations here, and what it would choose otherwise."""
    other = bic_by_families(selection).idxmin()
    verb = "it would favour" if other != best else "it would favour the same number,"
    return (
        f"BIC takes the {fit.n_scores:,} scores for its number of observations; with the "
        f"{fit.n_families:,} families in their place, since scores of one family are not "
        f"independent, {verb} {other}."
    )


def _why(skills: int, best: int) -> str:
    """Say who chose the number of skills."""
    setting = "that is the report's setting"
    if skills == len(PAPER_ANCHORS):
        setting += " and the number that arXiv:2512.06553 reads on the Open LLM Leaderboard"
    return f"{setting}, and also AIC's choice" if skills == best else f"{setting}, not AIC's choice"


def _beside(away: float) -> str:
    return "with the lowest AIC" if away == 0 else f"with an AIC {away:,.0f} above the lowest"


def _slopes_told(fit: Fit) -> str:
    if fit.model.family_slopes is None:
        return ""
    return (
        " The comparison was made without slopes of the families' own; what follows has them "
        f"(on {fit.model.family_slopes}), and an AIC of {fit.aic:,.0f}."
    )


def _skills(fit: Fit) -> str:
    labels, sentences = benchmark_labels(fit.panel), []
    for skill, others in company(fit).items():
        anchor = fit.anchors[skill]
        measured = f"'{skill}' is what {labels[anchor]} measures by definition"
        verb = "loads" if len(others) == 1 else "load"
        with_it = f"{listed(others)} {verb} on it most" if others else "no other mainly does"
        sentences.append(f"{measured}; {with_it}.")
    second = side_skills(fit)
    if not second.empty:
        told = listed(f"{labels[str(name)]} on {skill}" for name, skill in second.items())
        sentences.append(f"Loading at least half as much on a second skill: {told}.")
    return " ".join(sentences)


def _scale(fit: Fit) -> str:
    """Say what goes along with size and tokens, on each skill's own benchmark."""
    effects = scale_effects(fit)
    if effects is None:
        return ""
    labels = benchmark_labels(fit.panel)
    told = [
        f"{listed(f'{value:+.1f}' for value in row)} logits on "
        f"{labels[fit.anchors[str(skill)]]} ({skill})"
        for skill, row in effects.iterrows()
    ]
    tens = {"size": "ten times the parameters", "tokens": "ten times the tokens"}
    what = listed(tens[str(name)] for name in effects)
    whole = fit.model.floor == "none"
    score = "the score" if whole else "the score's share of the way from its floor to 1"
    return (
        f"Around the average model, {what} go along with {listed(told)}. "
        f"A logit is the logarithm of p / (1 - p), with p {score}: one more takes p from 0.50 to "
        "0.73, or from 0.90 to 0.96. These are comparisons between published models, not "
        "effects of training one of them differently."
    )


def _families(fit: Fit) -> str:
    correlations = pairs(fit)
    tables = {skill: family_standings(fit, skill) for skill in fit.skills}
    number = len(tables[fit.skills[0]])
    which = "" if number == fit.n_families else f" of the {number} families with the most scores"
    told = [
        f"Standings{which} are what is left beyond {features_of(fit)}, in standard deviations "
        "among families; behind the sign ± stands how uncertain each is (its posterior standard "
        "deviation), then the number of scores it rests on."
    ]
    told += [extremes(table["standing"].rename(name), table) for name, table in tables.items()]
    if not correlations.empty:
        (a, b), most = correlations.index[0], correlations.iloc[0]
        (c, d), least = correlations.index[-1], correlations.iloc[-1]
        least_told = f", in {c} and {d} by {least:.2f}" if len(correlations) > 1 else ""
        told.append(f"Standings in {a} and {b} are correlated by {most:.2f}{least_told}.")
    return " ".join(told)


def _trust(fit: Fit) -> str:
    search = (
        "The search for the best parameters converged: it stands on a top, which is no proof that "
        "no higher one exists elsewhere."
        if fit.converged
        else f"The search for the best parameters did NOT converge ({fit.message}); more starts "
        "may help."
    )
    search = " ".join([search, *(str(record) for record in fit.unidentified)])
    return (
        f"{search} The errors above are for the scores the model learned from; new models will be "
        "missed by more. Families with few scores are drawn towards the average."
    )
