"""Many tasks, one after the other or at once, with the same results."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable
from contextlib import closing

import joblib
import numpy as np
import pytest
from joblib import parallel_config
from threadpoolctl import threadpool_info, threadpool_limits
from waiting import PATIENCE

from lvkit.tools.parallel import in_threads, run, thread_count


def last_first(n_jobs: int) -> Callable[[int], int]:
    """A task that returns its number; where several run at once, the first ends after another."""
    another_ended = threading.Event()

    def task(number: int) -> int:
        if number == 0 and n_jobs != 1:
            assert another_ended.wait(PATIENCE)
        if number == 1:
            another_ended.set()
        return number

    return task


def threads_of_blas(_: int) -> int:
    """Most threads of linear algebra that a task could use."""
    np.eye(2) @ np.eye(2)
    return max(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")


@pytest.mark.parametrize("n_jobs", [1, 2, 3])
def test_results_come_in_the_order_of_the_tasks(n_jobs: int) -> None:
    with joblib.parallel_config(backend="threading"):
        found = list(run(last_first(n_jobs), [(number,) for number in range(6)], n_jobs))
    assert found == list(range(6))


def test_no_task_is_no_result() -> None:
    assert list(run(pow, [], 2)) == []


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_one_task_or_one_worker_is_done_in_place(n_jobs: int) -> None:
    tasks = [()] * (3 if n_jobs == 1 else 1)
    assert set(run(threading.get_ident, tasks, n_jobs)) == {threading.get_ident()}


def test_in_place_a_task_is_begun_when_its_result_is_asked_for() -> None:
    done: list[int] = []
    found = run(done.append, [(1,), (2,)], 1)
    next(found)
    assert done == [1]


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_each_task_has_one_thread_of_linear_algebra_and_the_limit_is_lifted_after(
    n_jobs: int,
) -> None:
    with threadpool_limits(limits=2, user_api="blas"), joblib.parallel_config(backend="threading"):
        before = threads_of_blas(0)
        assert set(run(threads_of_blas, [(0,)] * 6, n_jobs)) == {1}
        assert threads_of_blas(0) == before


def test_threads_are_used_where_they_are_preferred_and_the_user_has_not_chosen() -> None:
    assert set(run(os.getpid, [()] * 3, 2, threads=True)) == {os.getpid()}


def test_the_users_backend_comes_before_the_preference() -> None:
    with joblib.parallel_config(backend="loky"):
        found = set(run(os.getpid, [()] * 3, 2, threads=True))
    assert os.getpid() not in found


def test_without_a_number_of_workers_the_users_counts() -> None:
    with joblib.parallel_config(backend="threading", n_jobs=2):
        found = set(run(threading.get_ident, [()] * 3, None))
    assert threading.get_ident() not in found


def test_an_error_reaches_the_caller_after_the_results_before_it() -> None:
    found = run(divmod, [(1, 1), (1, 0), (2, 1)], 1)
    assert next(found) == (1, 0)
    with pytest.raises(ZeroDivisionError):
        next(found)
    with joblib.parallel_config(backend="threading"), pytest.raises(ZeroDivisionError):
        list(run(divmod, [(1, 1), (1, 0), (2, 1)], 2))


def test_who_leaves_early_leaves_no_task_waiting_no_limit_and_no_warning() -> None:
    begun: list[int] = []
    others_may_end = threading.Event()

    def task(number: int) -> int:
        begun.append(number)
        if number > 0:
            assert others_may_end.wait(PATIENCE)
        return number

    tasks = [(number,) for number in range(200)]
    with (
        threadpool_limits(limits=2, user_api="blas"),
        joblib.parallel_config(backend="threading"),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("error")
        before = threads_of_blas(0)
        threads = set(threading.enumerate())
        with closing(run(task, tasks, 2)) as found:
            assert next(found) == 0
        assert threads_of_blas(0) == before
        others_may_end.set()
        for thread in set(threading.enumerate()) - threads:
            thread.join(PATIENCE)
    assert len(begun) <= 5  # two at once, and as many again that wait for their turn


# -- threads --------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 3])
def test_results_of_threads_come_in_the_order_of_the_tasks(count: int) -> None:
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
