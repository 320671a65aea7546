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
inside it where it is installed. Names are loaded when they are first used (PEP 562).
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from lvkit.errors import LvkitError

if TYPE_CHECKING:
    from .panel import explore_panel
    from .planning import plan_budget
    from .prediction import predict_scores
    from .reading import interpret_skills
    from .response import response_curve
    from .skills import choose_skills

_HOMES = {
    "choose_skills": "skills",
    "explore_panel": "panel",
    "interpret_skills": "reading",
    "plan_budget": "planning",
    "predict_scores": "prediction",
    "response_curve": "response",
}

__all__ = [
    "choose_skills",
    "explore_panel",
    "interpret_skills",
    "plan_budget",
    "predict_scores",
    "response_curve",
]

if find_spec("ipywidgets") is None:
    raise LvkitError(
        "widgets need ipywidgets, which is not installed",
        where="lvkit.widgets",
        remedy="Install lvkit[lab].",
    )


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'lvkit.widgets' has no attribute '{name}'")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
