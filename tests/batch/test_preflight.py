from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from golden import Message

import lvkit as lv
from lvkit.batch import preflight as module
from lvkit.batch.grid import planned_runs
from lvkit.batch.notebook import open_template
from lvkit.batch.one_run import Run
from lvkit.batch.preflight import completed_settings, preflight
from lvkit.batch.spec import Spec


def planned(template: str, grid: dict[str, list[Any]] | None = None, **fixed: Any) -> list[Run]:
    return planned_runs(Spec(open_template(template), fixed, grid or {}))


@pytest.mark.parametrize(
    ("template", "fixed"),
    [
        ("family", {"about": "pythia-dedupd"}),
        ("family", {"target": "mmul"}),
        ("family", {"n_skills": 13}),
        ("family", {"n_skills": 0}),
        ("report", {"seed": -1}),
        ("report", {"n_jobs": 0}),
        ("family", {"budget": -1}),
        ("family", {"level": 2}),
        ("leaderboard", {"keep": -1}),
        ("report", {"n_skills": 3, "max_skills": 2}),
        ("report", {"data": "/no/such.csv"}),
        ("report", {"features": "log_parms"}),
        ("report", {"anchors": {"a": "mmul"}}),
        ("family", {"fit": "/no/such.lvkit"}),
    ],
)
def test_what_cannot_work_is_told_before_kernels_start(
    template: str, fixed: dict[str, Any], message: Message
) -> None:
    with pytest.raises(lv.LvkitError) as caught:
        preflight(planned(template, **fixed))
    message(caught.value)


def test_everything_is_told_at_once_and_each_thing_once() -> None:
    runs = planned(
        "family", {"about": ["nobody", "opt"], "budget": [1e22, 1e23]}, target="x", level=9
    )
    with pytest.raises(lv.LvkitError) as caught:
        preflight(runs)
    places = sorted(problem.where for problem in caught.value.problems)
    assert places == ["parameter 'about'", "parameter 'level'", "parameter 'target'"]


def test_of_several_tables_the_one_at_fault_is_told(small_file: Path, tmp_path: Path) -> None:
    table = pd.read_csv(small_file)
    first, second = table["family"].unique()[:2]
    table[table["family"] != first].to_csv(tmp_path / "without.csv", index=False)
    files = [str(small_file), str(tmp_path / "without.csv")]
    grid: dict[str, list[Any]] = {"data": files, "about": [first, second]}
    with pytest.raises(lv.LvkitError) as caught:
        preflight(planned("family", grid))
    (problem,) = caught.value.problems
    assert (problem.where, problem.seen) == ("'without.csv', parameter 'about'", f"got '{first}'")


def test_what_is_wrong_in_every_table_is_told_once_and_files_that_share_a_name_in_full(
    small_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = tmp_path / "other" / small_file.name
    other.write_text("model,mmlu\na,83.1\nb,0.5\n")
    grid: dict[str, list[Any]] = {"data": [str(small_file), str(other), ""]}
    with pytest.raises(lv.LvkitError) as caught:
        preflight(planned("report", grid, n_skills=0))
    places = [problem.where for problem in caught.value.problems]
    assert any(place.startswith(f"'{other}', ") for place in places)
    assert "the embedded leaderboard, n_skills" in places
    other.unlink()
    grid["data"] = [str(small_file), ""]
    with pytest.raises(lv.LvkitError, match="^n_skills: got 0"):
        preflight(planned("report", grid, n_skills=0))


def test_a_file_that_is_not_there_is_named_once(small_file: Path) -> None:
    with pytest.raises(lv.LvkitError, match="^'/no/such.csv': there is no such file"):
        preflight(planned("report", {"data": [str(small_file), "/no/such.csv"]}))


def test_where_no_family_is_like_the_one_wished_for_the_largest_are_told() -> None:
    told = "families; the largest are opt, pythia-deduped, qwen1.5, qwen1.5-chat, "
    with pytest.raises(lv.LvkitError, match=told):
        preflight(planned("family", about="zzz"))


def test_a_family_that_the_fit_leaves_out_is_told_as_such(leaderboard: lv.Panel) -> None:
    without = leaderboard.models.groupby("family")["tokens_t"].apply(lambda t: t.isna().all())
    with pytest.raises(lv.LvkitError, match="The fit leaves out its models"):
        preflight(planned("family", about=without.index[without][0]))


def test_numbers_of_skills_that_nobody_chose_suit_the_table(small_file: Path) -> None:
    chosen, free = preflight(
        planned("report", {"n_skills": [2]}, data=str(small_file))
    ) + preflight(planned("report", data=str(small_file)))
    assert chosen.parameters["n_skills"] == 2
    assert free.parameters["n_skills"] <= 4
    assert free.parameters["data"] == str(small_file)


def test_a_table_is_opened_once_for_all_runs(
    small_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    usual = module.open_panel

    def open_panel(data: str, **rest: Any) -> lv.Panel:
        opened.append(data)
        return usual(data, **rest)

    monkeypatch.setattr(module, "open_panel", open_panel)
    runs = preflight(planned("family", {"budget": [1e21, 1e22, 1e23]}, data=str(small_file)))
    assert len(runs) == 3
    assert opened == [str(small_file)]


def test_a_saved_fit_takes_the_place_of_the_table(
    small_fit: lv.Fit, small_panel: lv.Panel, tmp_path: Path
) -> None:
    small_fit.save(tmp_path / "small.lvkit")
    values: dict[str, Any] = {
        "fit": str(tmp_path / "small.lvkit"),
        "about": small_panel.families[0],
    }
    (run,) = preflight(planned("family", target="instruction", **values))
    assert run.parameters["n_skills"] == 4
    with pytest.raises(lv.LvkitError, match="'about': got 'nobody'"):
        preflight(planned("family", **values | {"about": "nobody"}))


def test_a_target_that_is_a_skill_and_a_benchmark_is_refused(
    small_fit: lv.Fit, small_panel: lv.Panel, tmp_path: Path
) -> None:
    fit = str(tmp_path / "both.lvkit")
    small_fit.reanchor({"arc": "mmlu", "instruction": "ifeval"}).save(fit)
    values: dict[str, Any] = {"fit": fit, "about": small_panel.families[0]}
    with pytest.raises(lv.LvkitError, match="'skill:arc' or 'benchmark:arc'"):
        preflight(planned("family", target="arc", **values))
    (run,) = preflight(planned("family", target="benchmark:arc", **values))
    assert run.parameters["target"] == "benchmark:arc"


@pytest.mark.parametrize("target", ["mmlu_skill", "general", "mathematics", "skill:mmlu_skill"])
def test_a_skill_whose_anchor_lvkit_will_choose_may_be_a_target(
    target: str, small_file: Path
) -> None:
    about = lv.read_panel(small_file).families[0]
    (run,) = preflight(planned("family", about=about, target=target, data=str(small_file)))
    assert run.parameters["target"] == target


def test_more_skills_to_interpret_are_also_compared(leaderboard: lv.Panel) -> None:
    settings = dict(planned("report")[0].parameters)
    assert completed_settings(settings, leaderboard, 7, None) == {"n_skills": 7, "max_skills": 7}
    assert completed_settings(settings, leaderboard, None, 3) == {"n_skills": 3, "max_skills": 3}
