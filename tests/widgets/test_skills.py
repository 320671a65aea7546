from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import ipywidgets
import matplotlib as mpl
import pytest
from golden import Message, refused
from waiting import PATIENCE, until

import lvkit as lv
from lvkit import plots
from lvkit.widgets import choose_skills
from lvkit.widgets.skills import SkillChoice, doubts, readable

MODEL = lv.LatentSkillModel(features="log_params")


@pytest.fixture(scope="module")
def panel(small_panel: lv.Panel) -> lv.Panel:
    return small_panel.select(benchmarks=["mmlu", "gsm8k", "ifeval"])


def chooser(panel: lv.Panel, **more: Any) -> SkillChoice:
    return choose_skills(panel, **({"model": MODEL, "raise_on_exception": True} | more))


@pytest.fixture(scope="module")
def done(panel: lv.Panel) -> SkillChoice:
    """A search that has ended; tests may pick."""
    widget = chooser(panel)
    widget.run()
    return widget


def after_each_fit(monkeypatch: pytest.MonkeyPatch, action: Any) -> None:
    """Do something after each fit of the search, and let it replace the fit."""
    import lvkit.fit.select_skills

    real = lvkit.fit.select_skills.make_fit
    monkeypatch.setattr(lvkit.fit.select_skills, "make_fit", lambda *a, **k: action(real(*a, **k)))


def unsettled(fit: lv.Fit) -> lv.Fit:
    """The same fit, had it not converged where it has two skills."""
    failed = len(fit.skills) == 2
    return replace(fit, converged=False, message="step limit reached") if failed else fit


def test_nothing_is_fitted_before_fit_is_pressed(panel: lv.Panel) -> None:
    widget = chooser(panel)
    assert widget.selection is None
    assert widget.fit is None
    assert widget.pick.disabled
    assert not widget.picture.png


def test_each_number_of_skills_is_fitted_and_the_best_is_picked(
    done: SkillChoice, message: Message
) -> None:
    assert done.selection is not None
    assert list(done.selection.fits) == [1, 2, 3]
    assert done.pick.options == (("K = 1", 1), ("K = 2", 2), ("K = 3", 3))
    message(done.notice.text, "1", "2", "3")


def test_the_search_is_that_of_the_library(panel: lv.Panel, done: SkillChoice) -> None:
    assert done.selection is not None
    alone = lv.select_skills(panel, [1, 2, 3], MODEL)
    assert done.selection.table["aic"].tolist() == alone.table["aic"].tolist()


def test_a_pick_carries_its_fit_on_and_moves_the_picture(
    done: SkillChoice, message: Message
) -> None:
    assert done.selection is not None
    seen = set()
    for k in (1, 3, 2):
        done.pick.value = k
        assert done.fit is done.selection.fits[k]
        message(done.picture.alt, k)
        seen.add(done.picture.png)
    assert len(seen) == 3


def test_the_picture_is_told_in_words(done: SkillChoice, message: Message) -> None:
    message(done.picture.alt, "1", "2", "3")


def test_a_new_search_leaves_the_pick_where_the_user_put_it(panel: lv.Panel) -> None:
    widget = chooser(panel, largest=2)
    widget.run()
    assert widget.fit is not None
    other = 3 - widget.pick.value
    widget.pick.value = other
    widget.run()
    assert len(widget.fit.skills) == widget.pick.value == other


def test_no_more_skills_are_tried_than_asked_for(panel: lv.Panel) -> None:
    widget = chooser(panel)
    widget.largest.value = 1
    widget.run()
    assert widget.selection is not None
    assert list(widget.selection.fits) == [1]
    assert len(widget.selection.table) == 1


def test_the_data_limit_the_number_of_skills(panel: lv.Panel) -> None:
    assert chooser(panel, largest=9).largest.max == 3
    assert chooser(panel, largest=2).largest.max == 2


def test_a_stopped_search_keeps_what_is_done_and_can_be_run_again(
    panel: lv.Panel, monkeypatch: pytest.MonkeyPatch, message: Message
) -> None:
    widget = chooser(panel)

    def stop_after_one(fit: lv.Fit) -> lv.Fit:
        widget.press(widget.work.stop_button)
        return fit

    with monkeypatch.context() as patch:
        after_each_fit(patch, stop_after_one)
        widget.run()
    assert widget.selection is not None
    assert list(widget.selection.fits) == [1]
    assert widget.fit is widget.selection.fits[1]
    message(widget.notice.text, "1")
    widget.run()
    assert list(widget.selection.fits) == [1, 2, 3]


def test_a_search_that_is_stopped_at_once_says_that_nothing_is_done(
    panel: lv.Panel, monkeypatch: pytest.MonkeyPatch, message: Message
) -> None:
    import lvkit.fit.select_skills

    widget = chooser(panel)
    real = lvkit.fit.select_skills.climb_from

    def stop_first(*a: Any, **k: Any) -> Any:
        widget.work.stop()
        return real(*a, **k)

    monkeypatch.setattr(lvkit.fit.select_skills, "climb_from", stop_first)
    widget.run()
    assert widget.selection is None
    message(widget.notice.text)
    assert not widget.fit_button.disabled


def test_an_interrupted_cell_stops_the_search(
    panel: lv.Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    widget = chooser(panel)
    real = widget.work.wait

    def after_the_stop(fit: lv.Fit) -> lv.Fit:
        until(lambda: widget.work.stop_button.disabled, "the stop")
        return fit

    after_each_fit(monkeypatch, after_the_stop)

    def interrupted(timeout: float | None = None) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(widget.work, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        widget.run()
    assert real(PATIENCE)
    assert widget.work.outcome == "stopped"


def test_a_fit_that_did_not_converge_is_told_in_plain_words(
    panel: lv.Panel, monkeypatch: pytest.MonkeyPatch, message: Message
) -> None:
    after_each_fit(monkeypatch, unsettled)
    widget = chooser(panel)
    widget.run()
    message(widget.notice.text, "2")
    message(widget.picture.alt, "2")
    widget.pick.value = 3
    message(widget.notice.text, "2")
    assert widget.fit is not None
    assert widget.fit.converged


def test_an_error_keeps_what_is_done_and_leaves_the_widget_usable(
    panel: lv.Panel, monkeypatch: pytest.MonkeyPatch, message: Message
) -> None:
    def fail_at_two(fit: lv.Fit) -> lv.Fit:
        if len(fit.skills) == 2:
            raise lv.LvkitError("the hill is too steep")
        return fit

    widget = chooser(panel, raise_on_exception=False)
    with monkeypatch.context() as patch:
        after_each_fit(patch, fail_at_two)
        widget.run()
        message(widget.notice.text)
        assert widget.selection is not None
        assert list(widget.selection.fits) == [1]
        widget.raise_on_exception = True
        with refused() as error:
            widget.run()
        message(error)
    widget.run()
    assert list(widget.selection.fits) == [1, 2, 3]


def test_warnings_of_the_search_are_said_in_the_widget(
    panel: lv.Panel, monkeypatch: pytest.MonkeyPatch, message: Message
) -> None:
    import warnings

    def warn(fit: lv.Fit) -> lv.Fit:
        warnings.warn("a benchmark is fitted almost exactly", lv.LvkitWarning, stacklevel=1)
        return fit

    after_each_fit(monkeypatch, warn)
    widget = chooser(panel, largest=1)
    widget.run()
    message(widget.notice.text)


def test_what_the_data_cannot_bear_is_refused(panel: lv.Panel, message: Message) -> None:
    two = panel.select(models=panel.models.index[[0, -1]])
    with pytest.raises(lv.LvkitError, match="parameters"):
        choose_skills(two, model=MODEL)
    with refused("panel") as error:
        choose_skills("mine.csv")  # type: ignore[arg-type]
    message(error)


def test_all_controls_have_a_description_and_a_tooltip(done: SkillChoice) -> None:
    for control in (done.largest, done.fit_button, done.pick, done.work.stop_button):
        assert control.description
        assert control.tooltip
    assert isinstance(done, ipywidgets.VBox)


def test_both_criteria_are_drawn_and_the_pick_is_marked(done: SkillChoice) -> None:
    assert done.selection is not None
    ax = plots.plot_criterion(done.selection, criterion="both", chosen=2)
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert [text[:3] for text in legend] == ["cho", "AIC", "BIC"]
    dotted = [line for line in ax.lines if line.get_linestyle() == ":"]
    assert [line.get_xdata()[0] for line in dotted] == [2]
    assert isinstance(ax.figure, mpl.figure.Figure)


def test_doubts_name_all_that_did_not_converge(done: SkillChoice, message: Message) -> None:
    assert done.selection is not None
    assert doubts(done.selection) == ""
    failed = {k: replace(f, converged=False, message="?") for k, f in done.selection.fits.items()}
    told = doubts(lv.Selection(failed, done.selection.table))
    assert re.findall(r"K = (\d)", told) == ["1", "2", "3"]
    message(told)


def test_the_table_has_a_row_for_each_number_of_skills(done: SkillChoice) -> None:
    assert done.selection is not None
    assert done.table.value.count("<tr") == 4
    assert f"{done.selection.table['aic'][2]:,.1f}</td>" in done.table.value
    assert list(readable(done.selection)["K"]) == [1, 2, 3]
