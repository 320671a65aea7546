"""The planning commands: ``lvkit plan`` and ``lvkit need``.

Both start from a saved fit, or fit the embedded leaderboard with the paper's four skills. They
share the options that say for whom, within which limits and at what cost.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lvkit.cli.as_text import need_text, plan_text
from lvkit.cli.console import result
from lvkit.errors import LvkitError
from lvkit.reports.as_json import need_document, plan_document
from lvkit.tools.checks import split_quoted, unquoted

if TYPE_CHECKING:
    from lvkit.fit.fit import Fit


FitFile = Annotated[
    Path | None,
    typer.Argument(
        metavar="[FIT]",
        help="A saved fit (lvkit fit --output FIT). Without it: the embedded leaderboard, fitted "
        "with four skills.",
        show_default=False,
    ),
]
Targets = Annotated[
    list[str],
    typer.Option(
        "--target",
        metavar="NAME[=WEIGHT]",
        help="A skill or a benchmark; several with weights make a mix. A name that is both needs "
        "'skill:NAME' or 'benchmark:NAME'.",
    ),
]
Whose = Annotated[
    str | None,
    typer.Option(help="A fitted family, or 'average recipe'. Default: a new recipe."),
]
With = Annotated[
    list[str] | None,
    typer.Option(
        "--with",
        metavar="COLUMN=VALUE",
        help="Value of another column that the features need, such as instruct=true.",
    ),
]
MinParams = Annotated[float | None, typer.Option(help="Least size, billions of parameters.")]
MaxParams = Annotated[float | None, typer.Option(help="Greatest size, billions of parameters.")]
MinTokens = Annotated[float | None, typer.Option(help="Fewest training tokens, trillions.")]
MaxTokens = Annotated[float | None, typer.Option(help="Most training tokens, trillions.")]
MinRatio = Annotated[float | None, typer.Option(help="Fewest training tokens per parameter.")]
MaxRatio = Annotated[float | None, typer.Option(help="Most training tokens per parameter.")]
Serving = Annotated[
    float, typer.Option(help="Trillions of tokens to be served, at 2 FLOPs per parameter each.")
]
PerToken = Annotated[
    float, typer.Option(help="FLOPs of training for each parameter and each token.")
]
Seed = Annotated[int, typer.Option(help="Seed of all that is random.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document, for a program.")]

_BUDGETS = (1e21, 1e22, 1e23, 1e24)


def plan(
    target: Targets,
    fit: FitFile = None,
    budget: Annotated[
        list[float] | None,
        typer.Option(help="A compute budget in FLOPs; may be repeated. Default: 1e21 to 1e24."),
    ] = None,
    family: Whose = None,
    level: Annotated[float, typer.Option(help="Level of the intervals.")] = 0.95,
    min_params_b: MinParams = None,
    max_params_b: MaxParams = None,
    min_tokens_t: MinTokens = None,
    max_tokens_t: MaxTokens = None,
    min_tokens_per_param: MinRatio = None,
    max_tokens_per_param: MaxRatio = None,
    serving_tokens_t: Serving = 0.0,
    flops_per_param_token: PerToken = 6.0,
    attributes: With = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Say how to spend compute: the size and tokens that make the most of a skill or score."""
    from lvkit.planning import Cost, Limits, plan_compute

    found = plan_compute(
        _fit(fit),
        budget or _BUDGETS,
        target=_target(target),
        family=family,
        level=level,
        limits=Limits(
            min_params_b,
            max_params_b,
            min_tokens_t,
            max_tokens_t,
            min_tokens_per_param,
            max_tokens_per_param,
        ),
        cost=Cost(flops_per_param_token, serving_tokens_t),
        attributes=_attributes(attributes),
        seed=seed,
    )
    result(plan_document(found), plan_text(found), as_json=json)


def need(
    target: Targets,
    score: Annotated[float, typer.Option(help="The score, or skill, to reach.")],
    fit: FitFile = None,
    probability: Annotated[float, typer.Option(help="With which to reach it.")] = 0.5,
    expected: Annotated[
        bool,
        typer.Option("--expected", help="Reach it in expectation, not in a single measurement."),
    ] = False,
    family: Whose = None,
    min_params_b: MinParams = None,
    max_params_b: MaxParams = None,
    min_tokens_t: MinTokens = None,
    max_tokens_t: MaxTokens = None,
    min_tokens_per_param: MinRatio = None,
    max_tokens_per_param: MaxRatio = None,
    serving_tokens_t: Serving = 0.0,
    flops_per_param_token: PerToken = 6.0,
    attributes: With = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Say how much compute a score takes; ends with code 0 also if none is enough."""
    from lvkit.planning import Cost, Limits, required_compute

    found = required_compute(
        _fit(fit),
        target=_target(target),
        score=score,
        probability=probability,
        family=family,
        limits=Limits(
            min_params_b,
            max_params_b,
            min_tokens_t,
            max_tokens_t,
            min_tokens_per_param,
            max_tokens_per_param,
        ),
        cost=Cost(flops_per_param_token, serving_tokens_t),
        attributes=_attributes(attributes),
        noise=not expected,
        seed=seed,
    )
    result(need_document(found), need_text(found), as_json=json)


def _fit(path: Path | None) -> Fit:
    """Return a saved fit, or one of the embedded leaderboard."""
    if path is None:
        from lvkit.data.read import load_leaderboard
        from lvkit.estimation.settings import PAPER_ANCHORS
        from lvkit.fit.latent_skill_model import LatentSkillModel

        return LatentSkillModel(anchors=PAPER_ANCHORS).fit(load_leaderboard())
    from lvkit.fit.latent_skill_model import load_fit

    if path.suffix.lower() in (".csv", ".parquet"):
        raise LvkitError(
            "got a table of scores",
            where=str(path),
            expected="a saved fit",
            remedy="Fit it first: "
            + shlex.join(["lvkit", "fit", path.name, "--output", f"{path.stem}.lvkit"]),
        )
    return load_fit(path)


def _target(given: Sequence[str]) -> str | dict[str, float]:
    """Return ``["mathematics"]`` as a name, ``["mmlu=2", "bbh=1"]`` as a mapping."""
    pairs = [split_quoted(text, "=") for text in given]
    names = [_target_name("=".join(pair[:-1] or pair)) for pair in pairs]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise typer.BadParameter(f"got '{twice[0]}' twice", param_hint="--target")
    weights = [_number(pair[-1]) if len(pair) > 1 else 1.0 for pair in pairs]
    return dict(zip(names, weights, strict=True))


def _target_name(text: str) -> str:
    """Return ``'benchmark:"a=b"'`` without the quotation marks."""
    kind, colon, name = text.partition(":")
    if colon and kind.strip() in ("skill", "benchmark"):
        return f"{kind.strip()}:{unquoted(name)}"
    return unquoted(text)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(
            f"got the weight '{text}'; expected NAME=WEIGHT, a name that holds an equals sign "
            """between quotation marks: --target '"a=b"'""",
            param_hint="--target",
        ) from None


def _attributes(given: Sequence[str] | None) -> dict[str, Any]:
    """Return ``["instruct=true", "kind=chat"]`` as a mapping to true, numbers and text."""
    columns: dict[str, Any] = {}
    for text in given or ():
        name, *rest = split_quoted(text, "=")
        value = "=".join(rest).strip()
        if not (unquoted(name) and value):
            raise typer.BadParameter(
                f"got {text}; expected COLUMN=VALUE, a column that holds an equals sign between "
                """quotation marks: --with '"a=b"=1'""",
                param_hint="--with",
            )
        columns[unquoted(name)] = _value(value)
    return columns


def _value(text: str) -> bool | float | str:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        return float(text)
    except ValueError:
        return text
