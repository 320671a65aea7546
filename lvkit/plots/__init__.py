"""Figures: panels, choices of K, fits, predictions, hold-out tests, plans and studies.

One call makes one figure: ``lv.plots.loadings(fit)`` returns an object that displays itself in a
notebook, with a description for readers who cannot see it (``.alt``). It can be changed or saved
(``.ax``, ``.figure``); nothing is saved by itself. With ``ax=`` a figure is drawn on existing axes.
Colour-blind readers can tell the colours apart.

For each figure there is also a function that draws it and returns the axes alone: its name begins
with ``plot_``, as in ``lv.plots.plot_loadings``. The file ``__init__.pyi`` lists them all.
"""

from __future__ import annotations

import lazy_loader

__getattr__, _, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __dir__() -> list[str]:
    return [name for name in __all__ if not name.startswith("plot_")]
