"""Many tasks, one after the other or at once, with the same results."""

from __future__ import annotations

import os
import threading
import time
import warnings
from contextlib import closing

import joblib
import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from lvkit.workers import run


def slow_first(number: int) -> int:
    """Return the number; the first one takes longest."""
    time.sleep(0.05 if number == 0 else 0.0)
    return number


def threads_of_blas(_: int) -> int:
    """Most threads of linear algebra that a task could use."""
    np.eye(2) @ np.eye(2)
    return max(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")


@pytest.mark.parametrize("n_jobs", [1, 2, -1])
def test_results_come_in_the_order_of_the_tasks(n_jobs: int) -> None:
    with joblib.parallel_config(backend="threading"):
        found = list(run(slow_first, [(number,) for number in range(6)], n_jobs))
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

    def task(number: int) -> int:
        begun.append(number)
        time.sleep(0.002)
        return number

    tasks = [(number,) for number in range(200)]
    with (
        threadpool_limits(limits=2, user_api="blas"),
        joblib.parallel_config(backend="threading"),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("error")
        before = threads_of_blas(0)
        with closing(run(task, tasks, 2)) as found:
            assert next(found) == 0
        waiting = len(begun)
        time.sleep(0.05)  # tasks that had begun end
        assert threads_of_blas(0) == before
    assert waiting < 200
    assert len(begun) <= waiting + 2
