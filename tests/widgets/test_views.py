from __future__ import annotations

import pytest
from golden import Message

import lvkit as lv
from lvkit.estimation.family_posterior import FamilyPosterior
from lvkit.widgets import views
from lvkit.widgets.picture import PictureBox

SKILLS = ("general", "instruction")


@pytest.fixture(scope="module")
def post(small_fit: lv.Fit) -> FamilyPosterior:
    return small_fit.sample_families()


def test_error_bars_are_in_the_picture_and_in_the_words(
    small_fit: lv.Fit, message: Message
) -> None:
    plain, errors = (views.loadings_view(small_fit, errors=on) for on in (False, True))
    message(errors.alt)
    message(plain.alt)
    assert any("±" in text.get_text() for text in errors.paint(None).texts)
    assert not any("±" in text.get_text() for text in plain.paint(None).texts)


def test_one_skills_error_bars_are_its_intervals(small_fit: lv.Fit, message: Message) -> None:
    view = views.loadings_view(small_fit, errors=True, skill="general")
    message(view.alt, "95%")
    message(view.paint(None).get_xlabel())


def test_a_skill_without_error_bars_is_the_heat_map(small_fit: lv.Fit) -> None:
    view = views.loadings_view(small_fit, skill="general")
    assert view.alt == views.loadings_view(small_fit).alt


def test_correlations_are_told(small_fit: lv.Fit, message: Message) -> None:
    value = small_fit.correlation.iloc[0, 1]
    message(views.correlation_view(small_fit).alt, f"{value:.2f}")


def test_families_are_placed_on_the_skills_asked_for(small_fit: lv.Fit, message: Message) -> None:
    family = small_fit.families[0]
    view = views.map_view(small_fit, SKILLS[::-1], families=[family], top=5)
    ax = view.paint(None)
    message(ax.get_xlabel())
    message(view.alt, "5", family)


def test_families_of_one_skill_are_ranked(small_panel: lv.Panel, message: Message) -> None:
    two = small_panel.select(benchmarks=["mmlu", "gsm8k"])
    fit = lv.LatentSkillModel(anchors={"all": "mmlu"}, features="log_params").fit(two)
    view = views.map_view(fit, ("all", "all"), top=4)
    assert len(view.paint(None).get_yticks()) == 4
    message(view.alt, "4")


def test_two_families_are_told_apart_with_their_odds(
    post: FamilyPosterior, message: Message
) -> None:
    a, b = post.families[:2]
    view = views.pair_view(post, a, b, SKILLS)
    message(view.alt, a)
    assert {a, b} <= {text.get_text() for text in view.paint(None).texts}


def test_the_comparison_has_a_row_for_each_skill(post: FamilyPosterior) -> None:
    a, b = post.families[:2]
    table = views.compared(post, a, b)
    assert list(table["skill"]) == list(SKILLS)
    told = table[f"probability that {a} stands higher"]
    assert told.tolist() == post.compare(a, b)["probability"].tolist()


def test_no_label_is_cut_off(small_fit: lv.Fit, small_panel: lv.Panel) -> None:
    few = small_panel.select(benchmarks=["mmlu", "gsm8k"])
    one = lv.LatentSkillModel(anchors={"a skill of all": "mmlu"}, features="log_params").fit(few)
    post, pair = small_fit.sample_families(), small_fit.families[:2]
    shown = [
        views.loadings_view(one),
        views.loadings_view(one, errors=True),
        views.loadings_view(one, errors=True, skill="a skill of all"),
        views.map_view(one, ("a skill of all",) * 2, top=3),
        views.loadings_view(small_fit, errors=True),
        views.correlation_view(small_fit),
        views.map_view(small_fit, SKILLS),
        views.pair_view(post, *pair, SKILLS),
    ]
    for view in shown:
        ax = view.paint(None)
        ax.figure.draw_without_rendering()
        for label in (part for each in ax.figure.axes for part in (each.xaxis, each.yaxis)):
            box = label.label.get_window_extent()
            assert not label.label.get_text() or ax.figure.bbox.count_contains(box.corners()) == 4


def test_pictures_of_one_shape_have_everything_in_the_same_place(small_fit: lv.Fit) -> None:
    other = small_fit.reanchor({"general": "arc", "instruction": "ifeval"})
    assert views.loadings_view(small_fit).keep == views.loadings_view(other).keep
    kept, fresh, box = PictureBox(), PictureBox(), views.loadings_view
    for fit in (small_fit, other):
        kept.show(box(fit).paint, size=None, keep=box(fit).keep)
    fresh.show(box(other).paint, size=None)
    assert kept.png == fresh.png
