"""Data: from a file to a checked panel.

A file becomes a table of cells (``csv_and_parquet``); an export of the Open LLM Leaderboard is
brought into lvkit's layout (``leaderboard_export``); the header is checked (``header``), cells
become numbers and names (``cells``, ``scores``, ``sizes``, ``model_names``), and the table is
validated as a whole (``validation``). The result is a :class:`Panel`. ``read`` has the functions
that users call; ``side_files`` reads the small files beside a table, and ``embedded`` the tables
that come with lvkit: 197 open language models on 12 benchmarks.
"""

from __future__ import annotations

from lvkit.data.embedded import known_benchmarks
from lvkit.data.panel import Panel
from lvkit.data.read import CheckReport, check_file, load_leaderboard, read_panel

__all__ = [
    "CheckReport",
    "Panel",
    "check_file",
    "known_benchmarks",
    "load_leaderboard",
    "read_panel",
]
