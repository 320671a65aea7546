"""Widgets: the library's questions, asked with sliders and answered with pictures.

Importable as ``lvkit.widgets``. A widget is a thin view over functions of the library: it computes
nothing itself and shows nothing until a notebook shows it. The first ones come with a later
release.
"""

from __future__ import annotations

__all__: list[str] = []
