from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from golden import Message, refused

import lvkit as lv
from lvkit.fit.simulation_study import Study
from lvkit.fit.simulation_task import Plan

SIZES = (10, 40)
TRUTH = lv.Parameters(
    loadings=np.array([[1.0], [0.8], [0.6]]),
    intercepts=np.array([0.0, 0.3, -0.3]),
    precisions=np.full(3, 80.0),
    floors=np.zeros(3),
    slopes=np.array([[1.5]]),
    correlation=np.eye(1),
)


def study(**changes: Any) -> Study:
    """Two sizes, three panels each."""
    settings: dict[str, Any] = {"families": SIZES, "replications": 3, "features": "log_params"}
    return lv.simulation_study(TRUTH, **(settings | changes))


@pytest.fixture(scope="module")
def small() -> Study:
    return study()


# -- what comes out ------------------------------------------------------------------------------


def test_every_panel_and_parameter_has_a_row(small: Study) -> None:
    estimates = small.estimates
    assert estimates.columns.tolist() == [
        "families",
        "replication",
        "parameter",
        "truth",
        "estimate",
        "std_error",
        "lower",
        "upper",
        "converged",
    ]
    assert len(estimates) == 2 * 3 * 10
    assert not estimates.duplicated(["families", "replication", "parameter"]).any()
    assert estimates["converged"].all()
    assert estimates.notna().all(axis=None)
    assert small.failures.empty


def test_each_estimate_stands_beside_its_own_truth(small: Study) -> None:
    truth = small.estimates.groupby("parameter")["truth"].unique()
    assert truth["loading[bench_2, skill_1]"].tolist() == [0.8]
    assert truth["intercept[bench_3]"].tolist() == [-0.3]
    assert truth["slope[skill_1, log_params]"].tolist() == [1.5]
    error = (small.estimates["estimate"] - small.estimates["truth"]) / small.estimates["std_error"]
    assert error.abs().median() < 1.5


def test_estimates_are_those_of_the_fits(small: Study) -> None:
    plan = Plan(TRUTH, lv.LatentSkillModel(anchors={"skill_1": "bench_1"}), 3, 0.95, 0)
    plan = replace(plan, model=replace(plan.model, features="log_params", clip=1e-9))
    summary = plan.replicate(10, 2).table
    rows = small.estimates.query("families == 10 and replication == 2").set_index("parameter")
    assert rows["estimate"].tolist() == summary["estimate"].tolist()
    assert rows["upper"].tolist() == summary["ci_upper"].tolist()


# -- the same numbers, however they are computed -------------------------------------------------


@pytest.mark.parametrize("backend", ["threading", pytest.param("loky", marks=pytest.mark.slow)])
def test_the_numbers_do_not_depend_on_the_workers(backend: str, small: Study) -> None:
    with joblib.parallel_config(backend=backend):
        found = study(n_jobs=2)
    pd.testing.assert_frame_equal(found.estimates, small.estimates, check_exact=True)


def test_a_part_of_a_study_has_the_same_numbers(small: Study) -> None:
    part = study(families=[40], replications=2)
    rows = small.estimates.query("families == 40 and replication < 2").reset_index(drop=True)
    pd.testing.assert_frame_equal(part.estimates, rows, check_exact=True)


def test_each_number_of_families_can_have_its_own_number_of_panels() -> None:
    found = study(families=[8, 10], replications={10: 2, 8: 3})
    assert found.summary()["replications"].to_dict() == {8: 3, 10: 2}


# -- interrupted and taken up again --------------------------------------------------------------


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The tasks that are computed, in order."""
    done: list[tuple[int, int]] = []
    replicate = Plan.replicate

    def counting(plan: Plan, families: int, replication: int) -> Any:
        done.append((families, replication))
        return replicate(plan, families, replication)

    monkeypatch.setattr(Plan, "replicate", counting)
    return done


def test_an_interrupted_study_keeps_what_is_done_and_goes_on(
    small: Study, counted: list[tuple[int, int]], tmp_path: Path
) -> None:
    path = tmp_path / "study.json"

    class Impatient:
        """A bar whose user loses patience after the fourth panel."""

        def __init__(self, **kwargs: Any) -> None:
            self.left = 4

        def update(self, n: int = 1) -> None:
            self.left -= n
            if self.left == 0:
                raise KeyboardInterrupt

        def set_postfix_str(self, s: str = "") -> None: ...

        def close(self) -> None: ...

        def __enter__(self) -> Impatient:
            return self

        def __exit__(self, *args: object) -> None: ...

    with pytest.raises(KeyboardInterrupt):
        study(resume=path, progress=Impatient)
    assert counted == [(10, 0), (40, 0), (10, 1), (40, 1)]
    assert [file.name for file in tmp_path.iterdir()] == ["study.json"]
    counted.clear()
    found = study(resume=path)
    assert counted == [(10, 2), (40, 2)]
    pd.testing.assert_frame_equal(found.estimates, small.estimates, check_exact=True)


def test_a_finished_study_is_not_done_again_and_can_be_extended(
    counted: list[tuple[int, int]], tmp_path: Path
) -> None:
    path = tmp_path / "study.json"
    first = study(families=[10], replications=2, resume=path)
    counted.clear()
    again = study(families=[10], replications=2, resume=path)
    assert counted == []
    pd.testing.assert_frame_equal(again.estimates, first.estimates, check_exact=True)
    study(families=[10], replications=3, resume=str(path))
    assert counted == [(10, 2)]


def test_a_file_of_another_study_is_refused(tmp_path: Path, message: Message) -> None:
    path = tmp_path / "study.json"
    study(families=[10], replications=2, resume=path)
    with refused() as error:
        study(families=[10], replications=2, level=0.9, resume=path)
    message(error, "0.95", "0.9")


def test_progress_counts_what_was_done_before(tmp_path: Path) -> None:
    seen: list[Any] = []

    class Bar:
        def __init__(self, *, total: int, desc: str) -> None:
            seen.append((total, desc))

        def update(self, n: int = 1) -> None:
            seen.append(n)

        def set_postfix_str(self, s: str = "") -> None: ...

        def close(self) -> None: ...

        def __enter__(self) -> Bar:
            return self

        def __exit__(self, *args: object) -> None: ...

    path = tmp_path / "study.json"
    study(families=[10], replications=2, resume=path)
    study(families=[10], replications=3, resume=path, progress=Bar)
    assert seen == [(3, "Simulation study"), 2, 1]


# -- the tables, on numbers made up --------------------------------------------------------------


def made_up(**changes: Any) -> Study:
    """Two parameters, errors of which all that the tables say is known."""
    rows = []
    for families, scale in ((100, 2.0), (400, 1.0)):
        for replication, error in enumerate([-1.0, 0.0, 1.0, 3.0]):
            for name, truth in (("a", 5.0), ("b", -1.0)):
                estimate, half = truth + scale * error, 2.5 * scale
                rows.append(
                    (families, replication, name, truth, estimate, scale, estimate - half,
                     estimate + half, True)
                )  # fmt: skip
    columns = "families replication parameter truth estimate std_error lower upper converged"
    table = pd.DataFrame(rows, columns=columns.split())
    failures = pd.DataFrame(columns=["families", "replication", "reason"])
    return replace(Study(TRUTH, table, failures, 0.95), **changes)


def test_the_table_tells_bias_error_spread_and_coverage() -> None:
    table = made_up().table
    assert table.index.tolist() == [(100, "a"), (100, "b"), (400, "a"), (400, "b")]
    row = table.loc[(100, "b")]
    assert row["truth"] == -1.0
    assert row["mean"] == pytest.approx(-1.0 + 2.0 * 0.75)
    assert row["bias"] == pytest.approx(1.5)
    assert row["rmse"] == pytest.approx(2.0 * np.sqrt(11.0 / 4.0))
    assert row["median_error"] == 2.0
    assert row["spread"] == pytest.approx(2.0 * np.std([-1, 0, 1, 3], ddof=1))
    assert row["std_error"] == 2.0
    assert row["ratio"] == pytest.approx(2.0 / row["spread"])
    assert row["coverage"] == 0.75
    assert (row["fits"], row["intervals"]) == (4, 4)


def test_the_summary_averages_over_parameters() -> None:
    summary = made_up().summary()
    assert summary.index.tolist() == [100, 400]
    assert summary["replications"].tolist() == [4, 4]
    assert summary["median_error"].tolist() == [2.0, 1.0]
    assert summary["coverage"].tolist() == summary["lowest_coverage"].tolist() == [0.75, 0.75]
    assert summary["converged"].tolist() == summary["determined"].tolist() == [1.0, 1.0]


def test_the_rate_is_the_slope_on_logarithmic_axes() -> None:
    assert made_up().rate() == pytest.approx(-0.5)


def test_fits_that_did_not_converge_are_counted_and_take_no_part() -> None:
    table = made_up().estimates
    off = (table["families"] == 100) & (table["replication"] == 3)
    table.loc[off, "converged"] = False
    table.loc[off, ["std_error", "lower", "upper"]] = np.nan
    found = made_up(estimates=table)
    assert found.summary()["converged"].tolist() == [0.75, 1.0]
    assert found.summary()["replications"].tolist() == [4, 4]
    assert found.table.loc[(100, "a"), "fits"] == 3
    assert found.table.loc[(100, "a"), "bias"] == 0.0


def test_parameters_that_are_not_determined_have_no_coverage_but_are_counted() -> None:
    table = made_up().estimates
    off = (table["parameter"] == "b") & (table["replication"] == 3)
    table.loc[off, ["std_error", "lower", "upper"]] = np.nan
    found = made_up(estimates=table)
    assert found.table.loc[(400, "b"), ["fits", "intervals"]].tolist() == [4, 3]
    assert found.table.loc[(400, "b"), "coverage"] == 1.0
    assert found.summary()["determined"].tolist() == [7 / 8, 7 / 8]


def test_errors_are_set_beside_the_spread_of_the_same_fits() -> None:
    table = made_up().estimates
    off = (table["parameter"] == "b") & (table["replication"] == 3)
    table.loc[off, ["std_error", "lower", "upper"]] = np.nan
    row = made_up(estimates=table).table.loc[(400, "b")]
    assert row["spread"] == pytest.approx(np.std([-1, 0, 1], ddof=1))
    assert row["ratio"] == pytest.approx(1.0)
    assert row["bias"] == pytest.approx(0.75)


def test_a_study_in_which_nothing_converged_says_so(message: Message) -> None:
    found = made_up(estimates=made_up().estimates.assign(converged=False))
    assert found.table.empty
    assert found.summary()["converged"].tolist() == [0.0, 0.0]
    with refused("rate", "0") as error:
        found.rate()
    message(error)


def test_one_number_of_families_has_no_rate(message: Message) -> None:
    one = made_up().estimates.query("families == 400")
    with refused("rate") as error:
        made_up(estimates=one).rate()
    message(error)


def test_failures_are_listed_with_their_reasons(monkeypatch: pytest.MonkeyPatch) -> None:
    fit = lv.LatentSkillModel.fit

    def sometimes(model: lv.LatentSkillModel, panel: lv.Panel, **kwargs: Any) -> lv.Fit:
        if panel.n_families == 10:
            raise lv.LvkitError("not today")
        return fit(model, panel, **kwargs)

    monkeypatch.setattr(lv.LatentSkillModel, "fit", sometimes)
    found = study(replications=2)
    assert found.failures["families"].tolist() == [10, 10]
    assert found.failures["replication"].tolist() == [0, 1]
    assert found.failures["reason"].str.contains("not today").all()
    assert found.summary()["converged"].tolist() == [0.0, 1.0]
    assert found.estimates.query("families == 10")["estimate"].isna().all()


def test_a_study_shows_its_summary_in_notebooks() -> None:
    assert "median_error" in made_up()._repr_html_()


# -- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"families": []}, "families"),
        ({"families": [1, 10]}, "families"),
        ({"families": [10.5]}, "families"),
        ({"replications": 1}, "replications"),
        ({"replications": {10: 3}}, "replications"),
        ({"n_jobs": 0}, "n_jobs"),
        ({"progress": "yes"}, "argument 'progress'"),
    ],
)
def test_settings_that_are_none_are_refused(
    change: dict[str, Any], where: str, message: Message
) -> None:
    with refused(where) as error:
        study(**change)
    message(error)


def test_the_module_and_the_function_do_not_hide_each_other() -> None:
    import lvkit.fit.simulation_study as module

    assert lv.simulation_study is module.simulation_study
    assert lv.Study is module.Study
