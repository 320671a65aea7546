from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from golden import Message, refused

import lvkit as lv
from lvkit.estimation.estimate import prepared_for
from lvkit.fit.simulation_task import Plan, Record, StudyFile, make_plan


def truth(**changes: Any) -> lv.Parameters:
    """Two skills, anchored by the second and the third of eleven benchmarks."""
    loadings = np.random.default_rng(2).uniform(0.2, 0.9, (11, 2))
    loadings[1:3] = [[0.0, 0.7], [0.8, 0.0]]
    values: dict[str, Any] = {
        "loadings": loadings,
        "intercepts": np.linspace(-0.5, 0.5, 11),
        "precisions": np.full(11, 60.0),
        "floors": np.zeros(11),
        "slopes": np.array([[1.0], [0.5]]),
        "correlation": np.array([[1.0, 0.3], [0.3, 1.0]]),
    }
    return lv.Parameters(**(values | changes))


def plan(params: Any = None, **changes: Any) -> Plan:
    settings: dict[str, Any] = {
        "features": "log_params",
        "family_slopes": "log_params",
        "models_per_family": 3,
        "level": 0.95,
        "seed": 0,
    }
    return make_plan(truth() if params is None else params, **(settings | changes))


def test_the_truths_anchors_are_found() -> None:
    assert plan().model.anchors == {"skill_1": "bench_03", "skill_2": "bench_02"}


def test_benchmarks_are_named_so_that_sorting_keeps_their_order() -> None:
    names = plan().panel(4, 0).scores.columns.tolist()
    assert names == sorted(names) == [f"bench_{j:02d}" for j in range(1, 12)]


def test_every_task_has_a_panel_of_its_own_that_follows_from_the_seed() -> None:
    first = plan().panel(6, 1)
    assert first == plan().panel(6, 1)
    assert first.n_families == 6
    assert first.n_models == 18
    others = [plan().panel(6, 2), plan().panel(7, 1), plan(seed=1).panel(6, 1)]
    assert all(first != other for other in others)


def test_the_fit_centres_features_as_the_draw_does() -> None:
    """So that intercepts mean the same: the true skills are those of the fit's features."""
    made = plan()
    panel = made.panel(40, 0)
    x = prepared_for(made.model, panel).features.values(panel.models)
    effects = panel.truth.family_effects.loc[panel.models["family"]].to_numpy()
    skills = panel.truth.skill_scores.to_numpy()
    np.testing.assert_allclose(skills, effects + x @ truth().slopes.T, atol=1e-12)
    assert x.mean(axis=0) == pytest.approx(0.0, abs=1e-12)


def test_what_is_estimated_is_named_with_its_truth() -> None:
    free = plan().free(8)
    values = dict(zip(free.names, free.values(truth()), strict=True))
    assert values["loading[bench_03, skill_1]"] == 0.8
    assert values["slope[skill_2, log_params]"] == 0.5
    assert values["correlation[skill_1, skill_2]"] == 0.3
    assert "loading[bench_03, skill_2]" not in values


def test_floors_of_the_truth_are_the_chance_levels_of_the_fit() -> None:
    made = plan(truth(floors=np.full(11, 0.25)))
    assert made.model.floor == "chance"
    assert (made.panel(4, 0).benchmarks["chance"] == 0.25).all()
    assert plan().model.floor == "none"


def test_slopes_that_differ_are_fitted_so() -> None:
    made = plan(truth(slope_sd=np.array([0.4, 0.4])))
    assert made.model.family_slopes == "log_params"
    assert made.free(20).names[-2:] == ("slope_sd[skill_1]", "slope_sd[skill_2]")
    assert plan().model.family_slopes is None


def test_a_record_is_the_summary_of_a_fit() -> None:
    made = plan(level=0.8)
    record = made.replicate(12, 0)
    expected = made.model.fit(made.panel(12, 0)).summary(0.8)
    assert record.converged
    assert record.reason == ""
    assert record.table.equals(expected)


def test_a_fit_that_is_refused_is_a_record_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise lv.LvkitError("no")

    made = plan()
    monkeypatch.setattr(lv.LatentSkillModel, "fit", refuse)
    record = made.replicate(12, 0)
    assert not record.converged
    assert "no" in record.reason
    assert record.table.empty


def test_a_fit_that_does_not_converge_keeps_its_estimates(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    fitted = lv.LatentSkillModel.fit

    def stop(*args: Any, **kwargs: Any) -> lv.Fit:
        return replace(fitted(*args, **kwargs), converged=False, message="step limit reached")

    made = plan()
    monkeypatch.setattr(lv.LatentSkillModel, "fit", stop)
    record = made.replicate(12, 0)
    assert (record.converged, record.reason) == (False, "step limit reached")
    assert record.table.columns.tolist() == ["estimate"]


def test_the_settings_tell_all_that_the_numbers_depend_on() -> None:
    changes = [{"features": "log_tokens"}, {"models_per_family": 2}, {"level": 0.9}, {"seed": 1}]
    for change in changes:
        assert plan(**change).settings != plan().settings
    assert plan(truth(precisions=np.full(11, 61.0))).settings != plan().settings
    assert plan().settings == plan().settings
    assert plan().settings["lvkit"] == lv.__version__


# -- refusals ------------------------------------------------------------------------------------


def test_parameters_without_anchors_are_refused(message: Message) -> None:
    loadings = truth().loadings.copy()
    loadings[2] = 0.5
    with refused("params.loadings", "1") as error:
        plan(truth(loadings=loadings))
    message(error)


def test_something_else_than_parameters_is_refused(message: Message) -> None:
    with refused("params") as error:
        plan({"loadings": 1})
    message(error)


def test_slopes_that_do_not_suit_the_features_are_refused() -> None:
    with pytest.raises(lv.LvkitError, match="slopes"):
        plan(features="log_params + log_tokens").free(8)


def test_too_few_families_for_the_parameters_are_refused(message: Message) -> None:
    with refused("panel") as error:
        plan(models_per_family=1).free(3)
    message(error)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"models_per_family": 0}, "models_per_family"),
        ({"level": 1.0}, "level"),
        ({"seed": -1}, "seed"),
        ({"features": "log_paramz"}, "features"),
    ],
)
def test_settings_that_are_none_are_refused(
    change: dict[str, Any], where: str, message: Message
) -> None:
    with refused(where) as error:
        plan(**change).free(8)
    message(error)


# -- the file of a study --------------------------------------------------------------------------


SETTINGS: dict[str, Any] = {"seed": 0, "level": 0.95, "params": {"floors": [0.1, 1.0 / 3.0]}}
INDEX = pd.Index(["loading[a, k]", "precision[a]"], name="parameter")


def good() -> Record:
    columns = {"estimate": [1.0 / 3.0, 2e-9], "std_error": [0.1, np.nan]}
    columns |= {"ci_lower": [0.2, np.nan], "ci_upper": [0.5, np.nan]}
    return Record(pd.DataFrame(columns, INDEX), True, "")


def filled(path: Path) -> StudyFile:
    file = StudyFile.open(path, SETTINGS)
    file.records[50, 1] = good()
    file.records[50, 0] = Record(pd.DataFrame({"estimate": [1.0, 2.0]}, INDEX), False, "too slow")
    file.records[100, 0] = Record(pd.DataFrame(), False, "refused: größe")
    file.save()
    return file


def test_records_come_back_bit_for_bit(tmp_path: Path) -> None:
    written = filled(tmp_path / "study.json")
    found = StudyFile.open(tmp_path / "study.json", SETTINGS)
    assert found.records.keys() == written.records.keys()
    for task, record in written.records.items():
        again = found.records[task]
        assert (again.converged, again.reason) == (record.converged, record.reason)
        if record.table.empty:
            assert again.table.empty
        else:
            pd.testing.assert_frame_equal(again.table, record.table, check_exact=True)


def test_whether_a_parameter_is_determined_follows_from_its_error(tmp_path: Path) -> None:
    file = StudyFile.open(tmp_path / "study.json", SETTINGS)
    table = good().table.assign(determined=[True, False])
    file.records[50, 0] = Record(table, True, "")
    file.save()
    found = StudyFile.open(tmp_path / "study.json", SETTINGS).records[50, 0].table
    assert found.equals(table.drop(columns="determined"))


def test_a_new_file_is_written_at_once(tmp_path: Path) -> None:
    StudyFile.open(tmp_path / "study.json", SETTINGS)
    assert [path.name for path in tmp_path.iterdir()] == ["study.json"]


def test_without_a_path_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = StudyFile.open(None, SETTINGS)
    file.records[50, 0] = good()
    file.save()
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_to_is_refused_at_once(
    tmp_path: Path, message: Message
) -> None:
    with refused() as error:
        StudyFile.open(tmp_path / "nowhere" / "study.json", SETTINGS)
    message(error)


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"params": {"floors": [0.1, 0.3]}},
        {"features": "log_params"},
    ],
)
def test_a_file_of_another_study_is_refused_and_left_alone(
    change: dict[str, Any], tmp_path: Path, message: Message
) -> None:
    path = tmp_path / "study.json"
    filled(path)
    before = path.read_bytes()
    with refused() as error:
        StudyFile.open(path, SETTINGS | change)
    message(error)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"3", b"\xff", b'{"schema": 1}', b'{"names": [], "records": [[1]]}'],
)
def test_what_is_no_file_of_a_study_is_refused_and_left_alone(
    content: bytes, tmp_path: Path, message: Message
) -> None:
    path = tmp_path / "mine.json"
    path.write_bytes(content)
    with refused() as error:
        StudyFile.open(path, SETTINGS)
    message(error)
    assert path.read_bytes() == content


def test_a_folder_is_refused(tmp_path: Path, message: Message) -> None:
    with refused() as error:
        StudyFile.open(tmp_path, SETTINGS)
    message(error)


def test_records_that_do_not_hang_together_are_refused(tmp_path: Path, message: Message) -> None:
    path = tmp_path / "study.json"
    filled(path)
    text = json.loads(path.read_text())
    for wrong in ([[50, 0, "yes", "", [0], {}]], [[50, 0, True, "", [7], {}]], [[50]], 3):
        path.write_text(json.dumps(text | {"records": wrong}))
        with refused() as error:
            StudyFile.open(path, SETTINGS)
        message(error)


def test_another_schema_is_refused(tmp_path: Path, message: Message) -> None:
    path = tmp_path / "study.json"
    filled(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema": 99}))
    with refused() as error:
        StudyFile.open(path, SETTINGS)
    message(error, "99", "1")
