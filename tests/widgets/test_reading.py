from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import ipywidgets
import pytest
from golden import Message, refused

import lvkit as lv
from lvkit.estimation import standard_errors
from lvkit.widgets import interpret_skills
from lvkit.widgets.reading import SkillReading, named_anchors

LOADINGS, CORRELATIONS, FAMILIES, PAIR = range(4)


def reader(fit: lv.Fit, **more: Any) -> SkillReading:
    return interpret_skills(fit, **({"raise_on_exception": True} | more))


@pytest.fixture
def widget(small_fit: lv.Fit) -> SkillReading:
    return reader(small_fit)


@pytest.fixture(scope="module")
def one_skill(small_panel: lv.Panel) -> lv.Fit:
    two = small_panel.select(benchmarks=["mmlu", "gsm8k"])
    return lv.LatentSkillModel(anchors={"all": "mmlu"}, features="log_params").fit(two)


def test_the_loadings_are_shown_first(
    widget: SkillReading, small_fit: lv.Fit, message: Message
) -> None:
    assert widget.fit is small_fit
    message(widget.pictures[LOADINGS].alt, "6", "2")
    assert [bool(picture.png) for picture in widget.pictures] == [True, False, False, False]
    assert widget.posterior is None


def test_an_anchor_chosen_reads_the_same_fit_in_other_words(
    widget: SkillReading, small_fit: lv.Fit, message: Message
) -> None:
    before = widget.pictures[LOADINGS].png
    widget.anchors[0].value = "gsm8k"
    assert widget.fit.anchors == {"gsm8k_skill": "gsm8k", "instruction": "ifeval"}
    expected = small_fit.reanchor(widget.fit.anchors).loadings
    assert widget.fit.loadings.equals(expected)
    assert widget.pictures[LOADINGS].png != before
    message(widget.pictures[LOADINGS].alt, "gsm8k_skill")


def test_skills_are_named_in_the_menus_by_their_new_anchors(widget: SkillReading) -> None:
    widget.up.value = "instruction"
    widget.anchors[1].value = "bbh"
    assert widget.up.options == (("general", "general"), ("bbh_skill", "bbh_skill"))
    assert widget.up.value == "bbh_skill"
    assert widget.skill.options[0] == ("all skills", "")


def test_the_same_anchor_twice_is_refused_in_plain_words(
    small_fit: lv.Fit, message: Message
) -> None:
    widget = interpret_skills(small_fit)
    before = widget.pictures[LOADINGS].png
    widget.anchors[0].value = "ifeval"
    message(widget.notice.text, "ifeval", "2")
    assert widget.fit is small_fit
    assert widget.pictures[LOADINGS].png == before
    widget.anchors[0].value = "gsm8k"
    assert widget.notice.text == ""
    assert widget.fit.skills == ("gsm8k_skill", "instruction")


def test_anchors_that_do_not_tell_the_skills_apart_are_refused_in_plain_words(
    small_fit: lv.Fit, message: Message
) -> None:
    loadings = small_fit.frame.loadings.copy()
    loadings[small_fit.benchmarks.index("gsm8k")] = loadings[small_fit.benchmarks.index("ifeval")]
    alike = replace(small_fit, frame=replace(small_fit.frame, loadings=loadings))
    widget = interpret_skills(alike)
    widget.anchors[0].value = "gsm8k"
    message(widget.notice.text)
    assert widget.fit is alike
    widget.raise_on_exception = True
    with refused("anchors gsm8k, ifeval") as error:
        widget.call(lambda _: widget._reanchor(), None)
    message(error)


def test_lvkits_suggestion_is_taken_with_its_reason(
    widget: SkillReading, small_fit: lv.Fit
) -> None:
    widget.press(widget.suggest_button)
    best = small_fit.suggest_anchors(1)
    assert tuple(widget.fit.anchors.values()) == best.table["anchors"].iloc[0]
    assert [menu.value for menu in widget.anchors] == list(best.best.values())
    assert best.table["reason"].iloc[0] in widget.notice.text


def test_the_first_anchors_can_be_taken_again(widget: SkillReading, small_fit: lv.Fit) -> None:
    widget.anchors[1].value = "hellaswag"
    assert widget.fit is not small_fit
    widget.press(widget.restore_button)
    assert widget.fit is small_fit
    assert [menu.value for menu in widget.anchors] == ["mmlu", "ifeval"]


def test_error_bars_are_shown_on_demand(widget: SkillReading, message: Message) -> None:
    pictures = [widget.pictures[LOADINGS].png]
    assert widget.skill.disabled
    widget.errors.value = True
    message(widget.pictures[LOADINGS].alt)
    pictures.append(widget.pictures[LOADINGS].png)
    widget.skill.value = "instruction"
    message(widget.pictures[LOADINGS].alt, "95%")
    pictures.append(widget.pictures[LOADINGS].png)
    assert len(set(pictures)) == 3
    widget.errors.value = False
    assert widget.pictures[LOADINGS].png == pictures[0]


def test_errors_are_measured_once_whatever_the_anchors(
    widget: SkillReading, monkeypatch: pytest.MonkeyPatch, message: Message
) -> None:
    shown: list[bool] = []
    picture = widget.pictures[LOADINGS]
    picture.observe(lambda _: shown.append("Standard errors" in picture.alt), "value")
    widget.errors.value = True
    assert shown == [True]
    monkeypatch.setattr(standard_errors, "measure", pytest.fail)
    widget.anchors[0].value = "gsm8k"
    assert shown == [True, True]
    widget.skill.value = "instruction"
    assert len(shown) == 3
    message(picture.alt, "95%")


def test_where_errors_are_asked_for_with_other_anchors_the_loadings_come_first(
    small_fit: lv.Fit,
) -> None:
    widget = reader(replace(small_fit))
    shown: list[bool] = []
    picture = widget.pictures[LOADINGS]
    picture.observe(lambda _: shown.append("Standard errors" in picture.alt), "value")
    with widget.quiet():
        widget.errors.value = True
    widget.anchors[0].value = "gsm8k"
    assert shown == [False, True]


def test_each_tab_is_drawn_when_it_is_opened(widget: SkillReading, message: Message) -> None:
    widget.tab.selected_index = CORRELATIONS
    message(widget.pictures[CORRELATIONS].alt)
    widget.tab.selected_index = FAMILIES
    message(widget.pictures[FAMILIES].alt)
    assert widget.posterior is None


def test_families_are_marked_and_placed_on_other_skills(
    widget: SkillReading, small_fit: lv.Fit, message: Message
) -> None:
    widget.tab.selected_index = FAMILIES
    seen = [widget.pictures[FAMILIES].png]
    widget.marked.value = small_fit.families[:3]
    assert all(name in widget.pictures[FAMILIES].alt for name in small_fit.families[:3])
    seen.append(widget.pictures[FAMILIES].png)
    widget.top.value = 4
    message(widget.pictures[FAMILIES].alt, "4")
    seen.append(widget.pictures[FAMILIES].png)
    with widget.quiet():
        widget.across.value = "instruction"
    widget.up.value = "general"
    message(widget.pictures[FAMILIES].alt)
    assert len({*seen, widget.pictures[FAMILIES].png}) == 4


def test_one_skill_on_both_axes_is_told_and_the_widget_goes_on(
    small_fit: lv.Fit, message: Message
) -> None:
    widget = interpret_skills(small_fit)
    widget.tab.selected_index = FAMILIES
    before = widget.pictures[FAMILIES].png
    widget.up.value = "general"
    message(widget.notice.text)
    assert widget.pictures[FAMILIES].png == before
    widget.across.value = "instruction"
    assert widget.notice.text == ""
    message(widget.pictures[FAMILIES].alt)


def test_no_family_marked_is_no_fault(widget: SkillReading) -> None:
    widget.tab.selected_index = FAMILIES
    widget.marked.value = ()
    assert "Marked" not in widget.pictures[FAMILIES].alt
    assert widget.notice.text == ""


def test_posteriors_are_drawn_once_when_two_families_are_compared(
    widget: SkillReading, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, asked = lv.Fit.sample_families, []

    def counted(fit: lv.Fit, *a: Any, **k: Any) -> Any:
        asked.append(fit.skills)
        return real(fit, *a, **k)

    monkeypatch.setattr(lv.Fit, "sample_families", counted)
    widget.tab.selected_index = PAIR
    before = widget.pictures[PAIR].png
    names = [name for name in widget.one.options if name != widget.other.value]
    widget.one.value = next(name for name in names if name != widget.one.value)
    assert widget.pictures[PAIR].png != before
    assert widget.one.value in widget.pictures[PAIR].alt
    assert len(asked) == 1
    widget.anchors[0].value = "arc"
    widget.press(widget.restore_button)
    assert asked == [("general", "instruction"), ("arc_skill", "instruction")]


def test_the_comparison_is_that_of_the_library(widget: SkillReading) -> None:
    widget.tab.selected_index = PAIR
    assert widget.posterior is not None
    a, b = widget.one.value, widget.other.value
    expected = widget.posterior.compare(a, b)
    assert widget.table.frame is not None
    told = widget.table.frame[f"probability that {a} stands higher"]
    assert told.tolist() == expected["probability"].tolist()


def test_a_family_compared_with_itself_is_told(small_fit: lv.Fit, message: Message) -> None:
    widget = interpret_skills(small_fit)
    widget.tab.selected_index = PAIR
    widget.other.value = widget.one.value
    message(widget.notice.text)
    widget.other.value = next(name for name in widget.other.options if name != widget.one.value)
    assert widget.notice.text == ""


def test_the_families_asked_for_are_marked_and_compared_first(small_fit: lv.Fit) -> None:
    pair = small_fit.families[3:5]
    widget = reader(small_fit, families=pair)
    assert widget.marked.value == pair
    assert (widget.one.value, widget.other.value) == pair


def test_warnings_of_close_skills_are_said_in_the_widget(
    widget: SkillReading, monkeypatch: pytest.MonkeyPatch, message: Message
) -> None:
    real = lv.Fit.reanchor

    def warns(fit: lv.Fit, anchors: Any) -> lv.Fit:
        warnings.warn("skills that are hardly two", lv.LvkitWarning, stacklevel=2)
        return real(fit, anchors)

    monkeypatch.setattr(lv.Fit, "reanchor", warns)
    widget.anchors[0].value = "gsm8k"
    message(widget.notice.text)
    assert widget.fit.skills == ("gsm8k_skill", "instruction")


def test_a_fit_that_did_not_converge_says_so_and_has_no_error_bars(
    small_fit: lv.Fit, message: Message
) -> None:
    widget = reader(replace(small_fit, converged=False, message="step limit reached"))
    message(widget.notice.text)
    assert widget.errors.disabled
    widget.anchors[0].value = "gsm8k"
    assert widget.fit.skills[0] == "gsm8k_skill"


def test_anchors_are_fixed_where_family_slopes_are_tied_to_them(
    small_fit: lv.Fit, message: Message
) -> None:
    model = replace(small_fit.model, family_slopes="log_params")
    widget = reader(replace(small_fit, model=model))
    message(widget.notice.text)
    assert all(menu.disabled for menu in widget.anchors)


def test_a_fit_with_one_skill_is_read_too(one_skill: lv.Fit, message: Message) -> None:
    widget = reader(one_skill)
    for tab in range(4):
        widget.tab.selected_index = tab
    message(widget.pictures[FAMILIES].alt)
    assert not widget.pictures[PAIR].png
    assert widget.table.frame is not None
    assert len(widget.table.frame) == 1


def test_what_is_no_fit_is_refused(message: Message) -> None:
    with refused("argument 'fit'") as error:
        interpret_skills(None)  # type: ignore[arg-type]
    message(error)


def test_a_family_that_was_not_fitted_is_refused(small_fit: lv.Fit, message: Message) -> None:
    with refused() as error:
        interpret_skills(small_fit, families=["nobody"])
    message(error, "nobody")


def test_all_controls_have_a_description_and_a_tooltip(widget: SkillReading) -> None:
    controls = [
        *widget.anchors, widget.suggest_button, widget.restore_button, widget.errors, widget.skill,
        widget.across, widget.up, widget.marked, widget.top, widget.one, widget.other,
    ]  # fmt: skip
    assert all(control.description and control.tooltip for control in controls)
    assert list(widget.tab.titles) == ["Loadings", "Correlations", "Families", "Two families"]
    assert isinstance(widget, ipywidgets.VBox)


def test_a_skill_keeps_its_name_where_the_fit_had_its_anchor() -> None:
    first = {"maths": "gsm8k", "reading": "race"}
    taken = ["gsm8k", "mmlu", "race"]
    same = named_anchors(first, ["race", "gsm8k"], taken)
    assert same == {"reading": "race", "maths": "gsm8k"}
    other = named_anchors(first, ["mmlu", "race"], taken)
    assert other == {"mmlu_skill": "mmlu", "reading": "race"}


def test_two_skills_never_share_a_name() -> None:
    odd = {"race": "gsm8k", "reading": "mmlu"}
    names = named_anchors(odd, ["gsm8k", "race"], ["gsm8k", "mmlu", "race"])
    assert names == {"race": "gsm8k", "race_skill": "race"}
    odd = {"race_skill": "gsm8k", "reading": "mmlu"}
    names = named_anchors(odd, ["gsm8k", "race"], ["gsm8k", "mmlu", "race"])
    assert names == {"race_skill": "gsm8k", "race_skill2": "race"}
