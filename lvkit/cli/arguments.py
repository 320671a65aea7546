"""Arguments that several commands share, and how they are read.

An option means the same wherever it stands, so it is described once; what a shell gives as one
text, such as the anchors, becomes here what the library takes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from lvkit.tools.checks import split_quoted, unquoted

if TYPE_CHECKING:
    from lvkit.data.panel import Panel


CLIP = 0.0025

_QUOTED_ANCHORS = """--anchors 'maths="acc,none"'"""
_JSON_ANCHORS = """--anchors '{"maths": "acc,none"}'"""

File = Annotated[
    Path | None,
    typer.Argument(
        metavar="[FILE]",
        help="A table of scores, CSV or Parquet. Without it: the embedded leaderboard.",
        show_default=False,
    ),
]
Family = Annotated[
    str | None,
    typer.Option(
        metavar="RULE",
        help="Where a model's family is stated: 'from_name' (its name without its size), a column, "
        "or a CSV file with the columns model and family.",
    ),
]
Benchmarks = Annotated[
    Path | None,
    typer.Option(
        metavar="CSV",
        help="Benchmarks lvkit does not know: a CSV file with the columns benchmark and chance "
        "(the score of guessing: 1/choices, 0 for free answers, none for a column that is a "
        "feature).",
    ),
]
Skills = Annotated[
    int | None,
    typer.Option(
        help="Number of skills; lvkit chooses their anchors (reports take the paper's where there "
        "are four and the table has them). Default: 4, or fewer where it cannot bear so many."
    ),
]
Anchors = Annotated[
    str | None,
    typer.Option(
        metavar="SKILL=BENCHMARK,...",
        help="The skills, each with a benchmark that measures it alone. Names that hold a comma or "
        "an equals sign go between quotation marks, or use a JSON object.",
    ),
]
FamilySlopes = Annotated[
    str | None,
    typer.Option(help="A feature whose effect may differ by family, such as log_params."),
]
Complete = Annotated[
    bool, typer.Option("--complete", help="Use only the models with every benchmark measured.")
]
DropInvalid = Annotated[
    bool,
    typer.Option("--drop-invalid", help="Leave out rows with an unusable cell, and say which."),
]
Features = Annotated[
    str,
    typer.Option(
        help="What raises a skill, as a formula over the columns; log_params and log_tokens are "
        "at hand."
    ),
]
Floor = Annotated[
    Literal["none", "chance", "estimate"], typer.Option(help="The floor of the response curve.")
]
Clip = Annotated[float, typer.Option(help="Scores nearer to 0 or 1 than this are moved to it.")]
Starts = Annotated[int, typer.Option(help="Starting points; the best optimum is kept.")]
Seed = Annotated[int, typer.Option(help="Seed of all that is random.")]
Jobs = Annotated[int, typer.Option(help="Processes to work with.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document, for a program.")]


def panel_in(
    file: Path | None,
    family: str | None,
    benchmarks: Path | None,
    drop_invalid: bool,
    complete: bool,
) -> Panel:
    """Return the user's panel, or the embedded one."""
    from lvkit.data.read import open_panel

    check_file_given(file, family, benchmarks)
    return open_panel(
        file, family=family, benchmarks=benchmarks, drop_invalid=drop_invalid, complete=complete
    )


def check_file_given(file: Path | None, family: str | None, benchmarks: Path | None) -> None:
    """Refuse options that speak of a file where there is none."""
    if file is None and (family is not None or benchmarks is not None):
        raise typer.BadParameter("--family and --benchmarks need a FILE that they speak of")


def anchors_in(text: str | None) -> dict[str, str] | None:
    """Return anchors from one text, by skill.

    Examples
    --------
    >>> anchors_in("maths=gsm8k,knowledge=mmlu")
    {'maths': 'gsm8k', 'knowledge': 'mmlu'}
    >>> anchors_in('maths="acc,none"') == anchors_in('{"maths": "acc,none"}')
    True
    """
    if text is None:
        return None
    pairs = _json_pairs(text) if text.lstrip().startswith("{") else _quoted_pairs(text)
    if not pairs or any(len(pair) != 2 or not all(map(_is_name, pair)) for pair in pairs):
        raise typer.BadParameter(
            f"got {text}; expected skill=benchmark,skill=benchmark. Put a name that holds a comma "
            f"or an equals sign between quotation marks, {_QUOTED_ANCHORS}, or write all as JSON, "
            f"{_JSON_ANCHORS}",
            param_hint="--anchors",
        )
    names = [pair[0] for pair in pairs]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise typer.BadParameter(f"the skill '{twice[0]}' has two anchors", param_hint="--anchors")
    return {skill: benchmark for skill, benchmark in pairs}


def _quoted_pairs(text: str) -> list[list[str]]:
    """Return what stands on the sides of the equals signs, between the commas."""
    return [
        [unquoted(part) for part in split_quoted(pair, "=")] for pair in split_quoted(text, ",")
    ]


def _json_pairs(text: str) -> list[Any]:
    """Return the pairs of a JSON object, with names that come twice; none where it is no object."""
    try:
        return list(json.loads(text, object_pairs_hook=list))
    except (ValueError, RecursionError):
        return []


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())
