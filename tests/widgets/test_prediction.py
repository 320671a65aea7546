from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from golden import Message, refused

import lvkit as lv
from lvkit.prediction.calibration import RECORD, Calibration
from lvkit.widgets import predict_scores
from lvkit.widgets.prediction import ScorePredictor, asked


@pytest.fixture
def widget(small_fit: lv.Fit) -> ScorePredictor:
    return predict_scores(small_fit, family=small_fit.families[0], raise_on_exception=True)


def row(widget: ScorePredictor) -> pd.DataFrame:
    values = {column: control.value for column, control in widget.features.items()}
    return pd.DataFrame([{"model": "this model", "family": widget.family.value, **values}])


def test_all_benchmarks_are_predicted_at_once(widget: ScorePredictor, message: Message) -> None:
    assert list(widget.prediction.table["benchmark"]) == list(widget.fit.benchmarks)
    assert widget.picture.png[1:4] == b"PNG"
    message(widget.picture.alt, "1", "6")
    assert widget.table.value.count("<tr>") == 7


def test_the_prediction_is_the_librarys_with_all_draws(widget: ScorePredictor) -> None:
    widget.features["params_b"].value = 20.0
    expected = widget.fit.predict(row(widget), level=0.95).table
    pd.testing.assert_frame_equal(widget.prediction.table, expected)


def test_the_quick_picture_is_near_the_full_one(widget: ScorePredictor) -> None:
    quick = widget.table.frame
    widget.press(widget.all_draws)
    full = widget.table.frame
    ends = ["median", "lower", "upper"]
    assert 0.0 < np.abs(quick[ends] - full[ends]).to_numpy().max() < 0.05
    pd.testing.assert_frame_equal(full, widget.prediction.table)


def test_a_move_changes_picture_table_and_prediction(widget: ScorePredictor) -> None:
    before = widget.picture.png, widget.table.csv, widget.prediction
    widget.features["params_b"].value *= 3.0
    after = widget.picture.png, widget.table.csv, widget.prediction
    assert all(old is not new and old != new for old, new in zip(before, after, strict=True))
    assert widget.prediction.table["median"].gt(before[2].table["median"]).all()


def test_a_higher_level_gives_wider_intervals(widget: ScorePredictor) -> None:
    def width() -> pd.Series:
        return widget.prediction.table["upper"] - widget.prediction.table["lower"]

    before = width()
    widget.level.value = 0.99
    assert width().gt(before).all()
    assert "99% intervals" in widget.picture.alt


def test_choosing_a_family_takes_over_all_but_the_size(widget: ScorePredictor) -> None:
    size = widget.features["params_b"].value
    models = widget.fit.panel.models
    for family in widget.fit.families[1:4]:
        widget.family.value = family
        own = models[models["family"] == family]
        tokens = own["tokens_t"][own["params_b"].idxmax()]
        assert widget.features["tokens_t"].value == pytest.approx(tokens)
    assert widget.features["params_b"].value == size


def test_a_recipe_nothing_is_known_of_takes_no_scores(small_fit: lv.Fit, message: Message) -> None:
    widget = predict_scores(small_fit, raise_on_exception=True)
    assert all(box.disabled for box in widget.scores.values())
    assert set(widget.prediction.table["family_kind"]) == {"unknown"}
    message(widget.words.text)


def test_scores_of_a_new_family_sharpen_the_others(small_fit: lv.Fit, message: Message) -> None:
    widget = predict_scores(small_fit, raise_on_exception=True)
    widths = {}
    widget.family.value = "\x00new"
    message(widget.notice.text)
    for text in ("", "0.62"):
        widget.scores["mmlu"].value = text
        table = widget.prediction.table.set_index("benchmark")
        widths[text] = (table["upper"] - table["lower"]).drop("mmlu")
    assert widths["0.62"].lt(widths[""]).all()
    assert table["known_score"].dropna().to_dict() == {"mmlu": 0.62}
    message(widget.words.text, "1")
    assert widget.notice.text == ""


def test_a_score_that_is_none_is_told_and_the_widget_goes_on(
    small_fit: lv.Fit, message: Message
) -> None:
    widget = predict_scores(small_fit, family=small_fit.families[0])
    before = widget.prediction
    widget.scores["mmlu"].value = "62"
    message(widget.notice.text, "62", "0", "1")
    assert widget.prediction is before
    widget.scores["mmlu"].value = "0.62"
    assert widget.notice.text == ""
    assert widget.prediction.table["known_score"].notna().sum() == 1


def test_errors_are_raised_through_on_demand(widget: ScorePredictor, message: Message) -> None:
    with refused("model 'this model', column 'mmlu'", "0", "1") as error:
        widget.scores["mmlu"].value = "high"
    message(error)
    message(widget.notice.text, "0", "1")


def test_extrapolation_is_told_in_words(widget: ScorePredictor, message: Message) -> None:
    size = widget.features["params_b"]
    size.value = size.max and 10.0**size.max
    message(widget.words.text)
    models = widget.fit.panel.models
    own = models[models["family"] == widget.family.value]
    size.value = own["params_b"].max()
    message(widget.words.text)


def test_intervals_are_the_models_own_until_the_fit_is_calibrated(
    widget: ScorePredictor, message: Message
) -> None:
    assert [kind for _, kind in widget.intervals.options] == ["plugin", "model"]
    message(widget.words.text)
    assert "fit.calibrate()" in widget.words.text


def test_a_calibrated_fit_gives_calibrated_intervals(small_fit: lv.Fit, message: Message) -> None:
    rng = np.random.default_rng(0)
    rows = [
        (f"l{n % 11}", "f", f"m{n}", "mmlu", n % 3, rng.normal(0.0, 2.0), 0.0, 0.5)
        for n in range(240)
    ]
    calibration = Calibration(pd.DataFrame(rows, columns=list(RECORD)))
    fit = replace(small_fit, calibration=calibration)
    widget = predict_scores(fit, family=fit.families[0], level=0.9)
    assert widget.prediction.intervals == "calibrated"
    message(widget.words.text, "90%")
    widget.intervals.value = "model"
    message(widget.words.text)
    widget.intervals.value, widget.level.value = "calibrated", 0.95
    message(widget.notice.text, "0.92")
    assert widget.prediction.level == 0.95


def test_a_fit_that_did_not_converge_is_told_and_can_still_be_asked(
    small_fit: lv.Fit, message: Message
) -> None:
    widget = predict_scores(replace(small_fit, converged=False, message="too few steps"))
    message(widget.notice.text)
    assert (widget.prediction, widget.picture.png) == (None, b"")
    widget.intervals.value = "plugin"
    assert widget.notice.text == ""
    assert widget.prediction.intervals == "plugin"


def test_other_features_have_controls_of_their_kind(leaderboard: lv.Panel) -> None:
    some = leaderboard.select(families=leaderboard.families[:25], benchmarks=["mmlu", "arc", "bbh"])
    fit = lv.LatentSkillModel(n_skills=1, features="log_params + instruct").fit(some)
    chats = fit.panel.models.query("instruct")["family"]
    widget = predict_scores(fit, intervals="plugin", raise_on_exception=True)
    assert set(widget.features) == {"params_b", "instruct"}
    widget.family.value = next(name for name in fit.families if name in set(chats))
    assert widget.features["instruct"].value is True
    before = widget.prediction
    widget.features["instruct"].value = False
    assert not widget.prediction.table["median"].equals(before.table["median"])


def test_the_asked_model_has_a_name_of_its_own(small_fit: lv.Fit) -> None:
    models = small_fit.panel.models.rename(index={small_fit.panel.models.index[0]: "this model"})
    panel = lv.Panel.from_frame(models.join(small_fit.panel.scores.set_axis(models.index)))
    table = asked(replace(small_fit, panel=panel), "", {"params_b": 1.0}, {"mmlu": " "})
    assert table.to_dict("records") == [{"model": "this model'", "family": "", "params_b": 1.0}]


def test_every_control_is_described(widget: ScorePredictor) -> None:
    controls = [*widget.controls.children, *widget.scores.values()]
    assert all(control.description and control.tooltip for control in controls)
    assert not re.search(r"\x00", " ".join(str(control.description) for control in controls))


def test_a_family_that_is_not_in_the_fit_is_refused(small_fit: lv.Fit, message: Message) -> None:
    with refused("family") as error:
        predict_scores(small_fit, family="nobody")
    message(error)
