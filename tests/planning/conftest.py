"""Fits that all tests of planning share: two skills, six benchmarks, a second or two each."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import lvkit as lv

ANCHORS = {"general": "mmlu", "instruction": "ifeval"}


def fitted(panel: lv.Panel, **changes: Any) -> lv.Fit:
    return lv.LatentSkillModel(anchors=ANCHORS, **changes).fit(panel)


@pytest.fixture(scope="session")
def curved_fit(small_panel: lv.Panel) -> lv.Fit:
    """Default features: size and tokens need each other for one skill, and not for the other."""
    fit = fitted(small_panel, floor="chance")
    interaction = fit.slopes["log_params:log_tokens"]
    assert interaction["general"] > 0.2
    assert interaction["instruction"] < -0.2
    return fit


@pytest.fixture(scope="session")
def sloped_fit(small_panel: lv.Panel) -> lv.Fit:
    """Families differ in their slope on log size."""
    return fitted(small_panel, family_slopes="log_params")


@pytest.fixture(scope="session")
def cubed_fit(small_panel: lv.Panel) -> lv.Fit:
    """A cube among the features: no parabola along a budget."""
    return fitted(small_panel, features="log_params * log_tokens + I(log_params**3)")


@pytest.fixture(scope="session")
def instructed_fit(small_panel: lv.Panel) -> lv.Fit:
    """Features that size and tokens do not give."""
    return fitted(small_panel, features="log_params * log_tokens + instruct")


@pytest.fixture(scope="session")
def unfinished_fit(curved_fit: lv.Fit) -> lv.Fit:
    """A fit that says it did not converge."""
    return replace(curved_fit, converged=False)
