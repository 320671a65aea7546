"""From a file to a panel: reading tables, and saying all that is wrong with them.

A file is opened and its header read (``readers``, ``tables``, ``header``); an export of the Open
LLM Leaderboard is brought into lvkit's layout (``leaderboard``); families come from a column, a
mapping or the models' names (``families``), and names state sizes (``model_names``); cells become
numbers (``cells``); and the table is checked as a whole (``validation``). ``sidecars`` reads the
small files beside it: families and benchmarks.
"""

from __future__ import annotations

__all__: list[str] = []
