"""Widgets in the hands of somebody with mouse and keyboard, in a real JupyterLab."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import Lab, lab_in, write_notebook

pytestmark = [pytest.mark.browser, pytest.mark.slow]

START = "import lvkit as lv\nfrom lvkit import widgets"
SMALL = """
panel = lv.load_leaderboard().complete()
panel = panel.select(models=panel.models.index[panel.models["tokens_t"].notna()])
panel = panel.select(families=panel.families[:12], benchmarks=panel.scores.columns[:6])
fit = lv.LatentSkillModel(n_skills=2).fit(panel)
"""
CELLS = {
    "response": "widget = widgets.response_curve()\nwidget",
    "explore": "widget = widgets.explore_panel()\nwidget",
    "skills": "widget = widgets.choose_skills(lv.load_leaderboard())\nwidget",
    "reading": f"{SMALL}\nwidget = widgets.interpret_skills(fit)\nwidget",
    "prediction": f"{SMALL}\nwidget = widgets.predict_scores(fit)\nwidget",
    "planning": f"{SMALL}\nwidget = widgets.plan_budget(fit)\nwidget",
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def url(home: Path) -> Iterator[str]:
    with lab_in(home) as url:
        for name, cell in CELLS.items():
            write_notebook(home / "mine" / f"{name}.ipynb", f"{START}\n{cell}")
        yield url


@pytest.fixture
def lab(page: Any, url: str) -> Lab:
    return Lab(page, url)


def test_twenty_moves_of_a_slider_change_the_one_picture_in_its_place(lab: Lab) -> None:
    lab.show("response")
    seen = [lab.changed("")]
    for _ in range(20):
        lab.nudge("Loading")
        seen.append(lab.changed(seen[-1]))
    assert len(set(seen)) == 21
    assert lab.picture.count() == 1
    assert lab.page.locator(".jp-OutputArea-child").count() == 1


def test_start_again_brings_the_first_picture_back(lab: Lab) -> None:
    lab.show("response")
    first = lab.changed("")
    lab.nudge("Floor")
    moved = lab.changed(first)
    lab.button("Start again").click()
    assert lab.changed(moved) == first


def test_a_search_that_is_stopped_keeps_what_is_done_and_can_begin_again(lab: Lab) -> None:
    lab.show("skills")
    lab.button("Fit").click()
    both = lab.changed(lab.changed(""))  # K = 1 is done, then K = 2
    lab.button("Stop").click()
    lab.wait_said("Stopped; done: K = 1")
    lab.nudge("Largest K", "Home")
    lab.button("Fit").click()
    lab.wait_said("The search is done: K = 1.")
    lab.changed(both)
    assert lab.picture.count() == 1


def test_a_bad_file_is_told_of_and_a_good_one_is_drawn(
    lab: Lab, small_file: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text("model,family,params_b,mmlu\na-1b,a,-1,0.3\n")
    lab.show("explore")
    first = lab.changed("")
    lab.upload("Upload", bad)
    lab.wait_said("bad.csv: the file cannot be used")
    assert lab.picture.get_attribute("src") == first
    lab.upload("Upload", small_file)
    assert lab.changed(first)
    assert lab.page.get_by_label("Data").evaluate("menu => menu.selectedOptions[0].text") == (
        small_file.name
    )
    assert lab.picture.count() == 1


def test_another_anchor_draws_the_same_fit_anew(lab: Lab) -> None:
    lab.show("reading")
    first = lab.changed("")
    menu = lab.page.get_by_label("Anchor 1")
    chosen = menu.input_value()
    other = menu.evaluate("menu => [...menu.options].map(o => o.value).find(v => v != menu.value)")
    menu.select_option(other)
    second = lab.changed(first)
    lab.button("First anchors").click()
    assert lab.changed(second) == first
    assert menu.input_value() == chosen
    assert lab.picture.count() == 1


def test_a_prediction_is_drawn_anew_for_another_level(lab: Lab) -> None:
    lab.show("prediction")
    first = lab.changed("")
    lab.nudge("Level", "Home")
    assert lab.changed(first)
    assert lab.picture.count() == 1


def test_a_plan_follows_its_budget_and_tells_of_a_limit_it_cannot_read(lab: Lab) -> None:
    lab.show("planning")
    first = lab.changed("")
    count = lab.picture.count()
    lab.nudge("Budget")
    second = lab.changed(first)
    lab.page.locator(
        ".jp-OutputArea .p-Accordion, .jp-OutputArea .jupyter-widget-Accordion"
    ).click()
    limit = lab.page.locator(".jp-OutputArea .jupyter-widget-Accordion input[type=text]").first
    limit.fill("as large as can be")
    limit.press("Enter")
    lab.wait_said("as large as can be")
    limit.fill("")
    limit.press("Enter")
    lab.nudge("Budget")
    assert lab.changed(second)
    assert lab.picture.count() == count
