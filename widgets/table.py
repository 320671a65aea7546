"""The table of a widget: numbers to read, to copy and to take away.

A picture shows what is going on, a table says it exactly, and to those who listen to a page it says
it at all. It is plain HTML, so that it can be marked and copied into a spreadsheet, with a link
that saves it as CSV: the file is inside the link, so that nothing is written on a server.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping

import ipywidgets
import pandas as pd

from lvkit.data.table_files import csv_text

_CELL = "padding: 1px 10px 1px 0; border-bottom: 1px solid #ddd"


class TableBox(ipywidgets.HTML):  # type: ignore[misc]  # ipywidgets has no types
    """A table that can be replaced, with a caption and a link to its CSV file.

    Attributes
    ----------
    frame : DataFrame or None
        What the CSV file holds, with all its digits; None where nothing is shown.
    csv : str
        The file's text; empty where nothing is shown.

    Examples
    --------
    >>> box = TableBox()
    >>> box.show(pd.DataFrame({"who": ["<b>"], "size": [7.123]}), caption="Sizes", file="sizes.csv")
    >>> "7.12</td>" in box.value, "&lt;b&gt;" in box.value, 'download="sizes.csv"' in box.value
    (True, True, True)
    >>> box.csv.splitlines()
    ['who,size', '<b>,7.123']
    """

    frame: pd.DataFrame | None
    csv: str

    def __init__(self) -> None:
        super().__init__()
        self.clear()

    def show(
        self,
        frame: pd.DataFrame,
        *,
        caption: str,
        file: str,
        read: pd.DataFrame | None = None,
        formats: Mapping[str, str] | None = None,
    ) -> None:
        """Show a table in the place of the one before.

        Parameters
        ----------
        frame : DataFrame
            What goes into the file; its index is left out, and no text in it begins like a formula
            of a spreadsheet.
        caption : str
            What the table holds.
        file : str
            Name of the CSV file.
        read : DataFrame, optional
            What is shown, where that is not the same: fewer columns, or friendlier names.
        formats : mapping of str to str, optional
            How to write the numbers of a column of what is shown, such as ``{"score": ".2f"}``;
            three digits otherwise.
        """
        self.frame, self.csv = frame, csv_text(frame)
        data = base64.b64encode(self.csv.encode()).decode("ascii")
        self.value = (
            _table(frame if read is None else read, caption, formats or {})
            + f'<a download="{html.escape(file, quote=True)}" style="text-decoration: underline" '
            f'href="data:text/csv;charset=utf-8;base64,{data}">Save as {html.escape(file)}</a>'
        )

    def clear(self) -> None:
        """Show nothing."""
        self.frame = None
        self.csv, self.value = "", ""


def _table(frame: pd.DataFrame, caption: str, formats: Mapping[str, str]) -> str:
    """Return a table as HTML; its first column holds the names of the rows."""
    names = [str(name) for name in frame.columns]
    head = "".join(f'<th scope="col" style="{_CELL}">{html.escape(name)}</th>' for name in names)
    columns = [
        [_text(cell, formats.get(name, ".3g")) for cell in frame[name]] for name in frame.columns
    ]
    rows = "".join(f"<tr>{_row(cells)}</tr>" for cells in zip(*columns, strict=True))
    return (
        '<div style="overflow-x: auto"><table style="border-collapse: collapse; line-height: 1.4">'
        f'<caption style="text-align: left">{html.escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _row(cells: tuple[str, ...]) -> str:
    first = (
        f'<th scope="row" style="{_CELL}; font-weight: normal; text-align: left">{cells[0]}</th>'
    )
    return first + "".join(
        f'<td style="{_CELL}; text-align: right">{cell}</td>' for cell in cells[1:]
    )


def _text(cell: object, how: str) -> str:
    """Return a cell as text of a page; nothing for what is missing."""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, float):
        return "" if cell != cell else format(cell, how)
    return "" if cell is None or cell is pd.NA else html.escape(str(cell))
