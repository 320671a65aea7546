"""The Open LLM Leaderboard's own exports, turned into lvkit's layout.

The leaderboard gave its results away in two shapes. Version 1 has six benchmarks in percent.
Version 2 has six others, each twice: as a fraction ("Raw") and rescaled so that guessing scores 0.
The model's name sits in a column of its own or inside an HTML link, and a model that was evaluated
several times has several rows. What follows undoes all that, and refuses what cannot be undone
exactly.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from lvkit.data.cells import Places, column_numbers, first_few, is_blank, name_text, show_number
from lvkit.data.embedded import known_benchmarks
from lvkit.data.scores import ScoreUnit, as_fractions, score_units
from lvkit.data.table_files import Table
from lvkit.errors import LvkitError, Problem, count

_V1 = {
    "ARC": "arc",
    "HellaSwag": "hellaswag",
    "MMLU": "mmlu",
    "TruthfulQA": "truthfulqa",
    "Winogrande": "winogrande",
    "GSM8K": "gsm8k",
}
_V2 = {
    "IFEval": "ifeval",
    "BBH": "bbh",
    "MATH Lvl 5": "math_lvl5",
    "GPQA": "gpqa",
    "MUSR": "musr",
    "MMLU-PRO": "mmlu_pro",
}
# What version 2 calls zero when it rescales. BBH and MUSR are rescaled sub-task by sub-task and
# averaged afterwards, which nothing in the export can undo.
_ZERO = {"IFEval": 0.0, "MATH Lvl 5": 0.0, "GPQA": 0.25, "MMLU-PRO": 0.1}
_BELOW, _MANY = 0.7, 0.25  # rescaled: more than a quarter below 0.7 of the chance level
_WHOLE = ("fraction", "percent")
_SIZES = ("#Params (B)", "#Params", "Params (B)")
_NAMES = ("fullname", "Model", "model_name_for_query")
_UNUSED = ("Average ⬆️", "Average", "T", "eval_name", *_NAMES)
_QUANTISED = {"8bit": 1, "4bit": 2, "gptq": 2}


def is_export(columns: Iterable[str]) -> bool:
    """Return whether these are the columns of a leaderboard export.

    Examples
    --------
    >>> is_export(["fullname", "#Params (B)", "BBH Raw"]), is_export(["model", "params_b", "bbh"])
    (True, False)
    """
    names = set(columns)
    if {"model", "params_b"} <= names:
        return False
    raw = any(f"{name} Raw" in names for name in _V2)
    return _SIZES[0] in names or "fullname" in names or raw


def name_from_link(cell: str) -> str:
    """Return the text of the first HTML link in a cell, or the cell without its tags.

    Examples
    --------
    >>> name_from_link('<a href="https://huggingface.co/org/tiny-7b">org/tiny-7b</a> <b>new</b>')
    'org/tiny-7b'
    """
    link = re.search(r"<a\b[^>]*>(.*?)</a\s*>", cell, re.IGNORECASE | re.DOTALL)
    return html.unescape(re.sub(r"<[^>]*>", "", link[1] if link else cell)).strip()


def convert(frame: pd.DataFrame, places: Places) -> Table:
    """Return a leaderboard export in lvkit's layout.

    Parameters
    ----------
    frame : DataFrame
        The export, cells as they stand in the file.
    places : Places
        Where its rows stand.

    Returns
    -------
    Table
        One row per model. Other columns than names, sizes and scores come along under their own
        names.

    Raises
    ------
    LvkitError
        If names, sizes or scores are missing, or a score is there in rescaled form only and cannot
        be brought back.

    Notes
    -----
    Of several rows of a model the one in full precision (bfloat16, float16 or float32 before 8 bit
    before 4 bit and GPTQ) stays; of those the one submitted last; of those the last in the file.
    Version 2's rescaled percentages are undone as raw = zero + (1 - zero) x / 100, with zero = 0.25
    for GPQA, 0.1 for MMLU-PRO and 0 for IFEval and MATH; a rescaled 0 of GPQA or MMLU-PRO stands
    for any raw score up to chance, so it is refused. Other tables use the same headers for raw
    scores: a column in fractions is read as it is, and one in percent is undone only where scores
    far below chance show that the export is rescaled. Where neither is certain, the column is
    refused. What was converted is noted. Source: the leaderboard's documentation, "Scores
    normalization".
    """
    columns = list(frame.columns)
    name = next((c for c in _NAMES if c in columns), None)
    size = next((c for c in _SIZES if c in columns), None)
    sources = _score_columns(columns)
    problems = _header_problems(columns, name, size, sources)
    if problems or name is None or size is None:
        raise LvkitError.from_problems(problems)
    data: dict[str, Any] = {
        "model": [name_from_link(c) if isinstance(c, str) else c for c in frame[name]],
        "params_b": list(frame[size]),
    }
    names = [name_text(cell) for cell in data["model"]]
    rows, notes = _one_row_each(frame, names)
    lines = [places.line(row) for row in rows]
    part = Places(lines, {"model": name, "params_b": size, **{b: c for c, b in sources.items()}})
    where = [part.row(at, names[row]) for at, row in enumerate(rows)]
    scores, converted = _scores(frame, sources, rows, where, problems)
    if problems:
        raise LvkitError.from_problems(problems)
    skip = {*_UNUSED, *_SIZES, *_V1, *_V2, *(f"{c} Raw" for c in _V2), *data, *scores}
    data |= scores | {c: frame[c].to_numpy() for c in columns if c not in skip}
    kept = pd.DataFrame(data).iloc[rows].reset_index(drop=True)
    return Table(kept, part, (*notes, *converted))


def _score_columns(columns: list[str]) -> dict[str, str]:
    """Return the columns to read, each with its benchmark: Raw ones where there are."""
    out = {column: benchmark for column, benchmark in _V1.items() if column in columns}
    for column, benchmark in _V2.items():
        if f"{column} Raw" in columns:
            out[f"{column} Raw"] = benchmark
        elif column in columns:
            out[column] = benchmark
    return out


def _header_problems(
    columns: list[str], name: str | None, size: str | None, sources: dict[str, str]
) -> list[Problem]:
    problems = [
        Problem(f"column '{c}' appears {columns.count(c)} times", "header", "each column once")
        for c in dict.fromkeys(columns)
        if columns.count(c) > 1
    ]
    if name is None:
        wanted = " or ".join(f"'{c}'" for c in _NAMES)
        problems.append(Problem("no column with the model's name", "header", wanted))
    if size is None:
        problems.append(Problem(f"no column '{_SIZES[0]}'", "header", "the parameters in billions"))
    if not sources:
        wanted = ", ".join([*(f"{c} Raw" for c in _V2), *_V1])
        problems.append(Problem("no scores", "header", f"columns such as {wanted}"))
    return problems


def _scores(
    frame: pd.DataFrame,
    sources: dict[str, str],
    rows: list[int],
    where: list[str],
    problems: list[Problem],
) -> tuple[dict[str, Any], list[str]]:
    """Return the scores as fractions, by benchmark, and a note on what was converted.

    `where` says where each of the `rows` stands. Cells that are no numbers and columns whose unit
    is open stay as they are.
    """
    out: dict[str, Any] = {b: frame[c].to_numpy(copy=True) for c, b in sources.items()}
    divided: list[str] = []
    undone: list[str] = []
    for board in (_V1, _V2):
        numbers = {c: column_numbers(frame[c])[0] for c in sources if c in board}
        used = {c: values[rows] for c, values in numbers.items()}
        units, rescaled = _units(used, board is _V2)
        for column, unit in units.items():
            zero = _ZERO.get(column, 0.0) if board is _V2 else 0.0
            in_doubt = board is _V2 and column not in ("IFEval", "MATH Lvl 5")
            if in_doubt and (unit == "low" or ((unit == "percent") != rescaled and unit in _WHOLE)):
                problems.append(_open_question(column, used[column], unit, zero))
            elif in_doubt and unit == "percent" and column not in _ZERO:
                problems.append(_lost(column))
            elif unit in ("percent", "low"):
                (undone if zero else divided).append(f"'{column}'")
                scores = zero + (1 - zero) * as_fractions(numbers[column], "percent")
                keep = np.isnan(numbers[column]) | (scores > 1) | (scores < zero)
                cells = out[sources[column]].astype(object)
                out[sources[column]] = np.where(keep, cells, scores)
                if zero:
                    problems += _zeros(column, zero, used[column], where)
    notes = []
    if divided:
        notes.append(f"in percent, divided by 100: {', '.join(divided)}")
    if undone:
        notes.append(f"rescaled percentages, read as raw scores: {', '.join(undone)}")
    return out, ["; ".join(notes)] if notes else []


def _units(used: dict[str, Any], second: bool) -> tuple[dict[str, ScoreUnit], bool]:
    """Return the unit of each column of one board, and whether scores show that it is rescaled.

    Rescaled scores begin at 0, not at the chance level, so many lie far below it.
    """
    board = _V2 if second else _V1
    levels = known_benchmarks()["chance"].to_dict()
    chance = {c: float(levels[board[c]]) for c in used}
    units = score_units(used, dict.fromkeys(used, 0.0) if second else chance)
    n_percent = list(units.values()).count("percent")
    if n_percent < list(units.values()).count("low"):
        units = {c: "fraction" if unit == "low" else unit for c, unit in units.items()}
    below = [
        float(np.mean(as_fractions(v[np.isfinite(v)], units[c]) < _BELOW * chance[c])) > _MANY
        for c, v in used.items()
        if units[c] in _WHOLE and chance[c] > 0 and np.isfinite(v).any()
    ]
    return units, second and any(below)


def _open_question(column: str, values: Any, unit: ScoreUnit, zero: float) -> Problem:
    """Return the problem of a column that may hold raw scores or rescaled ones."""
    finite = values[np.isfinite(values)]
    seen = f"got scores from {show_number(finite.min())} to {show_number(finite.max())}"
    raw = "divide them by 100 and name" if unit == "percent" else "name"
    score = "score" if unit == "fraction" else "score / 100"
    remedy = f"If they are raw, {raw} the column '{column} Raw'. If they are rescaled, "
    if column in _ZERO:
        remedy += f"the raw score is {zero:g} + {1 - zero:g} * {score}: name it so too."
    else:
        remedy += f"export '{column} Raw', or delete the column '{column}': it cannot be undone."
    return Problem(
        f"{seen}, which may be raw scores or rescaled ones (guessing scores 0)",
        f"column '{column}'",
        f"the column '{column} Raw'",
        remedy,
    )


def _lost(column: str) -> Problem:
    """Return the problem of a rescaled column that cannot be brought back."""
    return Problem(
        f"only the rescaled percentages of '{column}', which cannot be undone exactly",
        "header",
        f"the column '{column} Raw'",
        f"Export the Raw columns too, or delete the column '{column}'.",
    )


def _zeros(column: str, zero: float, values: Any, where: list[str]) -> list[Problem]:
    """Return the problems of rescaled zeros, each in its place."""
    seen = f"got a rescaled 0, which stands for any raw score up to {zero:g}"
    remedy = "Export the Raw columns too, or leave the cell blank."
    return [
        Problem(seen, f"{where[row]}, column '{column}'", f"the column '{column} Raw'", remedy)
        for row in np.flatnonzero(values == 0)
    ]


def _one_row_each(frame: pd.DataFrame, names: list[str]) -> tuple[list[int], tuple[str, ...]]:
    """Return the rows to keep and a note on the others; rows without a name are kept."""
    precision = list(frame.get("Precision", [""] * len(frame)))
    dates = list(frame.get("Submission Date", [""] * len(frame)))

    def worth(row: int) -> tuple[int, str, int]:
        coarse = _QUANTISED.get(str(precision[row]).strip().lower(), 0)
        return -coarse, "" if is_blank(dates[row]) else str(dates[row]), row

    best: dict[str, int] = {}
    for row, name in enumerate(names):
        key = name or f"\0{row}"
        best[key] = max(best.get(key, row), row, key=worth)
    keep = set(best.values())
    lost = [name for row, name in enumerate(names) if row not in keep]
    if not lost:
        return sorted(keep), ()
    several = list(dict.fromkeys(lost))
    note = (
        f"left out {count(len(lost), 'further row')} of {count(len(several), 'model')} evaluated "
        f"several times ({first_few(several)}); kept the most precise, then the one submitted last"
    )
    return sorted(keep), (note,)
