from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lvkit.data.leaderboard_export import is_export, name_from_link
from lvkit.data.panel import Panel
from lvkit.data.read import check_file, read_panel
from lvkit.errors import LvkitError, LvkitWarning

# What is converted is noted, which most tests here do not look at.
pytestmark = pytest.mark.filterwarnings("ignore:.*(in percent|rescaled):lvkit.errors.LvkitWarning")

RAW = {
    "IFEval": [0.28, 0.61, 0.4],
    "BBH": [0.6, 0.61, 0.5],
    "MATH Lvl 5": [0.14, 0.23, 0.0],
    "GPQA": [0.37, 0.36, 0.28],
    "MUSR": [0.42, 0.43, 0.4],
    "MMLU-PRO": [0.47, 0.45, 0.3],
}
NAMES = ["zero/yi-34b", "zero/yi-34b-chat", "org/bee-7b"]


def link(name: str) -> str:
    return (
        f'<a target="_blank" href="https://huggingface.co/{name}" style="color: red;">{name}</a>'
        f'  <a target="_blank" href="https://huggingface.co/details/{name}">📑</a>'
    )


def version_2(**changes: Any) -> pd.DataFrame:
    """Three models as the second leaderboard exports them."""
    columns: dict[str, Any] = {
        "eval_name": [name.replace("/", "_") + "_bfloat16" for name in NAMES],
        "Precision": ["bfloat16", "bfloat16", "float16"],
        "Type": ["🟢 pretrained", "💬 chat models", "🟢 pretrained"],
        "T": ["🟢", "💬", "🟢"],
        "Architecture": ["LlamaForCausalLM"] * 3,
        "Model": [link(name) for name in NAMES],
        "fullname": NAMES,
        "Average ⬆️": [21.0, 33.0, 12.0],
    }
    for name, scores in RAW.items():
        columns[f"{name} Raw"] = scores
        columns[name] = [round(100 * score, 2) for score in scores]
    columns |= {
        "Available on the hub": [True, True, False],
        "#Params (B)": [34.389, 34.389, 7.1],
        "Submission Date": ["2024-06-12", "2024-06-12", "2024-07-01"],
        "Generation": [0, 1, 0],
        "Base Model": ["zero/yi-34b", "zero/yi-34b", "org/bee-7b"],
    }
    columns |= changes
    return pd.DataFrame({name: cells for name, cells in columns.items() if cells is not None})


def version_1(**changes: Any) -> pd.DataFrame:
    """Two models as the first leaderboard exports them."""
    columns: dict[str, Any] = {
        "T": ["🟢", "🟢"],
        "Model": [link("org/ant-1b"), link("org/ant-3b")],
        "Average ⬆️": [30.0, 40.0],
        "ARC": [31.25, 40.5],
        "HellaSwag": [60.0, 70.0],
        "MMLU": [26.01, 41.9],
        "TruthfulQA": [38.0, 39.0],
        "Winogrande": [60.0, 65.0],
        "GSM8K": [0.08, 5.0],
        "#Params (B)": [1.0, 3.0],
        "Precision": ["torch.float16"] * 2,
    }
    columns |= changes
    return pd.DataFrame({name: cells for name, cells in columns.items() if cells is not None})


def read(folder: Path, frame: pd.DataFrame, **options: Any) -> Panel:
    path = folder / "export.csv"
    frame.to_csv(path, index=False)
    return read_panel(path, **{"family": "from_name", **options})


def refusal(folder: Path, frame: pd.DataFrame, **options: Any) -> LvkitError:
    with pytest.raises(LvkitError) as caught:
        read(folder, frame, **options)
    return caught.value


def test_raw_columns_are_preferred(tmp_path: Path) -> None:
    panel = read(tmp_path, version_2())
    assert list(panel.scores) == ["ifeval", "bbh", "math_lvl5", "gpqa", "musr", "mmlu_pro"]
    np.testing.assert_array_equal(panel.scores.to_numpy(), np.column_stack(list(RAW.values())))
    assert list(panel.scores.index) == NAMES
    assert panel.models["params_b"].tolist() == [34.389, 34.389, 7.1]


def test_other_columns_come_along_as_features(tmp_path: Path) -> None:
    models = read(tmp_path, version_2()).models
    assert models["Available on the hub"].tolist() == [True, True, False]
    assert models["Generation"].tolist() == [0.0, 1.0, 0.0]
    assert {"Type", "Architecture", "Precision", "Base Model"} <= set(models)
    assert not {"Model", "fullname", "T", "eval_name", "BBH", "Average ⬆️"} & set(models)


def test_families_come_from_the_name_a_column_or_a_mapping(tmp_path: Path) -> None:
    frame = version_2()
    assert read(tmp_path, frame).families == ("zero/yi", "zero/yi-chat", "org/bee")
    assert read(tmp_path, frame, family="Base Model").families == ("zero/yi-34b", "org/bee-7b")
    mapping = dict(zip(NAMES, "aab", strict=True))
    assert read(tmp_path, frame, family=mapping).families == ("a", "b")
    assert 'family="from_name"' in str(refusal(tmp_path, frame, family=None))


def test_names_come_out_of_links(tmp_path: Path) -> None:
    assert list(read(tmp_path, version_2(fullname=None)).scores.index) == NAMES


@pytest.mark.parametrize(
    ("cell", "name"),
    [
        (link("a/b"), "a/b"),
        ("<A HREF='x'><b>a/b</b></A>", "a/b"),
        ("a/b", "a/b"),
        ("<p>a &amp; b</p>", "a & b"),
        ("a < b", "a < b"),
    ],
)
def test_a_name_is_the_text_of_the_first_link(cell: str, name: str) -> None:
    assert name_from_link(cell) == name


def test_version_1_is_in_percent(tmp_path: Path) -> None:
    panel = read(tmp_path, version_1())
    assert list(panel.scores) == ["arc", "hellaswag", "mmlu", "truthfulqa", "winogrande", "gsm8k"]
    np.testing.assert_allclose(panel.scores["gsm8k"], [0.0008, 0.05])
    np.testing.assert_allclose(panel.scores["mmlu"], [0.2601, 0.419])
    assert list(panel.scores.index) == ["org/ant-1b", "org/ant-3b"]


def test_version_1_in_fractions_stays_so(tmp_path: Path) -> None:
    frame = version_1()
    scores = ["ARC", "HellaSwag", "MMLU", "TruthfulQA", "Winogrande", "GSM8K"]
    frame[scores] = (frame[scores] / 100).round(6)
    np.testing.assert_allclose(read(tmp_path, frame).scores["mmlu"], [0.2601, 0.419])


def test_a_parquet_export_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "export.parquet"
    version_2().to_parquet(path)
    assert read_panel(path, family="from_name").n_scores == 18


def rescaled(**changes: Any) -> pd.DataFrame:
    """An export without Raw columns and without the two that cannot be undone."""
    lost: dict[str, Any] = {f"{name} Raw": None for name in RAW}
    zero = {"GPQA": 0.25, "MMLU-PRO": 0.1}
    for name in zero:
        lost[name] = [100 * (y - zero[name]) / (1 - zero[name]) for y in RAW[name]]
    return version_2(**(lost | {"BBH": None, "MUSR": None} | changes))


def test_rescaled_percentages_are_undone_where_that_is_exact(tmp_path: Path) -> None:
    panel = read(tmp_path, rescaled())
    for column, benchmark in {
        "IFEval": "ifeval",
        "MATH Lvl 5": "math_lvl5",
        "GPQA": "gpqa",
        "MMLU-PRO": "mmlu_pro",
    }.items():
        np.testing.assert_allclose(panel.scores[benchmark], RAW[column])


def test_rescaled_percentages_that_cannot_be_undone_are_refused(tmp_path: Path) -> None:
    error = refusal(tmp_path, rescaled(BBH=[40.0, 41.0, 30.0], MUSR=[1.0, 2.0, 3.0]))
    assert len(error.problems) == 2
    assert "'BBH Raw'" in str(error)
    assert "delete the column 'MUSR'" in str(error)


def test_a_rescaled_zero_is_refused_in_its_place(tmp_path: Path) -> None:
    error = refusal(tmp_path, rescaled(GPQA=[10.0, 0.0, 2.0]))
    assert error.problems[0].where == "row 3 (model 'zero/yi-34b-chat'), column 'GPQA'"
    assert "any raw score up to 0.25" in str(error)


def test_a_wrong_cell_is_told_under_the_names_of_the_export(tmp_path: Path) -> None:
    frame = version_2(**{"MMLU-PRO Raw": [0.47, "?", 1.3], "#Params (B)": [34.0, 0, -1]})
    error = refusal(tmp_path, frame)
    assert [p.where.split(", ")[1] for p in error.problems] == [
        "column 'MMLU-PRO Raw'",
        "column 'MMLU-PRO Raw'",
        "column '#Params (B)'",
        "column '#Params (B)'",
    ]
    percent = refusal(tmp_path, version_1(ARC=[31.0, 140.0]))
    assert "got 140" in str(percent)


def test_unknown_sizes_may_be_left_out(tmp_path: Path) -> None:
    frame = version_2(**{"#Params (B)": [34.0, 0, -1]})
    with pytest.warns(LvkitWarning, match="left out 2 unusable row"):
        panel = read(tmp_path, frame, drop_invalid=True)
    assert list(panel.scores.index) == NAMES[:1]


def test_of_several_evaluations_the_most_precise_and_then_the_last_stays(tmp_path: Path) -> None:
    frame = pd.concat([version_2()] * 4, ignore_index=True)
    frame["Precision"] = ["bfloat16"] * 3 + ["4bit"] * 3 + ["float16"] * 3 + ["8bit"] * 3
    frame["Submission Date"] = ["2024-06-01"] * 3 + ["2024-09-01"] * 3 + ["2024-07-01"] * 6
    frame["IFEval Raw"] = np.arange(12) / 20
    with pytest.warns(LvkitWarning, match=r"left out 9 further rows of 3 models") as caught:
        panel = read(tmp_path, frame)
    assert panel.scores["ifeval"].tolist() == [0.3, 0.35, 0.4]
    assert "zero/yi-34b" in str(caught[0].message)


def test_without_dates_the_last_row_stays(tmp_path: Path) -> None:
    frame = pd.concat([version_1(), version_1(ARC=[50.0, 51.0])]).drop(columns="Precision")
    frame.to_csv(tmp_path / "export.csv", index=False)
    report = check_file(tmp_path / "export.csv", family="from_name")
    assert report.panel is not None
    assert report.panel.scores["arc"].tolist() == [0.5, 0.51]
    assert report.notes[0].startswith("left out 2 further rows")


def test_rows_keep_their_lines_when_others_are_left_out(tmp_path: Path) -> None:
    frame = pd.concat([version_1(), version_1()], ignore_index=True)
    frame.loc[3, "#Params (B)"] = 0
    assert refusal(tmp_path, frame).problems[0].where.startswith("row 5 (model 'org/ant-3b')")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fullname": None, "Model": None}, "no column with the model's name"),
        ({"#Params (B)": None}, "no column '#Params (B)'"),
        ({k: None for n in RAW for k in (n, f"{n} Raw")}, "no scores"),
        ({"fullname": ["a", None, "c"]}, "got no name"),
    ],
)
def test_an_export_without_what_is_needed_is_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    assert message in str(refusal(tmp_path, version_2(**changes), layout="leaderboard"))


def test_a_repeated_column_is_refused(tmp_path: Path) -> None:
    frame = version_2()
    assert "appears 2 times" in str(refusal(tmp_path, pd.concat([frame, frame[["BBH"]]], axis=1)))


def test_the_layout_may_be_forced(tmp_path: Path) -> None:
    assert "no column 'model'" in str(refusal(tmp_path, version_2(), layout="lvkit"))
    frame = version_1().rename(columns={"#Params (B)": "#Params"})
    assert read(tmp_path, frame, layout="leaderboard").n_models == 2


@pytest.mark.parametrize(
    ("columns", "answer"),
    [
        (["Model", "#Params (B)", "ARC"], True),
        (["fullname", "BBH"], True),
        (["BBH Raw"], True),
        (["model", "params_b", "mmlu"], False),
        (["model", "params_b", "fullname"], False),
        (["Model", "params", "MMLU"], False),
    ],
)
def test_an_export_is_known_by_its_columns(columns: list[str], answer: bool) -> None:
    assert is_export(columns) is answer


def test_an_export_with_nothing_to_say_gives_no_warning(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read(tmp_path, version_2()).n_models == 3


def in_fractions(**changes: Any) -> pd.DataFrame:
    """Raw fractions under the headers of rescaled percentages, as in public copies."""
    lost: dict[str, Any] = {f"{name} Raw": None for name in RAW}
    return version_2(**(lost | RAW | changes))


def notes(folder: Path, frame: pd.DataFrame) -> tuple[str, ...]:
    frame.to_csv(folder / "export.csv", index=False)
    report = check_file(folder / "export.csv", family="from_name")
    assert report.panel is not None
    return tuple(note for note in report.notes if "percent" in note or "rescaled" in note)


def test_raw_fractions_under_the_boards_headers_are_read_as_they_are(tmp_path: Path) -> None:
    panel = read(tmp_path, in_fractions())
    np.testing.assert_array_equal(panel.scores.to_numpy(), np.column_stack(list(RAW.values())))
    assert notes(tmp_path, in_fractions()) == ()


def test_what_is_converted_is_noted_in_one_line(tmp_path: Path) -> None:
    assert notes(tmp_path, rescaled()) == (
        "in percent, divided by 100: 'IFEval', 'MATH Lvl 5'; "
        "rescaled percentages, read as raw scores: 'GPQA', 'MMLU-PRO'",
    )
    (note,) = notes(tmp_path, version_1())
    assert note.startswith("in percent, divided by 100: 'ARC', 'HellaSwag', 'MMLU'")
    assert notes(tmp_path, version_2()) == ()


def test_raw_percentages_are_not_undone_but_asked_about(tmp_path: Path) -> None:
    raw = {name: [100 * score for score in scores] for name, scores in RAW.items()}
    error = refusal(tmp_path, in_fractions(**raw))
    columns = ["BBH", "GPQA", "MUSR", "MMLU-PRO"]
    assert [p.where for p in error.problems] == [f"column '{name}'" for name in columns]
    gpqa = error.problems[1].remedy
    assert "raw, divide them by 100 and name the column 'GPQA Raw'" in gpqa
    assert "rescaled, the raw score is 0.25 + 0.75 * score / 100" in gpqa
    assert "delete the column 'BBH'" in error.problems[0].remedy


def test_rescaled_fractions_are_not_taken_for_raw_ones(tmp_path: Path) -> None:
    scores = {"GPQA": [0.16, 0.147, 0.04], "BBH": None, "MUSR": None}
    error = refusal(tmp_path, in_fractions(**scores))
    assert [p.where for p in error.problems] == ["column 'GPQA'", "column 'MMLU-PRO'"]
    assert "0.25 + 0.75 * score: " in error.problems[0].remedy


def test_a_hard_benchmark_of_a_board_in_percent_is_in_percent(tmp_path: Path) -> None:
    frame = version_1(GSM8K=[0.08, 0.9])
    np.testing.assert_allclose(read(tmp_path, frame).scores["gsm8k"], [0.0008, 0.009])
    assert "'GSM8K'" in notes(tmp_path, frame)[0]
    gpqa = refusal(tmp_path, rescaled(GPQA=[0.3, 0.9, 0.4])).problems[0]
    assert gpqa.where == "column 'GPQA'"  # 0.3 may be raw, or a third of a percent
    assert "score / 100" in gpqa.remedy


def test_one_wrong_cell_does_not_change_the_unit_of_a_board(tmp_path: Path) -> None:
    frame = version_1()
    scores = ["ARC", "HellaSwag", "MMLU", "TruthfulQA", "Winogrande", "GSM8K"]
    frame[scores] = (frame[scores] / 100).round(6)
    frame = pd.concat([frame] * 3, ignore_index=True)
    frame["Model"] = [f"org/ant{i}-1b" for i in range(6)]
    frame.loc[2, "MMLU"] = 41.0
    error = refusal(tmp_path, frame)
    assert [p.where for p in error.problems] == ["row 4 (model 'org/ant2-1b'), column 'MMLU'"]


def test_rounding_errors_in_an_export_are_undone(tmp_path: Path) -> None:
    panel = read(tmp_path, version_1(ARC=[31.0, 100.00000000000001], GSM8K=[-1e-15, 5.0]))
    assert panel.scores["arc"].tolist() == [0.31, 1.0]
    assert panel.scores["gsm8k"].tolist() == [0.0, 0.05]
    assert read(tmp_path, in_fractions(IFEval=[1.0000000000000002, 0.6, 0.4])).n_models == 3
