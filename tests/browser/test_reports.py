"""Reports and their index in a real browser, from the disk and with the network off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from axe_playwright_python.sync_playwright import Axe

import lvkit as lv
from lvkit.batch import run_reports

pytestmark = [pytest.mark.browser, pytest.mark.slow]

NASTY = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, leaderboard: lv.Panel) -> Path:
    """Two family reports, one of a family with a name that bites, and one on the leaderboard."""
    folder = tmp_path_factory.mktemp("reports")
    panel = leaderboard.complete()
    panel = panel.select(models=panel.models.index[panel.models["tokens_t"].notna()])
    panel.select(families=panel.families[:12]).write_csv(folder / "mine.csv")
    text = (folder / "mine.csv").read_text("utf-8")
    first = panel.families[0]
    renamed = "\n".join(line.replace(f",{first},", f",{NASTY},", 1) for line in text.splitlines())
    (folder / "mine.csv").write_text(renamed + "\n", "utf-8")
    told = {"n_skills": 2}
    families = {"about": [NASTY, panel.families[1]]}
    data = folder / "mine.csv"
    run_reports(data, output=folder / "f", template="family", parameters=told, grid=families)
    told |= {"max_skills": 2}
    run_reports(data, output=folder / "l", template="leaderboard", parameters=told)
    return folder


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The index of three runs of somebody's notebook, one of which has raised an error."""
    folder = tmp_path_factory.mktemp("mine")
    cells = [
        nbformat.v4.new_code_cell("x: int = 0", metadata={"tags": ["parameters"]}),
        nbformat.v4.new_markdown_cell("## Dividing"),
        nbformat.v4.new_code_cell("10 / x"),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "mine.ipynb")
    run_reports(output=folder / "out", notebook=folder / "mine.ipynb", grid={"x": [9, 10, 0]})
    return folder / "out" / "index.html"


@pytest.fixture
def offline(page: Any) -> Any:
    """A page that cannot reach anything but the disk."""
    page.context.set_offline(True)
    page.route(lambda url: not url.startswith(("file:", "data:")), lambda route: route.abort())
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    return page


def faults(page: Any) -> list[str]:
    """What axe-core calls serious or critical, with the element."""
    found = Axe().run(page).response["violations"]
    return [
        f"{fault['id']}: {node['html']}"
        for fault in found
        if fault["impact"] in ("serious", "critical")
        for node in fault["nodes"]
    ]


def column(page: Any, number: int) -> list[str]:
    """The texts of a column of the index."""
    cells = page.locator(f"tbody tr > :nth-child({number})")
    return [text.strip() for text in cells.all_inner_texts()]


@pytest.mark.parametrize("pages", ["f/runs/*/report.html", "l/runs/*/report.html", "*/index.html"])
def test_pages_open_offline_and_axe_finds_no_serious_fault(
    offline: Any, made: Path, pages: str
) -> None:
    found = sorted(made.glob(pages))
    assert found
    for file in found:
        offline.goto(file.as_uri())
        offline.wait_for_load_state()
        assert offline.locator("h1").count() == 1
        assert not faults(offline)


def test_a_name_that_bites_is_only_a_name(offline: Any, made: Path) -> None:
    offline.goto((made / "f" / "index.html").as_uri())
    assert NASTY in offline.locator("tbody").inner_text()
    offline.locator("tbody a").first.click()
    offline.wait_for_load_state()
    assert NASTY in offline.locator("h1").inner_text()


def test_the_first_column_of_a_table_is_aligned_as_its_head_is(offline: Any, made: Path) -> None:
    offline.goto(next(made.glob("f/runs/*/report.html")).as_uri())
    aligned = "cells => [...new Set(cells.map(cell => getComputedStyle(cell).textAlign))]"
    for cells in ("table.dataframe thead th:first-child", "table.dataframe tbody th:first-child"):
        assert offline.locator(cells).evaluate_all(aligned) == ["left"]
    assert offline.locator("table.dataframe tbody td").evaluate_all(aligned) == ["right"]


def test_the_index_has_no_button_that_sorts_files(offline: Any, failed: Path) -> None:
    offline.goto(failed.as_uri())
    heads = offline.locator("thead th")
    without = [text.strip() for text in heads.all_inner_texts()
               if not offline.get_by_role("button", name=text.strip()).count()]  # fmt: skip
    assert without == ["Files"]


def test_pictures_are_in_the_page_and_described(offline: Any, made: Path) -> None:
    offline.goto(next(made.glob("f/runs/*/report.html")).as_uri())
    pictures = offline.locator("img")
    assert pictures.count() >= 4
    drawn = "images => images.every(image => image.naturalWidth > 100 && image.alt.length > 20)"
    assert pictures.evaluate_all(drawn)


def test_the_index_is_sorted_by_keyboard_and_says_so(offline: Any, failed: Path) -> None:
    offline.goto(failed.as_uri())
    names = [text.strip() for text in offline.locator("thead th").all_inner_texts()]
    at = 1 + names.index("x")
    header = offline.locator(f"thead th:nth-child({at})")
    header.get_by_role("button").focus()
    offline.keyboard.press("Enter")
    assert (column(offline, at), header.get_attribute("aria-sort")) == (
        ["0", "9", "10"],
        "ascending",
    )
    offline.keyboard.press("Enter")
    assert (column(offline, at), header.get_attribute("aria-sort")) == (
        ["10", "9", "0"],
        "descending",
    )


def test_the_index_tells_of_failures_and_is_accessible_with_them(
    offline: Any, failed: Path
) -> None:
    offline.goto(failed.as_uri())
    shown = offline.locator("body").inner_text()
    assert "ZeroDivisionError" in shown
    assert "Dividing" in shown
    assert not faults(offline)
