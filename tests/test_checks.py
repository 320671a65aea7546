"""Arguments are checked in one way everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lvkit.checks import check_level, check_names, check_path, check_whole, check_workers
from lvkit.errors import LvkitError


@pytest.mark.parametrize("value", [1, np.int64(1), 7])
def test_a_whole_number_comes_back_as_an_int(value: Any) -> None:
    assert type(check_whole(value, "starts")) is int


@pytest.mark.parametrize("value", [0, -1, 1.0, True, "1", None, np.float64(2.0)])
def test_what_is_no_whole_number_from_one_is_refused(value: Any) -> None:
    with pytest.raises(LvkitError, match="starts: got .*; expected a whole number from 1"):
        check_whole(value, "starts")


def test_the_least_number_may_be_another() -> None:
    assert check_whole(0, "seed", 0) == 0


@pytest.mark.parametrize("level", [0.95, np.float64(0.5), np.float32(0.25)])
def test_a_level_comes_back_as_a_float(level: Any) -> None:
    assert type(check_level(level)) is float
    assert check_level(level) == level


@pytest.mark.parametrize("level", [0, 1, 0.0, 1.0, 95, -0.5, float("nan"), True, "0.95", None])
def test_a_level_outside_0_and_1_is_refused(level: Any) -> None:
    with pytest.raises(LvkitError, match=r"level: got .*between 0 and 1, such as 0\.95"):
        check_level(level)


@pytest.mark.parametrize("n_jobs", [None, 1, 2, -1, np.int64(4)])
def test_workers_may_be_none_or_any_number_but_zero(n_jobs: Any) -> None:
    assert check_workers(n_jobs) == n_jobs


@pytest.mark.parametrize("n_jobs", [0, 1.5, "two", False])
def test_other_numbers_of_workers_are_refused(n_jobs: Any) -> None:
    with pytest.raises(LvkitError, match="n_jobs: got .*expected a number of workers"):
        check_workers(n_jobs)


def test_names_come_back_as_a_dict_of_their_own() -> None:
    given = {"maths": "gsm8k"}
    checked = check_names(given, "anchors", "like this")
    assert checked == given
    assert checked is not given


@pytest.mark.parametrize("names", [None, {}, [], ["a"], "a", {"a": ""}, {" ": "b"}, {1: "b"}])
def test_other_names_are_refused(names: Any) -> None:
    with pytest.raises(LvkitError, match="anchors: got .* like this"):
        check_names(names, "anchors", "like this")


def test_the_path_of_a_table_is_a_text_and_no_table() -> None:
    assert check_path(Path("a.csv")) == "a.csv"
    with pytest.raises(LvkitError, match="got a list; expected the path of a table.$"):
        check_path(["a.csv"])
