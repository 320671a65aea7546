"""Notebooks: the guided path through lvkit, and the templates behind its reports.

Importable as ``lvkit.notebooks``, so that an installed lvkit carries them. ``lvkit notebooks DIR``
copies them to a folder of yours; ``lvkit report`` runs ``report``, ``family`` and ``leaderboard``.
"""

from __future__ import annotations

__all__: list[str] = []
