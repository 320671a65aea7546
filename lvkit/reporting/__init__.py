"""From results to pages: paragraphs beside figures, and notebooks run into reports.

``summary`` tells a whole analysis, and ``keynumbers`` are what a program reads. :mod:`lvkit.batch`
runs the notebooks and makes the pages.

Plots and the terminal do not import from here: what figures and sentences share is in
:mod:`lvkit.interpret` and :mod:`lvkit.standings`, documents for programs in :mod:`lvkit.documents`.
"""

from __future__ import annotations

__all__: list[str] = []
