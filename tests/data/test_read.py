from __future__ import annotations

import builtins
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lvkit.data.panel import Panel
from lvkit.data.read import check_file, check_panel, load_leaderboard, open_panel, read_panel
from lvkit.errors import LvkitError, LvkitWarning

GOOD = """model,family,params_b,tokens_t,mmlu,gsm8k
ant-1b,ant,1,1,0.26,0.02
ant-3b,ant,3,1,0.41,
bee-2b,bee,2,,0.35,0.1
"""


def written(folder: Path, text: str | bytes = GOOD, name: str = "mine.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode("utf-8") if isinstance(text, str) else text)
    return path


def refusal(path: Any, **options: Any) -> LvkitError:
    with pytest.raises(LvkitError) as caught:
        read_panel(path, **options)
    return caught.value


# -- what is read --------------------------------------------------------------------------------


def panel_from_csv(text: str) -> Panel:
    """The panel of a file's text, as an upload gives it."""
    panel = check_file("upload.csv", content=text.encode()).panel
    assert panel is not None
    return panel


def test_a_csv_file_gives_a_panel(tmp_path: Path) -> None:
    panel = read_panel(written(tmp_path))
    assert (panel.n_models, panel.n_families, panel.n_scores) == (3, 2, 5)
    assert read_panel(str(tmp_path / "mine.csv")) == panel == panel_from_csv(GOOD)


def test_a_panel_written_and_read_is_the_same(tmp_path: Path) -> None:
    panel = load_leaderboard()
    panel.write_csv(tmp_path / "all.csv")
    assert read_panel(tmp_path / "all.csv") == panel


def test_a_csv_file_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LvkitError, match="cannot write"):
        load_leaderboard().write_csv(tmp_path / "none" / "all.csv")


@pytest.mark.parametrize("name", ["all.parquet", "all.PQ"])
@pytest.mark.parametrize("index", [True, False])
def test_a_parquet_file_gives_the_same_panel(tmp_path: Path, name: str, index: bool) -> None:
    frame = load_leaderboard().to_frame()
    path = tmp_path / name
    (frame.set_index("model") if index else frame).to_parquet(path)
    assert read_panel(path) == load_leaderboard()


def test_spreadsheet_habits_are_understood(tmp_path: Path) -> None:
    text = "\ufeff" + GOOD.replace("\n", "\r\n").replace("model,", ' "model" ,') + ",,,,,\r\n\r\n"
    assert read_panel(written(tmp_path, text)) == panel_from_csv(GOOD)


def test_numbers_flags_and_text_of_the_users_own_are_told_apart() -> None:
    head, *rows = GOOD.splitlines()
    more = ["year,open,note,gap", "2023,true,x,", "2024,,7,", "NA,False,z,"]
    text = "\n".join(f"{a},{b}" for a, b in zip([head, *rows], more, strict=True))
    models = panel_from_csv(text).models
    np.testing.assert_equal(models["year"].to_numpy(), [2023.0, 2024.0, np.nan])
    assert str(models["open"].dtype) == "boolean"
    assert models["note"].tolist() == ["x", "7", "z"]
    assert models["gap"].isna().all()


def test_options_reach_the_panel(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD.replace("gsm8k", "chess").replace("family", "clan"))
    panel = read_panel(path, family="clan", benchmarks={"chess": 0.1})
    assert panel.families == ("ant", "bee")
    assert panel.benchmarks.loc["chess", "chance"] == 0.1
    named = read_panel(path, family="from_name", benchmarks={"chess": None})
    assert named.families == ("ant", "bee")
    assert "chess" in named.models


def test_row_numbers_of_pandas_are_left_out_with_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    panel_from_csv(GOOD).to_frame().to_csv(path)
    with pytest.warns(LvkitWarning, match="the first column has no name and holds row numbers"):
        assert read_panel(path) == panel_from_csv(GOOD)
    with pytest.warns(LvkitWarning, match="row numbers"):
        assert Panel.from_frame(pd.read_csv(path)) == panel_from_csv(GOOD)


# -- what is refused: files ----------------------------------------------------------------------


def test_a_missing_file_is_refused_with_the_name_most_like_it(tmp_path: Path) -> None:
    written(tmp_path)
    text = str(refusal(tmp_path / "mien.csv"))
    assert "there is no such file" in text
    assert "Did you mean 'mine.csv'?" in text
    assert "Check the name" in str(refusal(tmp_path / "nowhere" / "mine.csv"))


def test_a_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data.csv").mkdir()
    assert "that is a folder" in str(refusal(tmp_path / "data.csv"))


@pytest.mark.parametrize("name", ["mine.xlsx", "mine", "mine.csv.gz", ".csv"])
def test_an_unknown_kind_of_file_is_refused(tmp_path: Path, name: str) -> None:
    assert "ends in .csv, .parquet or .pq" in str(refusal(written(tmp_path, name=name)))


def test_something_that_is_no_path_is_refused() -> None:
    assert "Panel.from_frame" in str(refusal(pd.DataFrame()))
    assert "cannot be read" in str(refusal("a\0b.csv"))


@pytest.mark.parametrize("content", [b"", b"\n \n", b"\xef\xbb\xbf\n", b",,\n,,\n"])
def test_an_empty_file_is_refused(tmp_path: Path, content: bytes) -> None:
    assert "the file is empty" in str(refusal(written(tmp_path, content)))


def test_a_header_without_rows_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD.splitlines()[0])
    assert "a header and no rows" in str(refusal(path))


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_a_wrong_encoding_is_refused_with_its_line(tmp_path: Path, encoding: str) -> None:
    path = written(tmp_path, GOOD.replace("bee-2b", "béé-2b").encode(encoding))
    text = str(refusal(path))
    assert "is not UTF-8" in text
    assert ("line 4" if encoding == "latin-1" else "line 1") in text


@pytest.mark.parametrize(("mark", "name"), [(";", "semicolons"), ("\t", "tabs")])
def test_other_separators_are_refused(tmp_path: Path, mark: str, name: str) -> None:
    assert f"separated by {name}" in str(refusal(written(tmp_path, GOOD.replace(",", mark))))


def test_rows_longer_or_shorter_than_the_header_are_refused(tmp_path: Path) -> None:
    error = refusal(written(tmp_path, GOOD + "bee,3b,bee,3,1,0.5,0.5\nbee-9b,be"))
    assert [p.seen for p in error.problems] == ["7 cells", "2 cells"]
    assert error.problems[0].where.endswith("mine.csv', row 5")
    many = GOOD.splitlines()[0] + "\n" + "x\n" * 15
    assert "5 more rows of the wrong length" in str(refusal(written(tmp_path, many)))


def test_a_cell_without_an_end_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD + '"' + "x" * 200_000)
    assert "not a CSV file" in str(refusal(path))


@pytest.mark.parametrize("part", [4, 100, -20])
def test_a_truncated_parquet_file_is_refused(tmp_path: Path, part: int) -> None:
    path = tmp_path / "all.parquet"
    load_leaderboard().to_frame().to_parquet(path)
    path.write_bytes(path.read_bytes()[:part])
    assert "not a whole Parquet file" in str(refusal(path))


def test_parquet_without_pyarrow_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "all.parquet"
    load_leaderboard().to_frame().to_parquet(path)
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    assert "lvkit[parquet]" in str(refusal(path))


def test_an_unknown_layout_is_refused(tmp_path: Path) -> None:
    assert "layout: got 'wide'" in str(refusal(written(tmp_path), layout="wide"))


def test_a_folder_that_cannot_be_listed_is_no_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Path) -> Any:
        raise PermissionError("no")

    monkeypatch.setattr(Path, "iterdir", refuse)
    assert "there is no such file" in str(refusal(tmp_path / "mine.csv"))


# -- what is refused: cells ----------------------------------------------------------------------


def test_a_problem_stands_on_the_line_where_its_row_begins(tmp_path: Path) -> None:
    text = GOOD.replace("ant-1b,ant", 'ant-1b,"a\nn\nt"').replace("0.41", "high")
    error = refusal(written(tmp_path, text))
    assert error.problems[0].where == "row 5 (model 'ant-3b'), column 'mmlu'"


def test_rows_of_a_parquet_file_count_from_one(tmp_path: Path) -> None:
    path = tmp_path / "mine.parquet"
    pd.DataFrame(
        {"model": ["a", "b"], "family": "f", "params_b": [1.0, -1.0], "mmlu": 0.5}
    ).to_parquet(path)
    assert refusal(path).problems[0].where == "row 2 (model 'b'), column 'params_b'"


def test_a_column_name_used_twice_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD.replace("gsm8k", "mmlu"))
    assert "column 'mmlu' appears 2 times" in str(refusal(path))


BAD = """model,family,params_b,mmlu,gsm8k
ant-1b,ant,1,0.26,0.02
ant-3b,ant,0,0.41,
ant-3b,ant,3,0.41,
bee-2b,bee,2,,
bee-9b,bee,,many,0.3
"""


def test_unusable_rows_may_be_left_out_with_a_warning_that_lists_them(tmp_path: Path) -> None:
    path = written(tmp_path, BAD)
    assert len(refusal(path).problems) == 5
    assert "drop_invalid=True" in str(refusal(path))
    with pytest.warns(LvkitWarning, match="left out 4 unusable row") as caught:
        panel = read_panel(path, drop_invalid=True)
    assert list(panel.scores.index) == ["ant-1b"]
    text = str(caught[0].message)
    assert "row 3 (model 'ant-3b'): got 0 in column 'params_b'" in text
    assert "row 5 (model 'bee-2b'): the row has no score" in text


def test_many_rows_left_out_are_counted(tmp_path: Path) -> None:
    rows = "".join(f"cat-{i},cat,-1,0.5,0.5\n" for i in range(30))
    report = check_file(written(tmp_path, GOOD.replace("tokens_t", "year") and BAD + rows))
    assert not report.ok
    with pytest.warns(LvkitWarning, match="left out 34 unusable .*; and 24 more"):
        read_panel(tmp_path / "mine.csv", drop_invalid=True)


def test_a_file_of_unusable_rows_only_is_refused(tmp_path: Path) -> None:
    text = "model,family,params_b,mmlu\na,f,0,0.5\nb,f,,0.5\n"
    assert len(refusal(written(tmp_path, text), drop_invalid=True).problems) == 2


def test_a_wrong_column_is_refused_even_so(tmp_path: Path) -> None:
    path = written(tmp_path, BAD.replace("0.26", "26").replace("0.41", "41"))
    assert "Divide the column by 100" in str(refusal(path, drop_invalid=True))


def test_a_benchmark_without_a_chance_level_is_told_by_its_name(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD.replace("gsm8k", "chess"))
    with pytest.warns(LvkitWarning, match="mine.csv: column 'chess': numbers from 0") as caught:
        panel = read_panel(path)
    assert "chess" in panel.models
    assert len(caught) == 1
    assert caught[0].filename == __file__


@pytest.mark.parametrize("chance", [0.0, None])
def test_a_column_the_user_spoke_of_gives_no_warning(tmp_path: Path, chance: Any) -> None:
    path = written(tmp_path, GOOD.replace("gsm8k", "chess"))
    panel = read_panel(path, benchmarks={"chess": chance})
    assert ("chess" in panel.scores) is (chance is not None)


def test_sizes_in_raw_counts_are_refused_with_their_place(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD.replace("ant-3b,ant,3,1", "ant-3b,ant,3e9,2e13"))
    size, tokens = refusal(path).problems
    assert size.where == "row 3 (model 'ant-3b'), column 'params_b'"
    assert size.seen == "got 3e+09"
    assert "params_b is in billions, so divide by 1e9" in size.remedy
    assert "tokens_t is in trillions, so divide by 1e12" in tokens.remedy


def test_a_good_file_gives_no_warning(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_panel(written(tmp_path), drop_invalid=True).n_models == 3


# -- check_file ----------------------------------------------------------------------------------


def test_the_report_on_a_good_file_holds_its_panel(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD.replace("gsm8k", "chess"))
    report = check_file(path)
    assert report.ok
    assert report.path == os.fspath(path)
    assert isinstance(report.panel, Panel)
    assert report.problems == ()
    text = "\n".join(report.notes)
    assert "1 model without tokens_t" in text
    assert "columns that are features, not scores: chess" in text
    assert "column 'chess': numbers from 0 to 1 but no chance level" in text
    assert "benchmarks={'chess': 0.25}" in text


def test_the_report_on_a_file_without_tokens_says_what_to_do(tmp_path: Path) -> None:
    report = check_file(written(tmp_path, "model,family,params_b,mmlu\na,f,1,0.5\n"))
    assert report.notes == ("no column tokens_t: fit with features='log_params'",)


def test_the_report_on_a_file_with_nothing_to_remark_has_no_notes(tmp_path: Path) -> None:
    report = check_file(written(tmp_path, "model,family,params_b,tokens_t,mmlu\na,f,1,1,0.5\n"))
    assert report.ok
    assert report.notes == ()


def test_the_report_on_a_bad_file_holds_its_problems(tmp_path: Path) -> None:
    report = check_file(written(tmp_path, BAD))
    assert not report.ok
    assert report.panel is None
    assert len(report.problems) == 5
    assert not check_file(tmp_path / "none.csv").ok


def test_the_report_tells_what_was_left_out(tmp_path: Path) -> None:
    report = check_file(written(tmp_path, BAD), drop_invalid=True)
    assert report.ok
    assert report.notes[0].startswith("left out 4 unusable rows")


def test_an_upload_is_checked_as_the_file_is(tmp_path: Path) -> None:
    for name in ("all.csv", "all.parquet"):
        path = tmp_path / name
        frame = load_leaderboard().to_frame()
        frame.to_csv(path, index=False) if name == "all.csv" else frame.to_parquet(path)
        there, here = check_file(path), check_file(name, content=path.read_bytes())
        assert here.panel == there.panel
        assert here.notes == there.notes


def test_an_upload_that_is_wrong_is_told_by_its_name(tmp_path: Path) -> None:
    there = check_file(written(tmp_path, BAD)).problems
    here = check_file("mine.csv", content=BAD.encode()).problems
    assert [p.seen for p in here] == [p.seen for p in there]
    assert [p.where for p in here] == [p.where for p in there]
    (empty,) = check_file("mine.csv", content=b" ").problems
    assert str(empty) == "'mine.csv': the file is empty; expected a header and rows."
    assert not check_file("mine.xlsx", content=b"PK").ok


def test_a_panel_is_reported_on_as_its_file_is(tmp_path: Path) -> None:
    report = check_file(written(tmp_path))
    assert report.panel is not None
    assert check_panel(report.panel, report.path) == report


def test_a_report_shows_itself_with_names_escaped(tmp_path: Path) -> None:
    rows = "model,family,params_b,mmlu,<i>\na,<b>,1,0.5,x\n"
    good = check_file("<u>.csv", content=rows.encode())._repr_html_()
    for part in ("&lt;u&gt;.csv", "&lt;b&gt;", "&lt;i&gt;", "no column tokens_t"):
        assert part in good
    bad = check_file("mine.csv", content=rows.replace("0.5", "<s>").encode())._repr_html_()
    assert "mine.csv holds no panel:</p><ol><li>row 2 " in bad
    assert "&lt;s&gt;" in bad


# -- the panel of a command ---------------------------------------------------------------------


def test_without_a_file_the_embedded_panel_is_opened(leaderboard: Panel) -> None:
    assert open_panel() == leaderboard


def test_families_without_a_file_are_refused() -> None:
    with pytest.raises(LvkitError, match="no file that they speak of. Give the file"):
        open_panel(family="from_name")


def test_a_users_file_is_opened(small_file: Path) -> None:
    assert open_panel(str(small_file)) == read_panel(small_file)


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
    report = check_file(data, family="from_name", benchmarks=known)
    assert [problem.seen for problem in report.problems] == ["got -2"]
    assert check_file(data, family="from_name", benchmarks=known, drop_invalid=True).ok


def test_what_is_left_empty_is_not_given(small_file: Path) -> None:
    assert open_panel(small_file, family="", benchmarks="") == open_panel(small_file)
    assert open_panel("", family="", benchmarks="") == open_panel()


def test_unusable_rows_may_be_left_out(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("model,family,params_b,mmlu\na-1b,a,-1,0.3\na-2b,a,2,0.4\n")
    with pytest.warns(LvkitWarning, match="left out 1 unusable row"):
        assert open_panel(path, drop_invalid=True).n_models == 1


def test_only_complete_models_may_be_kept(tmp_path: Path, leaderboard: Panel) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("model,family,params_b,mmlu,bbh\na-1b,a,1,0.3,\na-2b,a,2,0.4,0.5\n")
    assert open_panel(path, complete=True).n_models == 1
    assert open_panel(complete=True) == leaderboard.complete()
