"""Files in, panels out."""

from __future__ import annotations

import csv
import io

import pandas as pd

from lvkit.panel import Panel


def panel_from_csv(text: str, *, name: str) -> Panel:
    rows = list(csv.reader(io.StringIO(text, newline="")))
    frame = pd.DataFrame(rows[1:], columns=rows[0])
    return Panel.from_frame(frame)
