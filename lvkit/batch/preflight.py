"""Settings of lvkit's own reports, checked on the data before a kernel starts.

A kernel takes seconds to start and a fit takes more; a family that is not in the table, or nine
skills for six benchmarks, can be reported at once. So the table is opened here, once for all runs
that share it, and the model is set up on it as the notebook will do.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lvkit.batch.one_run import Run
from lvkit.data.read import open_panel
from lvkit.errors import LvkitError, Problem, count, nearest, raise_problems
from lvkit.estimation.anchor_choice import automatic_names
from lvkit.estimation.estimate import objective_for, prepared_for
from lvkit.estimation.settings import PAPER_ANCHORS
from lvkit.fit.latent_skill_model import LatentSkillModel, load_fit
from lvkit.fit.select_skills import USUAL_RANGE, USUAL_SKILLS, skill_range
from lvkit.planning.plan import check_budgets
from lvkit.planning.target import find_name
from lvkit.tools.checks import check_level, check_whole

if TYPE_CHECKING:
    from lvkit.data.panel import Panel


_OPENING = ("data", "family", "benchmarks", "drop_invalid", "complete")
_SHOWN = 5  # families, where none has a similar name
_MODEL = ("anchors", "n_skills", "max_skills", "features", "family_slopes", "floor", "clip")


def preflight(runs: Sequence[Run]) -> list[Run]:
    """Return runs of one of lvkit's reports, with numbers of skills that suit their data.

    Parameters
    ----------
    runs : sequence of Run
        What is planned.

    Returns
    -------
    list of Run
        The same runs; where nobody chose a number of skills, one that the table can bear.

    Raises
    ------
    LvkitError
        With all that cannot work: files that cannot be read, families and benchmarks that are not
        in them, models that do not suit them.
    """
    trials = _Trials()
    problems = [problem for run in runs for problem in _value_problems(run.parameters)]
    ready, failed = [], []
    for run in runs:
        try:
            ready.append(replace(run, parameters=trials.tried(run)))
        except LvkitError as error:
            failed += [(problem, _table(run)) for problem in error.problems]
    problems += _with_tables(failed, {_table(run) for run in runs})
    raise_problems(dict.fromkeys(problems))
    return ready


def _table(run: Run) -> str:
    """Return the file that a run works on, in full; empty for the embedded leaderboard."""
    return str(run.parameters.get("fit") or run.parameters.get("data") or "")


def _with_tables(
    failed: Sequence[tuple[Problem, str]], tables: Collection[str]
) -> Iterator[Problem]:
    """Yield problems, each with its table unless all tables have it."""
    pairs = {*failed}
    for problem, table in failed:
        everywhere = all((problem, other) in pairs for other in tables)
        if everywhere or (table and table in problem.where):
            yield problem
        else:
            places = [_name(table, tables), problem.where]
            yield replace(problem, where=", ".join(place for place in places if place))


def _name(table: str, tables: Collection[str]) -> str:
    """Return what a table is called among others: its file's name, in full if two share it."""
    if not table:
        return "the embedded leaderboard"
    name = Path(table).name
    is_shared = [Path(other).name for other in tables].count(name) > 1
    return f"'{table if is_shared else name}'"


def completed_settings(
    settings: Mapping[str, Any], panel: Panel, n_skills: int | None, max_skills: int | None
) -> dict[str, int]:
    """Return how many skills to interpret and to compare; refuse what cannot work.

    Parameters
    ----------
    settings : mapping
        The values of a report's parameters.
    panel : Panel
        The table they are for.
    n_skills, max_skills : int, optional
        What the user chose; None for what suits the table.

    Returns
    -------
    dict
        ``n_skills`` and ``max_skills``.

    Raises
    ------
    LvkitError
        If the model does not suit the table.
    """
    if n_skills is not None:
        n_skills = check_whole(n_skills, "n_skills")
    if max_skills is not None:
        max_skills = check_whole(max_skills, "max_skills", n_skills or 1)
    model = _model(settings, n_skills)
    k = model.k
    if k is None:
        k = skill_range(panel, model, most=min(USUAL_SKILLS, max_skills or USUAL_SKILLS))[-1]
    else:
        objective_for(model, prepared_for(model, panel), k)
    return {"n_skills": k, "max_skills": max(k, max_skills or USUAL_RANGE)}


def _model(settings: Mapping[str, Any], n_skills: int | None) -> LatentSkillModel:
    return LatentSkillModel(
        anchors=settings["anchors"] or None,
        n_skills=n_skills,
        features=settings["features"],
        family_slopes=settings["family_slopes"] or None,
        floor=settings["floor"],
        clip=settings["clip"],
    )


class _Trials:
    """Tables and models that have been tried, so that none is tried twice."""

    def __init__(self) -> None:
        self._results: dict[str, Any] = {}

    def tried(self, run: Run) -> dict[str, Any]:
        """Return a run's values, completed, or raise what is wrong with them."""
        values = dict(run.parameters)
        if values.get("fit"):
            fit = self._once("fit", values, ("fit",), lambda: load_fit(values["fit"]))
            _check_about(values, fit.panel, fit.families, fit.skills)
            return values
        panel = self._once("panel", values, _OPENING, lambda: _panel(values))
        chosen = {name: values[name] if name in run.chosen else None
                  for name in ("n_skills", "max_skills")}  # fmt: skip
        settings = _OPENING + _MODEL
        counts = self._once(f"model {chosen}", values, settings,
                            lambda: completed_settings(values, panel, **chosen))  # fmt: skip
        model = _model(values, counts["n_skills"])
        families = self._once("families", values, settings,
                              lambda: prepared_for(model, panel).families)  # fmt: skip
        _check_about(values, panel, families, tuple(values["anchors"] or _possible_skills(panel)))
        return values | {name: number for name, number in counts.items() if name in values}

    def _once(self, what: str, values: Mapping[str, Any], names: Sequence[str], get: Any) -> Any:
        """Return the result of `get` for these values; raise the same error again if it fails."""
        key = what + json.dumps([values.get(name) for name in names], sort_keys=True)
        if key not in self._results:
            try:
                self._results[key] = get()
            except LvkitError as error:
                self._results[key] = error
        result = self._results[key]
        if isinstance(result, LvkitError):
            raise result
        return result


def _panel(values: Mapping[str, Any]) -> Panel:
    return open_panel(values["data"], **{name: values[name] for name in _OPENING[1:]})


def _value_problems(values: Mapping[str, Any]) -> list[Problem]:
    """Return what is wrong with values that can be judged without the data."""
    checks: dict[str, Callable[[Any], object]] = {
        "seed": lambda seed: check_whole(seed, "seed", 0),
        "n_jobs": lambda n_jobs: check_whole(n_jobs, "n_jobs"),
        "keep": lambda keep: check_whole(keep, "keep", 0),
        "level": check_level,
        "budget": check_budgets,
    }
    problems: list[Problem] = []
    for name in checks.keys() & values.keys():
        try:
            checks[name](values[name])
        except LvkitError as error:
            problems += [replace(each, where=f"parameter '{name}'") for each in error.problems]
    return sorted(problems, key=lambda problem: problem.where)


def _check_about(
    values: Mapping[str, Any], panel: Panel, families: Sequence[str], skills: Sequence[str]
) -> None:
    """Refuse a family that is not in the fit, and what is no target in it."""
    problems = []
    about, target = values.get("about", ""), values.get("target", "")
    if about and about not in families:
        there = about in panel.families
        remedy = "The fit leaves out its models, which lack a feature." if there else (
            f"The fit has {count(len(families), 'family')}{_like(about, panel, families)}"
        )  # fmt: skip
        expected = "a family in the fit"
        problems.append(Problem(f"got '{about}'", "parameter 'about'", expected, remedy))
    benchmarks = list(map(str, panel.benchmarks.index))
    if target:
        try:
            find_name(target, skills, benchmarks, "parameter 'target'")
        except LvkitError as error:
            (problem,) = error.problems
            unknown = replace(problem, expected="a benchmark of the table, or a skill")
            problems.append(problem if target in benchmarks else unknown)
    raise_problems(problems)


def _possible_skills(panel: Panel) -> list[str]:
    """Return the names that skills may have whose anchors lvkit will choose."""
    benchmarks = list(map(str, panel.benchmarks.index))
    single = automatic_names(benchmarks[:1], benchmarks)
    several = automatic_names(benchmarks, benchmarks) if len(benchmarks) > 1 else {}
    return [name for name in (*PAPER_ANCHORS, *single, *several) if name not in benchmarks]


def _like(about: str, panel: Panel, families: Sequence[str]) -> str:
    """Return the end of a sentence: the family that was meant or, without one, the largest."""
    if meant := nearest(about, families):
        return f".{meant}"
    sizes = Counter(panel.models["family"])
    largest = sorted(families, key=lambda family: (-sizes[family], family))[:_SHOWN]
    return f"; the largest are {', '.join(largest)}."
