"""The text of plans: numbers in plain sentences."""

from __future__ import annotations

import math
from collections.abc import Iterable
from html import escape

import numpy as np
import pandas as pd

from lvkit.errors import count
from lvkit.fit.fit import Fit
from lvkit.planning.constraints import Limits
from lvkit.planning.family_curves import check_family
from lvkit.planning.optimum import Aim
from lvkit.prediction.extrapolation import UNITS, beyond

_SAME = 1e-6
"""Tokens per parameter that differ by a smaller share are the same."""

_WIDE = 100.0
"""An interval of tokens per parameter whose ends differ by more than this factor says little."""

_SURE = 0.95
"""Share of the draws that have to agree that the best point lies inside, or at an end."""


def amount(value: float) -> str:
    """Return a positive number with three digits, without exponents where people avoid them.

    Examples
    --------
    >>> amount(7123.0), amount(0.0123456), amount(25.0)
    ('7,120', '0.0123', '25')
    """
    if not 1e-4 <= value < 1e7:
        return f"{value:.3g}"
    rounded = float(f"{value:.3g}")
    digits = max(0, 2 - int(np.floor(np.log10(rounded))))
    text = f"{rounded:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def size(params_b: float) -> str:
    """Return a size in words.

    Examples
    --------
    >>> size(7.0), size(0.35), size(1800.0)
    ('7 billion parameters', '350 million parameters', '1.8 trillion parameters')
    """
    if params_b >= 1000.0:
        return f"{amount(params_b / 1000.0)} trillion parameters"
    if params_b >= 1.0:
        return f"{amount(params_b)} billion parameters"
    return f"{amount(params_b * 1000.0)} million parameters"


def tokens(tokens_t: float) -> str:
    """Return a number of tokens in words.

    Examples
    --------
    >>> tokens(15.0), tokens(0.3)
    ('15 trillion tokens', '300 billion tokens')
    """
    if tokens_t >= 1.0:
        return f"{amount(tokens_t)} trillion tokens"
    if tokens_t >= 1e-3:
        return f"{amount(tokens_t * 1e3)} billion tokens"
    return f"{amount(tokens_t * 1e6)} million tokens"


def flops(budget: float) -> str:
    """Return a budget in words.

    Examples
    --------
    >>> flops(1e22), flops(3.2e23)
    ('1e22 FLOPs', '3.2e23 FLOPs')
    """
    mantissa, exponent = f"{budget:.2e}".split("e")
    return f"{float(mantissa):g}e{int(exponent)} FLOPs"


def association(fit: Fit) -> str:
    """Return what a plan may not be taken for, with the fit's own counts."""
    models = fit.panel.models.loc[list(fit.prepared.models)]
    varying = int((models.groupby("family")["tokens_t"].nunique() > 1).sum())
    return (
        f"This describes fitted models, it is no experiment: tokens differ within {varying} of "
        f"{count(fit.n_families, 'family')} only, so that the slope of tokens mostly compares "
        "recipes (lv.within_between tells them apart)."
    )


def plan_words(table: pd.DataFrame, level: float | None, aim: Aim) -> tuple[str, ...]:
    """Return what a plan says, in sentences.

    Parameters
    ----------
    table : DataFrame
        The plan: :attr:`lvkit.planning.Plan.table`.
    level : float or None
        Level of its intervals.
    aim : Aim
        What was asked for.
    """
    return (
        *_best(table, level, aim),
        *_constant(table, aim),
        *_corners(table, level, aim),
        *_unsure(table, level, aim),
        *_unspent(table),
        *_falling(table, aim),
        *_outside(table),
        *attributes_outside(aim),
        *undetermined(aim),
        *_withheld(table, level, aim),
        association(aim.fit),
    )


def attributes_outside(aim: Aim) -> Iterable[str]:
    """Return which of the planned models' other columns are far outside the fitted ones'."""
    columns = {**dict.fromkeys(UNITS, math.nan), **aim.surface.attributes}
    for value in beyond(aim.fit, pd.DataFrame(columns, index=["the planned models"])):
        if value.far:
            yield f"{value.sentence}."


def undetermined(aim: Aim) -> Iterable[str]:
    """Return what the data do not determine about a skill that is aimed at."""
    if aim.target.kind != "skill":
        return
    for record in aim.fit.unidentified:
        if record.kind in ("few_families", "family_slopes") or {*record.names} & {
            *aim.target.names
        }:
            yield record.sentence


def _withheld(table: pd.DataFrame, level: float | None, aim: Aim) -> Iterable[str]:
    """Say which intervals are left out because they do not contain their estimates."""
    if level is None:
        return
    for rows, what in (
        (table["tokens_per_param_lower"].isna(), "the best size and tokens"),
        (table["lower"].isna(), aim.target.label),
    ):
        if rows.any():
            yield (
                f"{_these(table, table[rows])}, no interval is given for {what}: that from the "
                "draws does not contain the estimate, so the errors of the parameters are not "
                "known well enough."
            )


def _best(table: pd.DataFrame, level: float | None, aim: Aim) -> Iterable[str]:
    row = table.iloc[-1]
    if "bracket" in row["corner"]:
        return
    whose = check_family(aim.fit, aim.family)
    text = (
        f"For {aim.target.label} of {whose}, {flops(row['budget'])} go furthest with "
        f"{size(row['params_b'])} on "
        f"{tokens(row['tokens_t'])}: {amount(row['tokens_per_param'])} tokens per parameter"
    )
    if level is None:
        yield text + "."
        return
    ends = [float(row[f"tokens_per_param_{end}"]) for end in ("lower", "upper")]
    yield f"{text} ({_interval(aim.limits, level, *ends)})."


def _interval(limits: Limits, level: float, lower: float, upper: float) -> str:
    """Return an interval of tokens per parameter, and whether it ends where the plan does."""
    if math.isnan(lower):
        return "without an interval"
    if upper / lower - 1.0 < _SAME:
        return "held there by the limits"
    open_ended = ", where the plan stops looking" if any(open_ends(limits, lower, upper)) else ""
    return f"{level:.0%} interval {amount(lower)} to {amount(upper)}{open_ended}"


def open_ends(limits: Limits, lower: float, upper: float) -> tuple[bool, bool]:
    """Return whether an interval of tokens per parameter is cut where the plan stops looking.

    Parameters
    ----------
    limits : Limits
        Those of the plan.
    lower, upper : float
        Its ends.

    Returns
    -------
    (bool, bool)
        Of the lower and of the upper end; never where a limit of the user's holds it.
    """
    fewest, most = limits.tokens_per_param
    low = limits.min_tokens_per_param is None and lower < fewest * (1.0 + _SAME)
    high = limits.max_tokens_per_param is None and upper > most * (1.0 - _SAME)
    return low, high


def _constant(table: pd.DataFrame, aim: Aim) -> Iterable[str]:
    """Say where the ratio cannot depend on the budget, so that nobody looks for a trend."""
    ratio = table["tokens_per_param"]
    alike = float(ratio.max() / ratio.min() - 1.0) < _SAME
    inside = bool((table["corner"] == "").all())
    if len(ratio) > 1 and alike and inside and aim.closed_form:
        yield (
            "The best tokens per parameter are the same on every budget"
            + ("" if _families_differ(aim) else " and for every family")
            + ": with these features they follow from the slopes alone."
        )


def _families_differ(aim: Aim) -> bool:
    """Whether families may have other slopes, by themselves or by what else is known of them."""
    return aim.fit.model.family_slopes is not None or bool(aim.surface.attributes)


def _corners(table: pd.DataFrame, level: float | None, aim: Aim) -> Iterable[str]:
    rows = table[table["corner"] != ""]
    for corner in map(str, rows["corner"].unique()):
        budgets = _these(table, rows[rows["corner"] == corner])
        if "bracket" in corner:
            yield (
                f"{budgets}, no best point lies inside: the target is highest at the end of what "
                f"is looked at, the {corner.removesuffix(' (bracket)')}. That is no "
                f"recommendation.{_interplay(level, aim)}"
            )
        else:
            doubtful = aim.bend is not None and _bends_up(level, aim)
            why = _interplay(level, aim) if doubtful else ""
            yield f"{budgets}, the best point is where {bound(corner)}.{why}"


def bound(corner: str) -> str:
    """Return that one or several limits bind.

    Examples
    --------
    >>> bound("max_tokens_t"), bound("max_params_b and max_tokens_t")
    ('max_tokens_t binds', 'max_params_b and max_tokens_t bind')
    """
    return f"{corner} bind" if " and " in corner else f"{corner} binds"


def _bends_up(level: float | None, aim: Aim) -> bool:
    """Whether the target may have no best point inside, limits or none."""
    if level is None:
        return (aim.bend or 0.0) >= 0.0
    return not aim.bend_interval(level)[1] < 0.0  # nor where it is not determined


def _interplay(level: float | None, aim: Aim) -> str:
    """Say whether size and tokens are known to need each other, where that decides."""
    bend = aim.bend
    if bend is None:
        return ""
    if not aim.surface.matrix[:, 3:].any():
        return " With these features the target is a straight line along a budget."
    if level is None:
        known = "bends down" if bend < 0.0 else "does not bend down"
        return f" Along a budget the target {known}, by {bend:.2g}."
    lower, upper = aim.bend_interval(level)
    if not lower <= bend <= upper:  # NaN without a unit
        return " How the target bends along a budget is not determined."
    told = "is" if upper < 0.0 or lower > 0.0 else "is not"
    return (
        f" How the target bends along a budget ({bend:.2g}, {level:.0%} interval {lower:.2g} "
        f"to {upper:.2g}; a top needs less than 0) {told} told apart from a straight "
        "line" + ("." if told == "is" else ", so that the best split is hardly determined.")
    )


def _unsure(table: pd.DataFrame, level: float | None, aim: Aim) -> Iterable[str]:
    if level is None or (table["corner"] != "").any():
        return
    share = float(table["interior"].min())
    wide = float((table["tokens_per_param_upper"] / table["tokens_per_param_lower"]).max())
    if math.isnan(wide):
        return
    lowest = float(table["tokens_per_param_lower"].min())
    highest = float(table["tokens_per_param_upper"].max())
    least = "at least " if any(open_ends(aim.limits, lowest, highest)) else ""
    if share < _SURE:
        yield (
            f"The best point is hardly determined: in {1.0 - share:.0%} of the draws there is none "
            "inside. Plan by the interval, not by the point."
        )
    elif wide > _WIDE:
        yield (
            f"The interval of tokens per parameter spans a factor of {least}{amount(wide)}: the "
            "data say little about the best split."
        )


def _unspent(table: pd.DataFrame) -> Iterable[str]:
    rows = table[table["spent"] < table["budget"] * (1.0 - 1e-9)]
    if len(rows):
        yield f"{_these(table, rows)}, the limits keep a part of the budget from being spent."


def _falling(table: pd.DataFrame, aim: Aim) -> Iterable[str]:
    rows = table[table["falls"]]
    if len(rows):
        yield f"{_these(table, rows)}, a slightly larger budget would lower {aim.target.label}."


def _outside(table: pd.DataFrame) -> Iterable[str]:
    rows = table[table["extrapolates"]]
    if len(rows):
        farthest = float(rows["distance"].max())
        yield (
            f"{_these(table, rows)}, the plan lies outside the sizes and tokens of the fitted "
            f"models, by up to a factor of {amount(10.0**farthest)}: it rests on the model's form "
            "there."
        )


def _these(table: pd.DataFrame, rows: pd.DataFrame) -> str:
    """Return which budgets are meant, to begin a sentence."""
    if len(rows) == len(table):
        return "On every budget" if len(rows) > 1 else f"On {flops(rows['budget'].iloc[0])}"
    if len(rows) <= 3:
        return "On " + ", ".join(flops(value) for value in rows["budget"])
    low, high = rows["budget"].min(), rows["budget"].max()
    return f"On {len(rows)} of the budgets between {flops(low)} and {flops(high)}"


def as_html(words: Iterable[str], table: pd.DataFrame, most: int = 24) -> str:
    """Return sentences and a table for a notebook."""
    said = "".join(f"<p>{escape(sentence)}</p>" for sentence in words)
    shown = table.to_html(index=False, float_format="{:.3g}".format, max_rows=most)
    return f"{said}{shown}"
