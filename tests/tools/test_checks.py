"""Arguments are checked in one way everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from golden import Message, refused

from lvkit.tools.checks import check_level, check_names, check_path, check_whole, check_workers


@pytest.mark.parametrize("value", [1, np.int64(1), 7])
def test_a_whole_number_comes_back_as_an_int(value: Any) -> None:
    assert type(check_whole(value, "starts")) is int


@pytest.mark.parametrize("value", [0, -1, 1.0, True, "1", None, np.float64(2.0)])
def test_what_is_no_whole_number_from_one_is_refused(value: Any, message: Message) -> None:
    with refused("starts", "1") as error:
        check_whole(value, "starts")
    message(error)


def test_the_least_number_may_be_another() -> None:
    assert check_whole(0, "seed", 0) == 0


@pytest.mark.parametrize("level", [0.95, np.float64(0.5), np.float32(0.25)])
def test_a_level_comes_back_as_a_float(level: Any) -> None:
    assert type(check_level(level)) is float
    assert check_level(level) == level


@pytest.mark.parametrize("level", [0, 1, 0.0, 1.0, 95, -0.5, float("nan"), True, "0.95", None])
def test_a_level_outside_0_and_1_is_refused(level: Any, message: Message) -> None:
    with refused("level", "0", "1", "0.95") as error:
        check_level(level)
    message(error)


@pytest.mark.parametrize("n_jobs", [None, 1, 2, -1, np.int64(4)])
def test_workers_may_be_none_or_any_number_but_zero(n_jobs: Any) -> None:
    assert check_workers(n_jobs) == n_jobs


@pytest.mark.parametrize("n_jobs", [0, 1.5, "two", False])
def test_other_numbers_of_workers_are_refused(n_jobs: Any, message: Message) -> None:
    with refused("n_jobs") as error:
        check_workers(n_jobs)
    message(error)


def test_names_come_back_as_a_dict_of_their_own() -> None:
    given = {"maths": "gsm8k"}
    checked = check_names(given, "anchors", "like this")
    assert checked == given
    assert checked is not given


@pytest.mark.parametrize("names", [None, {}, [], ["a"], "a", {"a": ""}, {" ": "b"}, {1: "b"}])
def test_other_names_are_refused(names: Any, message: Message) -> None:
    with refused("anchors") as error:
        check_names(names, "anchors", "like this")
    message(error)


def test_the_path_of_a_table_is_a_text_and_no_table(message: Message) -> None:
    assert check_path(Path("a.csv")) == "a.csv"
    with refused("data") as error:
        check_path(["a.csv"])
    message(error)
