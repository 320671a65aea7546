from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lvkit as lv
from lvkit.fitting import prepared_for
from lvkit.studyplan import Plan, make_plan


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


def test_parameters_without_anchors_are_refused() -> None:
    loadings = truth().loadings.copy()
    loadings[2] = 0.5
    with pytest.raises(lv.LvkitError, match=r"skill 1 has no anchor.*loads on it alone"):
        plan(truth(loadings=loadings))


def test_something_else_than_parameters_is_refused() -> None:
    with pytest.raises(lv.LvkitError, match="params: got a dict; expected lvkit.Parameters"):
        plan({"loadings": 1})


def test_slopes_that_do_not_suit_the_features_are_refused() -> None:
    with pytest.raises(lv.LvkitError, match="slopes"):
        plan(features="log_params + log_tokens").free(8)


def test_too_few_families_for_the_parameters_are_refused() -> None:
    with pytest.raises(lv.LvkitError, match="at least 4 scores|more scores than parameters"):
        plan(models_per_family=1).free(3)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"models_per_family": 0}, "models_per_family: got 0"),
        ({"level": 1.0}, "level: got 1.0"),
        ({"seed": -1}, "seed: got -1"),
        ({"features": "log_paramz"}, "log_paramz"),
    ],
)
def test_settings_that_are_none_are_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(lv.LvkitError, match=words):
        plan(**change).free(8)
