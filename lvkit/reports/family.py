"""The report on one family: its place among all others, and forecasts of larger models.

The sentences and tables of the family report. Every number is computed from the fit; the facts that
pictures show too come from :mod:`lvkit.fit.standings`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from lvkit.data.panel import benchmark_labels
from lvkit.errors import count
from lvkit.fit.standings import (
    FACTORS,
    family_places,
    growth_points,
    largest_model,
    similar_families,
)
from lvkit.planning.plan_text import amount, size, tokens
from lvkit.plots.fit import features_of
from lvkit.plots.phrases import Prose, listed, signed, span
from lvkit.prediction.predict import KINDS
from lvkit.tools.checks import checked_names

if TYPE_CHECKING:
    from lvkit.fit.fit import Fit
    from lvkit.prediction.predict import Prediction


_UNSURE = 0.5
"""A standing whose posterior standard deviation is larger, of 1 among families, is hardly known."""


def who_they_are(fit: Fit, family: str) -> Prose:
    """Tell how large a family is, what was measured of it, and who its relatives are."""
    checked_names([family], fit.families)
    models = fit.panel.models[fit.panel.models["family"] == family]
    measured = fit.panel.scores.loc[models.index].notna()
    return Prose(
        tuple(
            (subject, text)
            for subject, text in (
                (family, _sizes(models)),
                ("Relatives", _relatives(fit, family)),
                ("Measured", _measured(fit, measured)),
                ("Left out of the fit", _left(fit, models.index)),
            )
            if text
        )
    )


def _sizes(models: pd.DataFrame) -> str:
    """Say how many models there are, how large, and on how many tokens."""
    low, high = models["params_b"].min(), models["params_b"].max()
    sizes = span(size(low), size(high))
    many = count(len(models), "model")
    known = models.get("tokens_t", pd.Series(dtype=float)).dropna()
    told = f"{many}, {sizes}"
    if known.empty:
        return f"{told}. How many tokens they were trained on is not known."
    least, most = known.min(), known.max()
    trained = span(tokens(least), tokens(most))
    lacking = len(models) - len(known)
    some = f" ({count(lacking, 'model')} without a known number)" if lacking else ""
    return f"{told}, trained on {trained}{some}."


def _relatives(fit: Fit, family: str) -> str:
    """Say which other families are of the same lineage, if the table tells lineages at all."""
    table = fit.panel.models
    if (table["lineage"] == table["family"]).all():
        return "The table does not say which families are related (column 'lineage')."
    lineages = table.loc[table["family"] == family, "lineage"].unique()
    others = [
        str(name) for name in table.loc[table["lineage"].isin(lineages), "family"].unique()
        if name != family
    ]  # fmt: skip
    if not others:
        return "No other family of the table is of its lineage."
    return f"Of the same lineage ({listed(lineages)}): {listed(others)}."


def _measured(fit: Fit, measured: pd.DataFrame) -> str:
    """Say how many scores there are, and which benchmarks lack some."""
    labels, counts = benchmark_labels(fit.panel), measured.sum()
    total = f"{int(counts.sum()):,} of {measured.size:,} possible scores"
    never = [labels[str(name)] for name in counts.index[counts == 0]]
    text = f"{total}."
    some = counts[(counts > 0) & (counts < len(measured))].sort_values(kind="stable")
    for value, names in some.groupby(some):
        told = listed(labels[str(name)] for name in names.index)
        text += f" On {value} of {count(len(measured), 'model')}: {told}."
    if never:
        text += f" Never measured: {listed(never)}."
    return text


def _left(fit: Fit, models: pd.Index) -> str:
    reasons = fit.dropped["reason"].reindex(models).dropna()
    told = "; ".join(f"{name} ({reason})" for name, reason in reasons.items())
    return f"{told}." if told else ""


def members(fit: Fit, family: str) -> pd.DataFrame:
    """Return a family's models, from the smallest, with size, tokens and scores measured."""
    table = fit.panel.models
    table = table[table["family"] == family].sort_values("params_b", kind="stable")
    measured = fit.panel.scores.loc[table.index].notna().sum(axis=1)
    fitted = ["yes" if name in fit.prepared.models else "no" for name in table.index]
    shown = {"parameters (billions)": table["params_b"].map(amount)}
    if "tokens_t" in table:
        told = [amount(value) if value > 0 else "unknown" for value in table["tokens_t"]]
        shown["tokens (trillions)"] = pd.Series(told, index=table.index)
    shown["scores measured"] = measured.map(lambda n: f"{n} of {fit.panel.n_benchmarks}")
    shown["in the fit"] = pd.Series(fitted, index=table.index)
    return pd.DataFrame(shown)


def measured_scores(fit: Fit, family: str) -> pd.DataFrame:
    """Return a family's scores as text, benchmarks x models, the smallest model first."""
    order = members(fit, family).index
    labels = benchmark_labels(fit.panel)
    scores = fit.panel.scores.loc[order].T.rename(index=labels)
    text = scores.map(lambda score: f"{score:.2f}" if score >= 0.0 else "–")
    return text.rename_axis(index="benchmark", columns=None)


def place_words(fit: Fit, family: str, *, level: float = 0.95) -> Prose:
    """Tell where a family stands on each skill, and how surely."""
    places = family_places(fit, family, level)
    told = [(f"In {skill}", _place(row, fit.n_families, level)) for skill, row in places.iterrows()]
    return Prose((*told, ("Caution", _caution(fit, family, places))))


def _place(row: pd.Series[float], families: int, level: float) -> str:
    """Say where a family stands on one skill."""
    standing = (
        f"{signed(row['standing'])} standard deviations from the average family ({level:.0%} "
        f"interval {signed(row['lower'])} to {signed(row['upper'])})"
    )
    others, above, below = families - 1, int(row["above"]), int(row["below"])
    if not others:
        return f"It is the only family, at {standing}."
    open_ones = others - above - below
    return (
        f"Rank {int(row['rank'])} of {families:,}, {standing}. With a probability of {level:.0%} "
        f"or more it stands above {above} of the other {others:,} and below {below}; "
        f"{'none is' if not open_ones else f'{open_ones} are'} too near, or too little known, to "
        "say."
    )


def _caution(fit: Fit, family: str, places: pd.DataFrame) -> str:
    """Say what the standings rest on and may not be taken for."""
    scores = int(places["n_scores"].iloc[0])
    models = fit.panel.models["family"].loc[list(fit.prepared.models)]
    own = int((models == family).sum())
    text = (
        f"They rest on {count(scores, 'score')} of {count(own, 'model')}, and say what is left "
        f"beyond {features_of(fit)}: they compare recipes, not models."
    )
    vague = places["sd"][places["sd"] > _UNSURE]
    if len(vague):
        told = listed(f"{skill} (standard deviation {sd:.1f})" for skill, sd in vague.items())
        text += (
            f" What was measured says little about {told}; without any score it would be 1. There "
            "the standing is drawn towards the average, and its rank means hardly anything."
        )
    if own == 1:
        text += " How its scores grow with size is taken from all families, as it has one model."
    return " ".join([text, *(record.sentence for record in fit.unidentified)])


def places_table(fit: Fit, family: str, *, level: float = 0.95) -> pd.DataFrame:
    """Return the standings of :func:`place_words` as a table."""
    places = family_places(fit, family, level)
    names = {"above": "surely above", "below": "surely below", "n_scores": "scores"}
    columns = ["rank", "standing", "lower", "upper", "above", "below", "n_scores"]
    return places[columns].round(2).rename(columns=names)


def near_words(fit: Fit, family: str) -> Prose:
    """Tell which families stand nearest, over all skills together."""
    near = similar_families(fit, family)
    if near.empty:
        return Prose((("Nearest", "There is no other family."),))
    lineages = fit.panel.models.loc[fit.panel.models["family"] == family, "lineage"].unique()
    told = [
        f"{name} ({row['distance']:.1f}{', of the same lineage' * (row['lineage'] in lineages)})"
        for name, row in near.iterrows()
    ]
    return Prose(
        (
            (
                "Nearest",
                f"{listed(told)}. Behind each stands how far its standings are expected to lie "
                "from this family's, in standard deviations among families, as a root mean square "
                "over the skills; what is uncertain about the two is part of it.",
            ),
        )
    )


def expected_scores(prediction: Prediction) -> pd.DataFrame:
    """Return the next sizes' predicted scores as text, benchmarks x models, with intervals."""
    table = prediction.table
    models = list(prediction.request.models)[-len(FACTORS) :]
    text = [
        f"{row.median:.2f} ({row.lower:.2f} to {row.upper:.2f})"
        for row in table[["median", "lower", "upper"]].itertuples(index=False)
    ]
    cells = table.assign(text=text).pivot(index="benchmark", columns="model", values="text")
    cells = cells.loc[list(dict.fromkeys(table["benchmark"])), models]
    return cells.rename(index=prediction.labels).rename_axis(index="benchmark", columns=None)


def forecast_words(fit: Fit, family: str, prediction: Prediction) -> Prose:
    """Tell how predictions fare on what was measured, and what the next sizes are."""
    return Prose(
        (
            ("Its present models", _present(fit, prediction)),
            ("Its next sizes", _next(fit, family, prediction)),
            ("How far to trust it", _trust(prediction)),
        )
    )


def _present(fit: Fit, prediction: Prediction) -> str:
    table = growth_points(fit, prediction)
    known = table[table["observed"].notna()]
    points = 100.0 * float((known["median"] - known["observed"]).abs().mean())
    return (
        f"{int(known['inside'].sum())} of {count(len(known), 'measured score')} lie inside their "
        f"{prediction.level:.0%} intervals, and the medians miss them by {points:.1f} points of "
        "100 on average. The model has learned from these very scores; it will miss new ones by "
        "more."
    )


def _next(fit: Fit, family: str, prediction: Prediction) -> str:
    """Say how large the next sizes are, and on how many tokens."""
    table = growth_points(fit, prediction)
    sizes = table[table["ahead"]].drop_duplicates("model").set_index("model")["params_b"]
    largest = largest_model(fit, family)
    row = fit.panel.models.loc[[largest]].to_dict("records")[0]
    told = f"{listed(map(size, sizes))}, {listed(FACTORS.values())} the size of {largest}"
    if not row.get("tokens_t", 0.0) > 0.0:
        return f"{told}, and alike in all else."
    trained = listed(tokens(row["tokens_t"] * factor) for factor in FACTORS)
    ratio = amount(1000.0 * row["tokens_t"] / row["params_b"])
    text = f"{told}, at its {ratio} tokens per parameter (so on {trained}), and alike in all else."
    if "tokens_t" not in fit.prepared.features.columns:
        return f"{text} The predictions do not depend on tokens: they are not among the features."
    models = fit.panel.models.loc[list(fit.prepared.models)]
    seen = models.loc[models["family"] == family, "tokens_t"]
    if len(seen) > 1 and seen.nunique() == 1:
        text += " The present models differ in size only, these in tokens too: the curve may bend."
    return text


def _trust(prediction: Prediction) -> str:
    ahead = prediction.table.tail(1)
    far = float(ahead["distance"].iloc[0])
    kind = {
        "plugin": "They take the parameters as known, and are too narrow for it.",
        "model": "They take the model as right; a hold-out test says how often such intervals "
        "hold (the leaderboard report makes one).",
        "calibrated": "They were stretched as held-out scores of this table taught.",
    }[prediction.intervals]
    text = f"The intervals are of the kind called {KINDS[prediction.intervals]}. {kind}"
    if far > 0.0:
        text += (
            f" The largest of these sizes is {amount(10.0**far)} times the family's largest: the "
            "farther away, the more rests on the form of the model."
        )
    return text
