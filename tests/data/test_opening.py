from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

import lvkit as lv
from lvkit.data.read import check_opened, open_panel


def test_without_a_file_the_embedded_panel_is_opened(leaderboard: lv.Panel) -> None:
    assert open_panel() == leaderboard


def test_families_without_a_file_are_refused() -> None:
    with pytest.raises(lv.LvkitError, match="no file that they speak of. Give the file"):
        open_panel(family="from_name")


def test_a_users_file_is_opened(small_file: Path) -> None:
    assert open_panel(str(small_file)) == lv.read_panel(small_file)


@pytest.mark.parametrize("kind", ["file", "mapping"])
def test_families_and_benchmarks_come_from_files_or_mappings(kind: str, tmp_path: Path) -> None:
    data, families, known = (tmp_path / f"{name}.csv" for name in ("data", "families", "known"))
    data.write_text("model,params_b,mine\na-1b,1,0.2\na-2b,2,0.4\nb-1b,1,0.3\n")
    families.write_text("model,family\na-1b,x\na-2b,x\nb-1b,y\n")
    known.write_text("benchmark,chance\nmine,0.1\n")
    rule: str | Mapping[str, str] = str(families)
    chance: str | Mapping[str, float] = str(known)
    if kind == "mapping":
        rule, chance = {"a-1b": "x", "a-2b": "x", "b-1b": "y"}, {"mine": 0.1}
    panel = open_panel(data, family=rule, benchmarks=chance)
    assert panel.families == ("x", "y")
    assert panel.benchmarks.loc["mine", "chance"] == 0.1


def test_what_is_wrong_with_a_file_is_found_with_the_same_options(tmp_path: Path) -> None:
    data, known = tmp_path / "data.csv", tmp_path / "known.csv"
    data.write_text("model,params_b,mine\na-1b,1,0.2\na-2b,-2,0.4\n")
    known.write_text("benchmark,chance\nmine,0.1\n")
    report = check_opened(data, family="from_name", benchmarks=known)
    assert [problem.seen for problem in report.problems] == ["got -2"]
    assert check_opened(data, family="from_name", benchmarks=known, drop_invalid=True).ok


def test_what_is_left_empty_is_not_given(small_file: Path) -> None:
    assert open_panel(small_file, family="", benchmarks="") == open_panel(small_file)
    assert open_panel("", family="", benchmarks="") == open_panel()


def test_unusable_rows_may_be_left_out(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("model,family,params_b,mmlu\na-1b,a,-1,0.3\na-2b,a,2,0.4\n")
    with pytest.warns(lv.LvkitWarning, match="left out 1 unusable row"):
        assert open_panel(path, drop_invalid=True).n_models == 1


def test_only_complete_models_may_be_kept(tmp_path: Path, leaderboard: lv.Panel) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("model,family,params_b,mmlu,bbh\na-1b,a,1,0.3,\na-2b,a,2,0.4,0.5\n")
    assert open_panel(path, complete=True).n_models == 1
    assert open_panel(complete=True) == leaderboard.complete()
