from __future__ import annotations

import threading

import numpy as np
import pytest
from joblib import parallel_config
from waiting import PATIENCE

from lvkit.threads import in_threads, thread_count


@pytest.mark.parametrize("count", [1, 2, 3])
def test_results_come_in_the_order_of_the_tasks(count: int) -> None:
    second_done = threading.Event()

    def work(number: int) -> int:
        if number == 0 and count > 1:
            assert second_done.wait(PATIENCE)
        if number == 1:
            second_done.set()
        return number

    assert in_threads(work, [(number,) for number in range(5)], count) == list(range(5))


def test_tasks_run_side_by_side() -> None:
    meet = threading.Barrier(2, timeout=PATIENCE)
    assert sorted(in_threads(lambda _: meet.wait(), [(0,), (1,)], 2)) == [0, 1]


def test_one_thread_works_in_place() -> None:
    here = threading.get_ident()
    assert in_threads(lambda _: threading.get_ident(), [(0,), (1,)], 1) == [here, here]


def test_threads_keep_what_the_caller_says_of_overflows() -> None:
    def overflow(number: float) -> str:
        np.exp(np.float64(number))
        return np.geterr()["over"]

    with np.errstate(over="ignore"):
        assert in_threads(overflow, [(1e6,), (1e6,)], 2) == ["ignore", "ignore"]


def test_an_error_is_raised_and_what_waits_is_dropped() -> None:
    begun: list[int] = []
    both = threading.Barrier(2, timeout=PATIENCE)

    def work(number: int) -> None:
        begun.append(number)
        both.wait()
        raise ValueError(f"task {number}")

    with pytest.raises(ValueError, match="task 0"):
        in_threads(work, [(number,) for number in range(50)], 2)
    assert sorted(begun) == [0, 1]


def test_none_means_what_the_users_joblib_says_but_no_more_than_the_cores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert thread_count(None) == 1
    monkeypatch.setattr("os.cpu_count", lambda: 3)
    with parallel_config("threading", n_jobs=2):
        assert thread_count(None) == 2
    with parallel_config("threading", n_jobs=100):
        assert thread_count(None) == 3
