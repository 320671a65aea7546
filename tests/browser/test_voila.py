"""The pages that Voila makes of the app notebooks, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from browsing import PATIENCE, apps_in, until

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with apps_in(tmp_path_factory.mktemp("home")) as url:
        yield url


def opened(page: Any, url: str, name: str) -> Any:
    """Open a page; return its pictures when the first of them is there."""
    page.set_default_timeout(PATIENCE * 1000)
    page.goto(f"{url}voila/render/{name}.ipynb")
    page.wait_for_selector("img:visible")
    return page.locator("img:visible")


def test_the_skills_are_a_page_without_code_that_answers(page: Any, url: str) -> None:
    picture = opened(page, url, "app_skills")
    assert "import lvkit" not in page.locator("body").inner_text()
    first = picture.get_attribute("src")
    page.get_by_role("tab", name="Correlations").click()
    until(lambda: picture.count() == 1 and picture.get_attribute("src") != first, "correlations")


def test_the_planner_is_a_page_without_code_that_answers(page: Any, url: str) -> None:
    picture = opened(page, url, "app_planner")
    assert "import lvkit" not in page.locator("body").inner_text()
    shown = "images => images.map(image => image.src).join()"
    first = picture.evaluate_all(shown)
    page.locator(".widget-hslider", has_text="Budget").locator(".noUi-handle").press("ArrowRight")
    until(lambda: picture.evaluate_all(shown) not in (first, ""), "another plan")
