"""Notebooks: the guided path through lvkit, and the template behind its reports.

Importable as ``lvkit.notebooks``, so that an installed lvkit carries them. ``lvkit notebooks DIR``
copies them to a folder of yours; ``report.ipynb`` is what ``lvkit report`` runs.
"""

from __future__ import annotations

__all__: list[str] = []
