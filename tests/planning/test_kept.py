from __future__ import annotations

import gc
import weakref
from dataclasses import replace

import pytest

import lvkit as lv
from lvkit.planning.kept import _MOST, kept


@pytest.fixture
def fit(small_fit: lv.Fit) -> lv.Fit:
    """A fit of which nothing is kept yet."""
    return replace(small_fit)


def test_what_is_kept_is_made_once_for_each_key_and_fit(fit: lv.Fit, small_fit: lv.Fit) -> None:
    made: list[str] = []

    def make(name: str) -> list[str]:
        made.append(name)
        return [name]

    first = kept(fit, "a", lambda: make("a"))
    assert kept(fit, "a", lambda: make("a")) is first
    assert kept(fit, "b", lambda: make("b")) == ["b"]
    assert kept(replace(fit), "a", lambda: make("a")) is not first
    assert made == ["a", "b", "a"]


def test_what_was_not_asked_for_longest_is_forgotten_first(fit: lv.Fit) -> None:
    for number in range(_MOST):
        kept(fit, number, object)
    first = kept(fit, 0, object)
    kept(fit, "one more", object)
    assert kept(fit, 0, object) is first
    assert kept(fit, 1, lambda: "made anew") == "made anew"


def test_nothing_is_kept_of_what_failed(fit: lv.Fit) -> None:
    with pytest.raises(ZeroDivisionError):
        kept(fit, "a", lambda: 1 / 0)
    assert kept(fit, "a", lambda: 1) == 1


def test_nothing_outlives_its_fit(fit: lv.Fit) -> None:
    mine = replace(fit)
    lv.plan_compute(mine, 1e22, target="general")
    gone = weakref.ref(mine)
    del mine
    gc.collect()
    assert gone() is None
