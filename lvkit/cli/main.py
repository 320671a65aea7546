"""The commands of `lvkit`, each a few lines over the library.

Each command reads a table, calls one function of the library and prints what it returns: as text
for a person or, with ``--json``, as one document for a program. Without a file, commands work on
the embedded leaderboard. `lvkit.cli.console` decides how they speak and with which code they
end.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

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
    Jobs,
    Json,
    Seed,
    Skills,
    Starts,
    anchors_in,
    panel_in,
)
from lvkit.cli.as_text import fit_text, table
from lvkit.cli.console import report_in_options, result, run, say, watching
from lvkit.cli.planning import need, plan
from lvkit.cli.report import report
from lvkit.data.table_files import csv_text
from lvkit.model.formula import DEFAULT_FEATURES
from lvkit.reports.as_json import check_document, fit_document, panel_document

app = typer.Typer(
    help="Latent-variable scaling laws for large language models.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        What stands behind the program's name; None takes what the user typed.

    Returns
    -------
    int
        0; 1 for faults in data or settings; 2 for usage; 130 after Ctrl-C.

    Examples
    --------
    >>> main(["--version"])
    lvkit 0.1.0
    0
    """
    return run(app, sys.argv[1:] if arguments is None else arguments)


@app.callback(invoke_without_command=True)
def _start(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Print lvkit's version.", is_eager=True)
    ] = False,
) -> None:
    """Print the version or, without a command, the help."""
    if version:
        from lvkit._version import __version__

        say(f"lvkit {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        say(context.get_help())
        raise typer.Exit(2)


@app.command()
def check(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A table of scores, CSV or Parquet.")
    ],
    family: Family = None,
    benchmarks: Benchmarks = None,
    drop_invalid: DropInvalid = False,
    json: Json = False,
) -> None:
    """Report what is in a file and how to fix what is wrong."""
    from lvkit.data.read import check_file
    from lvkit.data.side_files import family_rule

    rule = family_rule(family)
    found = report_in_options(
        check_file(file, family=rule, benchmarks=benchmarks, drop_invalid=drop_invalid)
    )
    result(check_document(found), str(found), as_json=json)
    if not found.ok:
        raise typer.Exit(1)


@app.command()
def fit(
    file: File = None,
    skills: Skills = None,
    anchors: Anchors = None,
    features: Features = DEFAULT_FEATURES,
    family_slopes: FamilySlopes = None,
    floor: Floor = "none",
    clip: Clip = CLIP,
    starts: Starts = 1,
    seed: Seed = 0,
    jobs: Jobs = 1,
    complete: Complete = False,
    family: Family = None,
    benchmarks: Benchmarks = None,
    drop_invalid: DropInvalid = False,
    output: Annotated[
        Path | None, typer.Option(help="Save the fit to this file; lvkit.load_fit reads it.")
    ] = None,
    json: Json = False,
) -> None:
    """Fit the latent skill model and print what it found."""
    from lvkit.estimation.estimate import fit_model
    from lvkit.fit.fit import Fit
    from lvkit.fit.latent_skill_model import LatentSkillModel
    from lvkit.fit.select_skills import USUAL_SKILLS, skill_range
    from lvkit.tools.outputs import check_output, is_saved_fit

    if output is not None:  # a wrong one is refused now, not after hours
        inputs = (file, family, benchmarks)
        check_output(
            output, kind="a saved fit", ours=is_saved_fit, inputs=inputs, argument="output"
        )
    model = LatentSkillModel(
        anchors=anchors_in(anchors),
        n_skills=skills,
        features=features,
        family_slopes=family_slopes,
        floor=floor,
        clip=clip,
    )
    panel = panel_in(file, family, benchmarks, drop_invalid, complete)
    if model.k is None:
        model = replace(model, n_skills=skill_range(panel, model, most=USUAL_SKILLS)[-1])
    # The text and the document report what is not determined: no warnings beside them.
    fitted = Fit.of(
        fit_model(model, panel, seed=seed, starts=starts, n_jobs=jobs, progress=watching())
    )
    if output is not None:
        fitted.save(output)
    document = fit_document(fitted) | {"output": None if output is None else str(output)}
    text = fit_text(fitted) + ("" if output is None else f"\n\nSaved to {output}")
    result(document, text, as_json=json)


@app.command()
def select(
    file: File = None,
    minimum: Annotated[int, typer.Option("--min", help="The smallest number of skills.")] = 1,
    maximum: Annotated[
        int | None,
        typer.Option(
            "--max",
            help="The largest number of skills. Default: 6, or fewer where the table cannot bear "
            "so many.",
        ),
    ] = None,
    features: Features = DEFAULT_FEATURES,
    floor: Floor = "none",
    clip: Clip = CLIP,
    seed: Seed = 0,
    jobs: Jobs = 1,
    complete: Complete = False,
    family: Family = None,
    benchmarks: Benchmarks = None,
    drop_invalid: DropInvalid = False,
    output: Annotated[Path | None, typer.Option(help="Write the table to this CSV file.")] = None,
    json: Json = False,
) -> None:
    """Compare numbers of skills by their likelihood, AIC and BIC."""
    if maximum is not None and maximum < minimum:
        raise typer.BadParameter(f"--max {maximum} is below --min {minimum}")
    from lvkit.fit.latent_skill_model import LatentSkillModel
    from lvkit.fit.select_skills import select_skills, skill_range
    from lvkit.tools.files import write_whole
    from lvkit.tools.outputs import check_output, is_selection_table

    if output is not None:
        check_output(
            output,
            kind="a table of numbers of skills",
            ours=is_selection_table,
            inputs=(file, family, benchmarks),
            argument="output",
        )
    model = LatentSkillModel(features=features, floor=floor, clip=clip)
    panel = panel_in(file, family, benchmarks, drop_invalid, complete)
    if maximum is None:  # a minimum that is too large is refused, as the user gave it
        maximum = max(minimum, skill_range(panel, model)[-1])
    selection = select_skills(
        panel,
        range(minimum, maximum + 1),
        model=model,
        seed=seed,
        n_jobs=jobs,
        progress=watching(),
    )
    if output is not None:
        write_whole(output, csv_text(selection.table, index=True))
    best = {criterion: len(selection.best(criterion).skills) for criterion in ("aic", "bic")}
    text = f"{table(selection.table)}\n\nLowest AIC: {best['aic']}; lowest BIC: {best['bic']}"
    text += "" if output is None else f"\nTable written to {output}"
    document = {"panel": panel_document(panel), "table": selection.table, "best": best}
    result(document | {"output": None if output is None else str(output)}, text, as_json=json)


app.command()(report)
app.command()(plan)
app.command()(need)


@app.command()
def notebooks(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to copy them to.")],
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite notebooks that are there already.")
    ] = False,
) -> None:
    """Copy the notebooks that come with lvkit to a folder of yours."""
    from lvkit.lab import COPYING, copy_notebooks

    for target, outcome in copy_notebooks(folder, force=force):
        say(f"{COPYING[outcome]} {target}")


@app.command(context_settings={"ignore_unknown_options": True})
def lab(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FOLDER] [OPTION]...",
            help="The folder, lvkit-notebooks by default, then options for JupyterLab, such as "
            "--no-browser.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Open JupyterLab on a copy of the notebooks in a folder of yours."""
    from lvkit.lab import copied_text, copy_notebooks, folder_and_options, open_lab

    folder, options = folder_and_options(arguments or [])
    say(copied_text(copy_notebooks(folder)))
    raise typer.Exit(open_lab(folder, options))
