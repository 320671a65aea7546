from __future__ import annotations

import html
import re
from typing import Any

import nbformat
import pandas as pd
import pytest

from lvkit.batch.page import contents_of, html_page, section_of

new = nbformat.v4


def notebook() -> Any:
    settings = new.new_code_cell("secret = 1", metadata={"tags": ["parameters"]})
    aside = new.new_markdown_cell("An aside.", metadata={"tags": ["notebook-only"]})
    work = new.new_code_cell("print(1)", execution_count=1)
    work.outputs = [
        new.new_output("stream", name="stdout", text="<script>printed</script>"),
        new.new_output("stream", name="stderr", text="<b>warned</b>"),
        new.new_output("display_data", {"text/html": "<p>shown</p>", "text/plain": "no"}),
        new.new_output("execute_result", {"text/markdown": "**told**"}, execution_count=1),
        new.new_output("execute_result", {"text/plain": "a < b"}, execution_count=1),
    ]
    text = [new.new_markdown_cell(t) for t in ("# The title\n\nHello.", "## First part\n\nWords.")]
    end = new.new_markdown_cell("## And the last")
    return new.new_notebook(cells=[text[0], settings, text[1], aside, work, end])


def test_a_page_shows_prose_and_outputs_without_code() -> None:
    page = html_page(notebook(), "A title")
    assert "Hello." in page
    assert "<p>shown</p>" in page
    assert "<strong>told</strong>" in page
    for hidden in ("secret", "print(1)", "An aside", "The title"):
        assert hidden not in page


def test_code_is_shown_as_text_if_it_is_asked_for() -> None:
    given = notebook()
    given.cells[4].source = "print('<b>')  # work"
    page = html_page(given, "A title", code=True)
    assert "print('&lt;b&gt;')  # work" in page
    assert "secret = 1" in page
    assert "An aside" not in page


def test_what_is_for_programs_only_is_not_shown() -> None:
    given = notebook()
    given.cells[4].outputs = [
        new.new_output("display_data", {"application/vnd.mine+json": {"number": 12345}})
    ]
    page = html_page(given, "A title")
    assert "12345" not in page
    assert "Hello." in page


def test_pictures_are_in_the_page_with_their_descriptions() -> None:
    given = notebook()
    given.cells[4].outputs = [
        new.new_output("display_data", {"image/png": "iVBORw0K\n", "text/plain": "<Figure>"}),
        new.new_output("display_data", {"image/jpeg": "/9j/4AAQ"}),
        new.new_output(
            "display_data",
            {"image/svg+xml": "<svg onload='x'/>"},
            metadata={"image/svg+xml": {"alt": 'A "line"'}},
        ),
        new.new_output("display_data", {"text/latex": "$a<b$"}),
    ]
    page = html_page(given, "A title")
    pictures = [html.unescape(img) for img in re.findall(r"<img [^>]*>", page)]
    kinds = [re.findall(r"data:(image/[a-z+]+);base64,\S", img) for img in pictures]
    assert kinds == [["image/png"], ["image/jpeg"], ["image/svg+xml"]]
    assert all("alt=" in img for img in pictures)
    assert 'A "line"' in pictures[2]
    assert "onload" not in page
    assert "$a&lt;b$" in page


def test_what_was_printed_is_text() -> None:
    page = html_page(notebook(), "A title")
    assert "&lt;script&gt;printed" in page
    assert "&lt;b&gt;warned" in page
    assert "a &lt; b" in page


def test_the_title_is_escaped() -> None:
    page = html_page(notebook(), "</title><script>x</script>")
    assert "<script" not in page
    assert "<title>&lt;/title&gt;" in page


def test_every_heading_is_in_the_contents_and_found_from_there() -> None:
    page = html_page(notebook(), "A title")
    assert contents_of(notebook()) == [
        ("First-part", "First part"),
        ("And-the-last", "And the last"),
    ]
    for anchor, _ in contents_of(notebook()):
        assert f'<a href="#{anchor}">' in page
        assert f'id="{anchor}"' in page


def test_a_heading_with_markup_is_found_from_the_contents_too() -> None:
    cell = new.new_markdown_cell("## The *best* `fit` of [all](https://example.org)")
    page = html_page(new.new_notebook(cells=[cell]), "A title")
    assert '<a href="#The-best-fit-of-all">The best fit of all</a>' in page
    assert 'id="The-best-fit-of-all"' in page


def test_making_a_page_does_not_change_the_notebook() -> None:
    given = notebook()
    before = nbformat.writes(given)
    html_page(given, "A title")
    assert nbformat.writes(given) == before


def test_a_cell_is_told_by_the_heading_above_it() -> None:
    assert section_of(notebook(), 4) == "First part"
    assert section_of(notebook(), 1) == "The title"
    assert section_of(new.new_notebook(cells=[new.new_code_cell("1")]), 0) == ""


@pytest.mark.parametrize("name", ["K", "a <b> & c"])
def test_a_table_has_one_row_of_headers(name: str) -> None:
    table = pd.DataFrame({"aic": [1.5], "<i>": [2.5]}, index=pd.Index([3], name=name))
    cell = new.new_code_cell("table")
    cell.outputs = [new.new_output("display_data", {"text/html": table._repr_html_()})]
    page = html_page(new.new_notebook(cells=[cell]), "A title")
    (head,) = re.findall(r"<thead>(.*?)</thead>", page, flags=re.DOTALL)
    assert head.count("<tr") == head.count("</tr>") == 1
    headers = re.findall(r"<th>(.*?)</th>", head)
    assert headers == [html.escape(name), "aic", "&lt;i&gt;"]


def test_a_table_without_a_name_stays_as_it_is() -> None:
    cell = new.new_code_cell("table")
    text = pd.DataFrame({"aic": [1.5]}).to_html()
    cell.outputs = [new.new_output("display_data", {"text/html": text})]
    page = html_page(new.new_notebook(cells=[cell]), "A title")
    (head,) = re.findall(r"<thead>.*?</thead>", page, flags=re.DOTALL)
    assert re.findall(r"<t[hr]>?", head) == ["<th", "<tr", "<th>", "<th>"]
    assert re.findall(r"<th>(.*?)</th>", head) == ["", "aic"]


def test_only_the_first_of_several_first_headings_is_the_title() -> None:
    given = notebook()
    given.cells[3].source = "# Another part"
    given.cells[3].metadata = {}
    assert "Another part</h1>" in re.sub(r"<a .*?</a>", "", html_page(given, "A title"))


def test_a_page_without_sections_has_no_contents() -> None:
    given = notebook()
    assert html_page(given, "A title").count("<nav") == 1
    given.cells = [cell for cell in given.cells if not cell.source.startswith("##")]
    page = html_page(given, "A title")
    assert "Contents" not in page
    assert "#content" not in page


@pytest.mark.parametrize("above", ["", "\n", "Words above.\n\n"])
def test_what_tells_a_run_from_others_stands_in_the_only_first_heading(above: str) -> None:
    given = notebook()
    given.cells[0].source = f"{above}# The title\n\nHello."
    page = html_page(given, "The title (x = 1)")
    assert re.findall(r"<h1[^>]*>(.*?)</h1>", page) == ["The title (x = 1)"]


def test_a_page_of_many_leads_back_to_their_index() -> None:
    link = '<a href="../../index.html">'
    assert link in html_page(notebook(), "A title", index="../../index.html")
    assert "index.html" not in html_page(notebook(), "A title")
