"""From a file to a panel: reading tables, and saying all that is wrong with them.

A file is opened and its header read (``readers``, ``tables``, ``header``); an export of the Open
LLM Leaderboard is brought into lvkit's layout (``leaderboard``); families come from a column, a
mapping or the models' names (``families``), and names state sizes (``model_names``); cells become
numbers (``cells``); and the table is checked as a whole (``validation``). Names are
text in one spelling (``names``); scores that look like failed runs (``failed_runs``) and columns
that are features by mistake (``unknown_columns``) are reported. ``sidecars`` reads the small files
beside a table: families and benchmarks.
"""

from __future__ import annotations

__all__: list[str] = []
