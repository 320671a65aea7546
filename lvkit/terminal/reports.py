"""The command ``lvkit report``: one report, or a batch of them.

Without options that speak of several, it writes the report on a table into a folder. With a
template, a notebook, a plan file or a grid it writes a batch: a folder with an index and a folder
for each run. Both take the same settings; in a batch, one that was given becomes a parameter of the
notebook, and one that was not is left to the notebook.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lvkit.formula import DEFAULT_FEATURES
from lvkit.terminal.arguments import (
    CLIP,
    Anchors,
    Benchmarks,
    Clip,
    Complete,
    DropInvalid,
    Family,
    FamilySlopes,
    Features,
    File,
    Floor,
    Json,
    Seed,
    Skills,
    anchors_in,
    check_file_given,
)
from lvkit.terminal.console import InterruptError, result, watching

if TYPE_CHECKING:
    from lvkit.batch.source import Source


Output = Annotated[Path, typer.Option(help="Folder to write to.")]
MaxSkills = Annotated[
    int | None,
    typer.Option(
        help="Largest number of skills to compare; no more are tried than the table can bear. "
        "Default: 6."
    ),
]
Kernels = Annotated[int, typer.Option(help="Processes to work with; in a batch, reports at once.")]
Template = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Batch: which report, 'report', 'family' or 'leaderboard'."),
]
Notebook = Annotated[
    Path | None,
    typer.Option(metavar="PATH", help="Batch: a notebook of yours instead of a template."),
]
PlanPath = Annotated[
    Path | None, typer.Option(metavar="PATH", help="Batch: a plan file, TOML or YAML.")
]
Fixed = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Batch: a parameter of all runs."),
]
Grid = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=V1,V2,...",
        help="Batch: values of a parameter; every combination is a run. Values that hold a comma "
        "go between quotation marks, or use a JSON list.",
    ),
]
Resume = Annotated[
    bool,
    typer.Option("--resume", help="Batch: keep runs that are done, unchanged and undamaged."),
]
Timeout = Annotated[
    int | None,
    typer.Option(metavar="SECONDS", help="Stop a notebook with a cell that takes longer."),
]
Code = Annotated[bool, typer.Option("--code", help="Show the code on the pages.")]
Dask = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="Batch: run on the workers of this Dask scheduler."),
]

# Options that are parameters of the templates, by the parameters' names.
_SETTINGS = {
    "skills": "n_skills",
    "max_skills": "max_skills",
    "anchors": "anchors",
    "features": "features",
    "family_slopes": "family_slopes",
    "floor": "floor",
    "clip": "clip",
    "seed": "seed",
    "complete": "complete",
    "family": "family",
    "benchmarks": "benchmarks",
    "drop_invalid": "drop_invalid",
}
# Options that a batch takes as they are.
_AS_THEY_ARE = ("output", "template", "notebook", "plan", "resume", "timeout", "code", "dask")


def report(
    context: typer.Context,
    file: File = None,
    output: Output = Path("report"),
    skills: Skills = None,
    max_skills: MaxSkills = None,
    anchors: Anchors = None,
    features: Features = DEFAULT_FEATURES,
    family_slopes: FamilySlopes = None,
    floor: Floor = "none",
    clip: Clip = CLIP,
    seed: Seed = 0,
    jobs: Kernels = 2,
    complete: Complete = False,
    family: Family = None,
    benchmarks: Benchmarks = None,
    drop_invalid: DropInvalid = False,
    template: Template = None,
    notebook: Notebook = None,
    plan: PlanPath = None,
    fixed: Fixed = None,
    grid: Grid = None,
    resume: Resume = False,
    timeout: Timeout = None,
    code: Code = False,
    dask: Dask = None,
    json: Json = False,
) -> None:
    """Write a report that opens in any browser, offline; or a batch of them."""
    options = dict(locals())  # the context has them too, but not of every typer as their types say
    del options["context"]
    check_file_given(file, family, benchmarks)
    given = {name for name in options if _was_given(context, name)}
    if given & {"template", "notebook", "plan", "fixed", "grid", "resume", "dask"}:
        _batch(options, given, as_json=json)
    else:
        _single(options, as_json=json)


def _was_given(context: typer.Context, name: str) -> bool:
    """Return whether an option stands in the command line."""
    source: Any = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _single(options: dict[str, Any], *, as_json: bool) -> None:
    """Write one report."""
    from lvkit.report import run_report

    settings = {parameter: options[option] for option, parameter in _SETTINGS.items()}
    paths = run_report(
        options["file"],
        output=options["output"],
        **settings | {"anchors": anchors_in(options["anchors"])},
        n_jobs=options["jobs"],
        timeout=options["timeout"],
        code=options["code"],
        progress=watching(),
    )
    document = {"html": paths.html, "notebook": paths.notebook, "json": paths.json}
    result(document, f"Report: {paths.html}", as_json=as_json)


def _batch(options: dict[str, Any], given: set[str], *, as_json: bool) -> None:
    """Write a batch; end with 1 if a run has failed."""
    from lvkit.batch import run_reports
    from lvkit.batch.index import batch_document
    from lvkit.batch.planfile import PlanFile, read_plan
    from lvkit.batch.wishes import chosen_source, typed

    plan = PlanFile() if options["plan"] is None else read_plan(options["plan"])
    source = chosen_source(options["template"], options["notebook"], plan)
    parameters = _parameters(source, options, given)
    lists = typed(source, _pairs(options["grid"], "--grid"), lists=True)
    try:
        batch = run_reports(
            options["file"],
            parameters=parameters,
            grid=lists,
            n_jobs=options["jobs"],
            progress=watching(),
            **{name: options[name] for name in _AS_THEY_ARE},
        )
    except KeyboardInterrupt as stop:
        raise InterruptError(str(stop)) from stop
    failed = [f"  {run.name}: {run.failure}" for run in batch.runs if run.failure]
    text = "\n".join([f"Index: {batch.index}", str(batch), *failed])
    result(batch_document(batch), text, as_json=as_json)
    if not batch.ok:
        raise typer.Exit(1)


def _parameters(source: Source, options: dict[str, Any], given: set[str]) -> dict[str, Any]:
    """Return the parameters that options and --set give."""
    from lvkit.batch.wishes import typed
    from lvkit.errors import LvkitError, Problem

    values = {
        parameter: str(options[option]) if isinstance(options[option], Path) else options[option]
        for option, parameter in _SETTINGS.items()
        if option in given
    }
    if "anchors" in values:
        values["anchors"] = anchors_in(values["anchors"])
    told = typed(source, _pairs(options["fixed"], "--set"))
    twice = [Problem("given twice", f"parameter '{name}'") for name in told if name in values]
    if twice:
        raise LvkitError.from_problems(twice)
    return values | told


def _pairs(texts: Sequence[str] | None, option: str) -> list[tuple[str, str]]:
    """Return ``["about=gemma-2"]`` as names with what stands behind the first equals sign."""
    pairs = [text.partition("=") for text in texts or ()]
    if any(not (name.strip() and equals) for name, equals, _ in pairs):
        raise typer.BadParameter("expected NAME=VALUE", param_hint=option)
    return [(name.strip(), value) for name, _, value in pairs]
