"""Widgets: the library's questions, asked with sliders and answered with pictures.

Importable as ``lvkit.widgets``. Each function returns one widget and shows nothing; the last line
of a notebook's cell does that. A widget is a thin view over functions of the library: it computes
nothing itself, and what it found lies in its attributes (``widget.fit``, ``widget.plan`` ...) for
the next cell.

========================  ==========================================================
:func:`explore_panel`     read scores, filter them, look at them
:func:`response_curve`    the Beta response, by sliders
:func:`choose_skills`     fit with 1 to 6 skills, compare, take one
:func:`interpret_skills`  what the skills are, and where families stand
:func:`predict_scores`    scores of a model, with intervals
:func:`plan_budget`       how to spend a budget of compute
========================  ==========================================================

Modules in this package import each other relatively: it stands beside ``lvkit`` in the sources and
inside it where it is installed. Names are loaded when they are first used; ``__init__.pyi`` lists
them.
"""

from __future__ import annotations

from importlib.util import find_spec

import lazy_loader

from lvkit.errors import LvkitError

if find_spec("ipywidgets") is None:
    raise LvkitError(
        "widgets need ipywidgets, which is not installed",
        where="lvkit.widgets",
        remedy="Install lvkit[lab].",
    )

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
