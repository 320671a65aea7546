from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lvkit.data.panel import Panel
from lvkit.data.read import load_leaderboard
from lvkit.errors import LvkitError, LvkitWarning


def table(**changes: Any) -> pd.DataFrame:
    """Four models of two families; None takes a column away."""
    columns: dict[str, Any] = {
        "model": ["ant-1b", "ant-3b", "bee-2b", "bee-9b"],
        "family": ["ant", "ant", "bee", "bee"],
        "params_b": [1.0, 3.0, 2.0, 9.0],
        "tokens_t": [1.0, 1.0, 2.0, None],
        "mmlu": [0.26, 0.41, 0.35, 0.6],
        "gsm8k": [0.02, None, 0.1, 0.5],
    }
    columns |= changes
    return pd.DataFrame({name: cells for name, cells in columns.items() if cells is not None})


def refusal(frame: pd.DataFrame, **options: Any) -> LvkitError:
    with pytest.raises(LvkitError) as caught:
        Panel.from_frame(frame, **options)
    return caught.value


# -- what a panel holds --------------------------------------------------------------------------


def test_a_panel_says_what_it_holds() -> None:
    panel = Panel.from_frame(table())
    assert (panel.n_models, panel.n_families, panel.n_benchmarks, panel.n_scores) == (4, 2, 2, 7)
    assert panel.families == ("ant", "bee")
    assert repr(panel) == "<Panel: 4 models in 2 families, 2 benchmarks, 7 scores>"


def test_scores_are_models_by_benchmarks_with_gaps() -> None:
    scores = Panel.from_frame(table()).scores
    assert scores.index.name == "model"
    assert scores.columns.name == "benchmark"
    assert list(scores.dtypes.unique()) == [np.dtype(float)]
    assert np.isnan(scores.loc["ant-3b", "gsm8k"])


def test_models_and_benchmarks_are_described() -> None:
    panel = Panel.from_frame(table(note=["x", "y", None, "z"]))
    assert list(panel.models) == ["family", "lineage", "params_b", "tokens_t", "note"]
    assert list(panel.benchmarks) == ["label", "chance", "n_items", "leaderboard", "what"]
    assert panel.benchmarks.index.name == "benchmark"
    assert panel.benchmarks.loc["gsm8k", "label"] == "GSM8K"


def test_rows_and_benchmarks_keep_the_order_of_the_table() -> None:
    frame = table()[["gsm8k", "params_b", "model", "mmlu", "family"]].iloc[::-1]
    panel = Panel.from_frame(frame)
    assert list(panel.scores.columns) == ["gsm8k", "mmlu"]
    assert list(panel.scores.index) == ["bee-9b", "bee-2b", "ant-3b", "ant-1b"]


def test_the_model_may_be_the_index() -> None:
    assert Panel.from_frame(table().set_index("model")) == Panel.from_frame(table())


def test_lineage_is_the_family_where_it_is_not_given() -> None:
    panel = Panel.from_frame(table(lineage=["ant", None, "hive", "hive"]))
    assert list(panel.models["lineage"]) == ["ant", "ant", "hive", "hive"]
    assert list(Panel.from_frame(table()).models["lineage"]) == ["ant", "ant", "bee", "bee"]


def test_a_panel_without_tokens_has_no_such_column() -> None:
    assert "tokens_t" not in Panel.from_frame(table(tokens_t=None)).models


def test_scores_of_exactly_zero_and_one_are_scores() -> None:
    with pytest.warns(LvkitWarning, match=r"0 in 'mmlu' \(rows 2, 4\), where guessing gives 0.25"):
        panel = Panel.from_frame(table(mmlu=[0, 1, 0.0, 1.0]))
    assert panel.scores["mmlu"].tolist() == [0.0, 1.0, 0.0, 1.0]


def test_one_family_and_a_constant_benchmark_are_a_panel() -> None:
    assert Panel.from_frame(table(family="ant", mmlu=0.5)).n_families == 1


def test_instruct_may_be_written_out_and_may_have_gaps() -> None:
    whole = Panel.from_frame(table(instruct=["true", "False", "TRUE", 0])).models["instruct"]
    assert whole.tolist() == [True, False, True, False]
    assert whole.dtype == bool
    gaps = Panel.from_frame(table(instruct=["true", None, "", True])).models["instruct"]
    assert str(gaps.dtype) == "boolean"
    assert gaps.isna().tolist() == [False, True, True, False]


def test_numbers_written_as_text_and_blanks_of_every_kind_are_read() -> None:
    cells = [" 0.26", "NA", "nan", "6e-1 "]
    panel = Panel.from_frame(table(mmlu=cells, gsm8k=[pd.NA, 0.1, 0.1, None]))
    np.testing.assert_equal(panel.scores["mmlu"].to_numpy(), [0.26, np.nan, np.nan, 0.6])
    assert panel.scores["gsm8k"].isna().sum() == 2


def test_names_are_stripped_of_blanks() -> None:
    frame = table(model=[" ant-1b ", "ant-3b", "bee-2b", "bee-9b"], family=[" ant", *"xyz"])
    frame = frame.rename(columns={"mmlu": " mmlu "})
    panel = Panel.from_frame(frame)
    assert panel.scores.index[0] == "ant-1b"
    assert panel.families[0] == "ant"
    assert "mmlu" in panel.scores


def test_numbers_serve_as_names() -> None:
    assert list(Panel.from_frame(table(model=[1, 2, 3, 4])).scores.index) == ["1", "2", "3", "4"]


# -- where families come from --------------------------------------------------------------------


def test_no_family_is_refused_with_the_three_remedies() -> None:
    error = refusal(table(family=None))
    assert "no column 'family'" in str(error)
    for remedy in ('family="from_name"', "family={model: family}", "another column"):
        assert remedy in str(error)


FAMILIES = {"ant-1b": "a", "ant-3b": "a", "bee-2b": "b", "bee-9b": "b"}


@pytest.mark.parametrize(
    ("family", "expected"),
    [
        ("from_name", ("ant", "bee")),
        (FAMILIES, ("a", "b")),
        (lambda name: name[:1], ("a", "b")),
        ("recipe", ("u", "v")),
    ],
)
def test_families_come_from_a_rule_a_mapping_a_function_or_a_column(
    family: Any, expected: tuple[str, ...]
) -> None:
    frame = table(family=None, recipe=["u", "u", "v", "v"])
    assert Panel.from_frame(frame, family=family).families == expected


def test_a_mapping_goes_before_the_column() -> None:
    assert Panel.from_frame(table(), family=FAMILIES).families == ("a", "b")


def test_a_model_the_mapping_forgets_is_named() -> None:
    error = refusal(table(), family={"ant-1b": "a"})
    assert len(error.problems) == 3
    assert "row 3 (model 'ant-3b')" in str(error)


def test_an_unknown_family_column_is_refused() -> None:
    assert "Did you mean 'recipe'?" in str(refusal(table(recipe=list("uuvv")), family="recip"))


def test_something_else_as_family_is_refused() -> None:
    assert "got a int" in str(refusal(table(), family=3))


def test_a_blank_family_is_refused() -> None:
    error = refusal(table(family=["ant", " ", "bee", None]))
    assert [p.where for p in error.problems] == [
        "row 3 (model 'ant-3b'), column 'family'",
        "row 5 (model 'bee-9b'), column 'family'",
    ]


# -- benchmarks lvkit does not know --------------------------------------------------------------


def test_an_unknown_benchmark_needs_its_chance_level() -> None:
    frame = table(chess=[0.1, 0.2, 0.3, 0.4])
    with pytest.warns(LvkitWarning, match="^column 'chess': numbers from 0 to 1") as caught:
        assert "chess" not in Panel.from_frame(frame).scores
    assert caught[0].filename == __file__
    panel = Panel.from_frame(frame, benchmarks={"chess": 0.05})
    assert panel.benchmarks.loc["chess", "chance"] == 0.05
    assert panel.benchmarks.loc["chess", "label"] == "chess"
    assert np.isnan(panel.benchmarks.loc["chess", "n_items"])


def test_a_column_is_a_feature_without_a_warning_if_the_user_says_so() -> None:
    panel = Panel.from_frame(table(chess=[0.1, 0.2, 0.3, 0.4]), benchmarks={"chess": None})
    assert panel.models["chess"].tolist() == [0.1, 0.2, 0.3, 0.4]


def test_a_table_of_benchmarks_may_say_more_and_override() -> None:
    said = pd.DataFrame(
        {"benchmark": ["chess", "mmlu"], "chance": [0.0, 0.3], "label": ["Chess", None]}
    )
    panel = Panel.from_frame(table(chess=[0.1, 0.2, 0.3, 0.4]), benchmarks=said)
    assert panel.benchmarks.loc["chess", "label"] == "Chess"
    assert panel.benchmarks.loc["mmlu", ["label", "chance"]].tolist() == ["MMLU", 0.3]
    assert panel.benchmarks.loc["mmlu", "n_items"] == 14042


@pytest.mark.parametrize("chance", [-0.1, 1.0, float("nan"), "half", float("inf")])
def test_an_impossible_chance_level_is_refused(chance: Any) -> None:
    error = refusal(table(chess=0.5), benchmarks={"chess": chance})
    assert "benchmarks, 'chess'" in str(error)
    assert "1/choices" in str(error)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"ches": 0.0}, "Did you mean 'chess'?"),
        (pd.DataFrame({"benchmark": ["chess"]}), "no column 'chance'"),
        (pd.DataFrame({"benchmark": ["chess"] * 2, "chance": 0.0}), "listed 2 times"),
        (pd.DataFrame({"benchmark": ["chess"], "chance": 0.0, "n_items": -1}), "n_items -1"),
        (["chess"], "got a list"),
    ],
)
def test_a_wrong_description_of_benchmarks_is_refused(said: Any, message: str) -> None:
    assert message in str(refusal(table(chess=0.5), benchmarks=said))


# -- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize("column", ["model", "params_b"])
def test_a_missing_column_is_refused(column: str) -> None:
    assert f"no column '{column}'" in str(refusal(table(**{column: None})))


def test_a_column_under_another_name_is_suggested() -> None:
    error = refusal(table().rename(columns={"params_b": "params"}))
    assert "Did you mean 'params'?" in str(error)


@pytest.mark.parametrize(
    ("seen", "meant"),
    [
        ("MMLU", "mmlu"),
        ("mmlu-pro", "mmlu_pro"),
        ("hellaswg", "hellaswag"),
        ("tokens", "tokens_t"),
        ("Lineage", "lineage"),
    ],
)
def test_a_misspelt_column_is_refused_with_the_name_that_was_meant(seen: str, meant: str) -> None:
    frame = table(mmlu=None, tokens_t=None, gsm8k=0.5, **{seen: 0.5})
    error = refusal(frame)
    assert f"'{seen}'" in str(error)
    assert f"Did you mean '{meant}'?" in str(error)


def test_a_benchmark_with_some_text_in_it_is_still_seen_as_misspelt() -> None:
    assert "hellaswag" in str(refusal(table(hellaswg=[0.5, "oops", 0.6, None])))


def test_a_text_column_with_a_name_like_a_benchmark_is_a_feature() -> None:
    assert "arch" in Panel.from_frame(table(arch=["moe", "dense", "dense", "moe"])).models


@pytest.mark.parametrize("name", ["mmlu", "model", "family", "note"])
def test_a_repeated_column_is_refused(name: str) -> None:
    frame = table(note=1.0)
    error = refusal(pd.concat([frame, frame[[name]]], axis=1))
    assert f"column '{name}' appears 2 times" in str(error)


def test_a_column_without_a_name_is_refused() -> None:
    assert "without a name" in str(refusal(table().rename(columns={"mmlu": " "})))


def test_names_that_lvkit_computes_are_refused() -> None:
    assert "column 'log_params' has a name that lvkit gives" in str(refusal(table(log_params=1.0)))


def test_a_table_without_benchmarks_is_refused() -> None:
    error = refusal(table(mmlu=None, gsm8k=None))
    assert "no benchmark among the columns" in str(error)
    assert "benchmarks={'name': 0.25}" in str(error)


def test_a_table_without_rows_is_refused() -> None:
    assert "a header and no rows" in str(refusal(table().iloc[:0]))


def test_something_else_than_a_table_is_refused() -> None:
    assert "got a dict; expected a pandas DataFrame" in str(refusal({}))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("column", "cell", "message"),
    [
        ("mmlu", "good", "got 'good'"),
        ("mmlu", "0,41", "Write decimals with a point"),
        ("mmlu", "41%", "Write fractions, not percent"),
        ("mmlu", True, "got True"),
        ("mmlu", "1_0", "got '1_0'"),
        ("mmlu", "x" * 90, "...;"),
        ("mmlu", 41.0, "If it is in percent, divide it by 100"),
        ("mmlu", 1.2, "got 1.2"),
        ("mmlu", -0.1, "got -0.1"),
        ("mmlu", 400, "got 400"),
        ("mmlu", np.inf, "got inf"),
        ("mmlu", "-inf", "got -inf"),
        ("params_b", -3.0, "got -3"),
        ("params_b", 0, "got 0"),
        ("params_b", np.inf, "got inf"),
        ("params_b", None, "got no size"),
        ("params_b", "big", "got 'big'"),
        ("tokens_t", -1, "leave it blank if unknown"),
        ("tokens_t", 0.0, "got 0"),
        ("tokens_t", np.inf, "got inf"),
        ("tokens_t", "many", "got 'many'"),
        ("instruct", "perhaps", "true or false"),
        ("dose", np.inf, "a finite number"),
    ],
)
def test_a_wrong_cell_is_refused_with_its_row_model_and_column(
    column: str, cell: Any, message: str
) -> None:
    frame = table(instruct=[True, False, True, False], dose=[1.0, 2.0, 3.0, 4.0])
    if column != "dose":
        frame = frame.astype({column: object})
    frame.loc[1, column] = cell
    error = refusal(frame)
    assert len(error.problems) == 1
    assert error.problems[0].where == f"row 3 (model 'ant-3b'), column '{column}'"
    assert message in str(error)


def test_a_column_in_percent_is_refused_once_with_the_remedy() -> None:
    error = refusal(table(mmlu=[26.0, 41.0, 35.0, 60.0]))
    (problem,) = (p for p in error.problems if p.where == "column 'mmlu'")
    assert problem.remedy == "Divide the column by 100."


def test_percent_mixed_with_fractions_is_refused_for_the_whole_column() -> None:
    (problem,) = refusal(table(mmlu=[26.0, 0.41, 0.35, 60.0])).problems
    assert problem.where == "column 'mmlu'"
    assert "divide the whole column by 100" in problem.remedy
    assert "row 2 (model 'ant-1b'), row 5" in problem.remedy


def test_blank_and_repeated_names_are_refused() -> None:
    error = refusal(table(model=["ant-1b", " ", "ant-1b ", None]))
    assert [str(p).split(";")[0] for p in error.problems] == [
        "row 3, column 'model': got no name",
        "row 5, column 'model': got no name",
        "row 4 (model 'ant-1b'), column 'model': named already in row 2",
    ]


def test_a_row_and_a_column_without_a_score_are_refused() -> None:
    error = refusal(table(mmlu=[None, 0.4, 0.5, 0.6], gsm8k=None, bbh=None, arc=[None] * 4))
    assert [(p.seen, p.where) for p in error.problems] == [
        ("the row has no score", "row 2 (model 'ant-1b')"),
        ("the column has no score", "column 'arc'"),
    ]


def test_all_problems_are_told_together() -> None:
    error = refusal(table(params_b=[1.0, -1.0, 2.0, 9.0], mmlu=[0.2, "x", 0.4, 7.0]))
    assert str(error).startswith("3 problems:")


def test_cells_are_read_even_where_a_column_is_misspelt() -> None:
    error = refusal(table(mmlu=[0.2, "x", 0.4, 0.7], helaswag=0.5))
    assert "Did you mean 'hellaswag'?" in str(error.problems[0])
    assert "got 'x'" in str(error.problems[1])
    assert len(refusal(table(params_b=0, helaswag=0.5), family=FAMILIES).problems) == 5
    assert len(refusal(table(params_b=0, mmlu=None, gsm8k=None)).problems) == 5


def test_many_problems_of_one_column_are_summed_up() -> None:
    rows = 40
    frame = pd.DataFrame(
        {"model": range(rows), "family": "f", "params_b": 1.0, "mmlu": "x", "arc": [0.5] * 40}
    )
    error = refusal(frame)
    assert len(error.problems) == 11
    assert error.problems[-1].seen == "30 more cells like these"
    error = refusal(frame.assign(mmlu=[0.5] * 10 + [None] * 30, arc=None))
    assert "20 more rows like these" in str(error)


# -- immutability and identity -------------------------------------------------------------------


def test_a_panel_is_not_made_by_calling_it() -> None:
    with pytest.raises(TypeError, match="from_frame"):
        Panel()


def test_attributes_cannot_be_set_or_deleted() -> None:
    panel = Panel.from_frame(table())
    with pytest.raises(AttributeError, match="cannot be changed"):
        panel.scores = table()  # type: ignore[misc]
    with pytest.raises(AttributeError, match="cannot be deleted"):
        del panel._scores
    with pytest.raises(AttributeError, match="cannot be changed"):
        panel.more = 1  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["scores", "models", "benchmarks"])
def test_what_a_panel_hands_out_is_a_copy(name: str) -> None:
    panel = Panel.from_frame(table())
    before = panel.digest
    copied = getattr(panel, name)
    copied.iloc[:, 0] = copied.iloc[::-1, 0].to_numpy()
    copied.index.name = "changed"
    assert getattr(panel, name).index.name != "changed"
    assert Panel._of(panel._scores, panel._models, panel._benchmarks).digest == before


def test_the_table_a_panel_was_made_of_may_change_afterwards() -> None:
    frame = table()
    panel = Panel.from_frame(frame)
    frame.loc[0, "mmlu"] = 0.99
    assert panel.scores.loc["ant-1b", "mmlu"] == 0.26


def test_panels_are_equal_by_content() -> None:
    one, two = Panel.from_frame(table()), Panel.from_frame(table())
    other = Panel.from_frame(table(mmlu=[0.26, 0.41, 0.35, 0.61]))
    assert one == two
    assert hash(one) == hash(two)
    assert one != other
    assert one != "a panel"
    assert Panel.from_frame(table().iloc[::-1]) != one


def test_a_panel_survives_pickling_and_copying() -> None:
    panel = Panel.from_frame(table(note=["x", None, "y", "z"], instruct=[True, None, True, False]))
    assert pickle.loads(pickle.dumps(panel)) == panel
    assert copy.copy(panel) is panel
    assert copy.deepcopy(panel) is panel


def test_the_digest_is_the_same_in_another_process() -> None:
    code = "from lvkit.data import load_leaderboard as l; print(l().digest)"
    root = Path(__file__).parents[2]
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root
    )
    assert run.stdout.strip() == load_leaderboard().digest


# -- parts of it ---------------------------------------------------------------------------------


def test_complete_keeps_models_with_every_benchmark() -> None:
    assert list(Panel.from_frame(table()).complete().scores.index) == ["ant-1b", "bee-2b", "bee-9b"]


def test_complete_is_refused_where_nothing_is() -> None:
    panel = Panel.from_frame(table(mmlu=[None, 0.4, None, 0.4], gsm8k=[0.1, None, 0.1, None]))
    with pytest.raises(LvkitError, match="no model has every benchmark"):
        panel.complete()


def test_select_takes_a_name_or_several_and_keeps_the_order() -> None:
    panel = Panel.from_frame(table())
    assert panel.select(families="bee").n_models == 2
    assert list(panel.select(models=["bee-9b", "ant-1b"]).scores.index) == ["ant-1b", "bee-9b"]
    assert list(panel.select(benchmarks=["gsm8k", "mmlu"]).scores) == ["mmlu", "gsm8k"]
    assert list(panel.select(benchmarks="gsm8k").benchmarks.index) == ["gsm8k"]
    both = panel.select(families=["ant"], models=["ant-3b", "bee-2b"])
    assert list(both.scores.index) == ["ant-3b"]
    assert panel.select() == panel


def test_select_may_leave_a_model_without_a_score() -> None:
    panel = Panel.from_frame(table()).select(benchmarks="gsm8k")
    assert panel.n_models == 4
    assert panel.n_scores == 3


def test_select_refuses_unknown_names_all_together() -> None:
    with pytest.raises(LvkitError) as caught:
        Panel.from_frame(table()).select(families="be", models=["ant-1b", "zzz"], benchmarks="mlu")
    assert [p.where for p in caught.value.problems] == ["families", "models", "benchmarks"]
    assert "Did you mean 'mmlu'?" in str(caught.value)


@pytest.mark.parametrize("choice", [{"models": []}, {"families": "ant", "models": "bee-2b"}])
def test_select_refuses_to_leave_nothing(choice: dict[str, Any]) -> None:
    with pytest.raises(LvkitError, match="nothing is left"):
        Panel.from_frame(table()).select(**choice)


# -- on its way out ------------------------------------------------------------------------------

PANELS: list[Callable[[], Panel]] = [
    load_leaderboard,
    lambda: Panel.from_frame(table()),
    lambda: Panel.from_frame(table(tokens_t=None, chess=0.5), benchmarks={"chess": 0.1}),
    lambda: Panel.from_frame(table(instruct=[True, None, False, True], note=[None, "a", "b", "c"])),
    lambda: Panel.from_frame(table(year=[2023, 2024, None, 2024], lineage=["m", "m", None, None])),
]


@pytest.mark.parametrize("make", PANELS)
def test_a_table_and_back_gives_the_same_panel(make: Callable[[], Panel]) -> None:
    panel = make()
    assert Panel.from_frame(panel.to_frame(), benchmarks=panel.benchmarks) == panel


def test_describe_counts() -> None:
    value = Panel.from_frame(table()).describe()["value"]
    assert value["models"] == 4
    assert value["families"] == 2
    assert value["scores"] == 7
    assert value["complete models"] == 3
    assert value["share of scores missing"] == 0.125
    assert value["models without tokens"] == 1
    without = Panel.from_frame(table(tokens_t=None)).describe()["value"]
    assert without["models without tokens"] == 4


def test_html_is_short_and_escaped() -> None:
    names = ["<script>alert(1)</script>", "b", "c & d", "e"]
    page = Panel.from_frame(table(family=names))._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert len(load_leaderboard()._repr_html_()) < 1500
