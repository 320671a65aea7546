"""Reports and their index in a real browser, from the disk and with the network off."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pytest
from axe_playwright_python.sync_playwright import Axe

import lvkit as lv
from lvkit.batch import run_reports
from lvkit.batch.page import html_page

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


# -- the content security policy -----------------------------------------------------------------

FAR = "https://example.org"
HOSTILE = f"""<script>window.ran = 1</script>
<img src="x" onerror="window.ran = 2"><svg onload="window.ran = 3"></svg>
<a id="run" href="javascript:window.ran = 4">run</a>
<base href="{FAR}/"><link rel="stylesheet" href="{FAR}/a.css"><img src="{FAR}/a.png">
<iframe srcdoc="<script>parent.ran = 5</script>"></iframe><object data="{FAR}/a.pdf"></object>
<style>p {{ background: url({FAR}/b.png) }}</style><form action="{FAR}/"></form>"""


def page_of(*outputs: dict[str, str], texts: tuple[str, ...] = ()) -> str:
    """A report's page with some outputs and prose, without a kernel."""
    work = nbformat.v4.new_code_cell("print('<b>')")
    work.outputs = [nbformat.v4.new_output("display_data", output) for output in outputs]
    work.outputs += [nbformat.v4.new_output("stream", name="stdout", text="\x1b[31mred\x1b[0m")]
    prose = [nbformat.v4.new_markdown_cell(text) for text in ("# T", "## Part", *texts)]
    return html_page(nbformat.v4.new_notebook(cells=[*prose, work]), "T", code=True, index="i.html")


def figure(kind: str) -> str:
    from matplotlib.figure import Figure

    drawn, stream = Figure(), io.BytesIO()
    drawn.subplots().plot([1, 2])
    drawn.savefig(stream, format=kind)
    return (
        base64.b64encode(stream.getvalue()).decode()
        if kind == "png"
        else stream.getvalue().decode()
    )


def test_tables_figures_mathematics_and_code_need_nothing_the_policy_forbids(
    offline: Any, tmp_path: Path
) -> None:
    table = pd.DataFrame({"a": [1.0, -0.5]}, index=pd.Index(["x", "y"], name="who"))
    styled = (
        '<table style="color: rgb(1, 2, 3)"><tr><td style="text-align: right">1</td></tr></table>'
    )
    square = "<math><msup><mi>x</mi><mn>2</mn></msup></math>"
    page = page_of(
        {"text/html": table.to_html(border=1)},
        {"text/html": f"<style>#own td {{ color: rgb(4, 5, 6) }}</style>{styled}"},
        {"image/png": figure("png")},
        {"image/svg+xml": figure("svg")},
        {"text/html": square},
        {"text/latex": "$x^2$"},
        texts=("Energy is $E = m c^2$, and $$\\int x$$", f"[Part](#Part) {square}"),
    )
    (tmp_path / "page.html").write_text(page, "utf-8")
    (tmp_path / "i.html").write_text("<title>index</title>", "utf-8")
    offline.goto((tmp_path / "page.html").as_uri())  # the fixture fails on what the console says
    assert (
        offline.locator("img").evaluate_all("all => all.map(i => i.naturalWidth > 100)")
        == [True] * 2
    )
    colour = "cells => getComputedStyle(cells[cells.length - 1]).color"
    assert offline.locator("td").evaluate_all(colour) == "rgb(1, 2, 3)"
    assert offline.locator("math").count() == 2
    offline.get_by_role("link", name="All reports of this batch").click()
    assert offline.title() == "index"


@pytest.mark.parametrize(
    "tolerated",
    [
        (
            f"fetched {FAR}",
            "Refused to",
            "Setting",
            "Loading",
            "Executing",
            "Applying",
            "Framing",
            "Sending",
            "Running",
            "Connecting",
        )
    ],
    ids=["told by the console"],
)
def test_what_slips_into_a_page_runs_and_fetches_nothing(
    page: Any, tolerated: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "page.html").write_text(page_of({"text/html": HOSTILE}), "utf-8")
    asked: list[Any] = []
    page.on("request", lambda request: asked.append(request))
    page.goto((tmp_path / "page.html").as_uri())
    page.evaluate("document.getElementById('run').click()")
    page.evaluate("document.forms[0].submit()")
    page.wait_for_timeout(300)
    assert page.evaluate("window.ran") is None
    far = [request for request in asked if request.url.startswith(FAR)]
    assert {request.failure for request in far} <= {"csp"}  # stopped before they were sent
    assert page.url.startswith("file:")
