"""From results to pages: pictures with their sentences, and notebooks run into reports.

``facts`` holds the few numbers that pictures and sentences share, ``drawing`` the canvas that
:mod:`lvkit.plots` draws on, ``describe`` the sentences; ``kernel`` runs a notebook, ``page`` makes
it a page, and ``keynumbers`` are what a program reads. :mod:`lvkit.report` puts them together.
"""

from __future__ import annotations

__all__: list[str] = []
