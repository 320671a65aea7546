from __future__ import annotations

import base64
import io
import re

import pandas as pd
import pytest

from lvkit.widgets.table import TableBox

FRAME = pd.DataFrame({"name": ["a<b>", "c"], "size": [0.123456, float("nan")], "ok": [True, False]})


@pytest.fixture
def box() -> TableBox:
    box = TableBox()
    box.show(FRAME, caption="Sizes & names", file="sizes.csv", formats={"size": ".2f"})
    return box


def test_numbers_are_shown_as_asked_and_gaps_are_blank(box: TableBox) -> None:
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", box.value)
    assert cells == ["0.12", "yes", "", "no"]


def test_names_are_text_and_the_table_has_a_caption(box: TableBox) -> None:
    assert "a&lt;b&gt;</th>" in box.value
    assert "Sizes &amp; names</caption>" in box.value
    assert box.value.count('scope="col"') == 3


def test_the_link_holds_the_whole_file(box: TableBox) -> None:
    data = re.search(r'href="data:text/csv;charset=utf-8;base64,([^"]+)"', box.value)
    text = base64.b64decode(data[1]).decode()
    pd.testing.assert_frame_equal(pd.read_csv(io.StringIO(text)), FRAME)
    assert text == box.csv


def test_what_is_read_may_differ_from_what_is_saved(box: TableBox) -> None:
    box.show(FRAME, caption="c", file="f.csv", read=FRAME[["name"]].rename(columns=str.upper))
    assert ">NAME</th>" in box.value
    assert "<td" not in box.value
    assert "0.123456" in box.csv


def test_a_cleared_table_shows_nothing(box: TableBox) -> None:
    box.clear()
    assert (box.value, box.csv, box.frame) == ("", "", None)


def test_the_file_is_safe_to_open_in_a_spreadsheet() -> None:
    box = TableBox()
    frame = pd.DataFrame({"model": ["=1+1", "@a"], "-mmlu": [-0.5, 0.25]})
    box.show(frame, caption="c", file="f.csv")
    assert box.csv.splitlines() == ["model,'-mmlu", "'=1+1,-0.5", "'@a,0.25"]
    link = re.search(r'base64,([^"]+)"', box.value)
    assert link is not None
    assert base64.b64decode(link[1]).decode() == box.csv
