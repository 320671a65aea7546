"""The command ``lvkit report``: one report, or a batch of them.

Without options that concern several reports, it writes the report on a table into a folder. With a
template, a notebook, a plan file or a grid it writes a batch: a folder with an index and a folder
for each run. Both take the same settings; in a batch, a setting on the command line becomes a
parameter of the notebook, and all others are left to the notebook.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lvkit.cli.arguments import (
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
from lvkit.cli.console import InterruptError, result, watching
from lvkit.errors import Problem, raise_problems
from lvkit.model.formula import DEFAULT_FEATURES

if TYPE_CHECKING:
    from lvkit.batch.notebook import Source

Output = Annotated[Path, typer.Option(help="Folder to write to.")]
MaxSkills = Annotated[
    int | None,
    typer.Option(
        help="Largest number of skills to compare; no more are tried than the table supports. "
        "Default: 6."
    ),
]
Kernels = Annotated[
    int, typer.Option(help="Number of parallel workers; in a batch, of reports at once.")
]
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

# Options of a batch, and others that are no parameters of the templates.
_OF_A_BATCH = {"template", "notebook", "plan", "fixed", "grid", "resume", "dask"}
_NO_PARAMETERS = _OF_A_BATCH | {"file", "output", "jobs", "timeout", "code", "json"}


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
    sources = {name: context.get_parameter_source(name) for name in options}
    chosen = {name for name, origin in sources.items() if origin and origin.name == "COMMANDLINE"}
    options |= {"anchors": anchors_in(anchors), "benchmarks": benchmarks and str(benchmarks)}
    is_batch = bool(chosen & _OF_A_BATCH)
    settings = {"n_skills" if name == "skills" else name: value for name, value in options.items()
                if name not in _NO_PARAMETERS and (name in chosen or not is_batch)}  # fmt: skip
    (_batch if is_batch else _single)(options, settings)


def _single(options: dict[str, Any], settings: dict[str, Any]) -> None:
    """Write one report."""
    from lvkit import batch

    paths = batch.run_report(
        options["file"],
        output=options["output"],
        **settings,
        n_jobs=options["jobs"],
        timeout=options["timeout"],
        code=options["code"],
        progress=watching(),
    )
    document = {"html": paths.html, "notebook": paths.notebook, "json": paths.json}
    result(document, f"Report: {paths.html}", as_json=options["json"])


def _batch(options: dict[str, Any], settings: dict[str, Any]) -> None:
    """Write a batch; end with 1 if a run has failed."""
    from lvkit import batch as engine
    from lvkit.batch.spec import open_spec

    spec = open_spec(options["template"], options["notebook"], options["plan"])
    fixed = _typed(spec.source, options["fixed"], "--set")
    lists = _typed(spec.source, options["grid"], "--grid", lists=True)
    raise_problems(Problem("given twice", f"parameter '{name}'") for name in fixed
                   if name in settings)  # fmt: skip
    try:
        batch = engine.run_reports(
            options["file"],
            plan=spec,
            parameters=settings | fixed,
            grid=lists,
            n_jobs=options["jobs"],
            progress=watching(),
            **{name: options[name] for name in ("output", "resume", "timeout", "code", "dask")},
        )
    except KeyboardInterrupt as stop:
        raise InterruptError(str(stop)) from stop
    failed = [f"  {run.name}: {run.failure}" for run in batch.runs if run.failure]
    text = "\n".join([f"Index: {batch.index}", str(batch), *failed])
    result(batch.document, text, as_json=options["json"])
    if not batch.ok:
        raise typer.Exit(1)


def _typed(
    source: Source, texts: Sequence[str] | None, option: str, *, lists: bool = False
) -> dict[str, Any]:
    """Return ``["budget=1e22"]`` as values of parameters, by their names."""
    from lvkit.batch.spec import typed

    pairs = [text.partition("=") for text in texts or ()]
    if any(not (name.strip() and equals) for name, equals, _ in pairs):
        raise typer.BadParameter("expected NAME=VALUE", param_hint=option)
    return typed(source, [(name.strip(), value) for name, _, value in pairs], lists=lists)
