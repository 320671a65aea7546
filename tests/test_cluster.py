"""A Dask cluster: reached or refused with the reason, and as good as computing here."""

from __future__ import annotations

import logging
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy
from distributed import Client, LocalCluster
from distributed.client import FutureCancelledError
from threadpoolctl import threadpool_info, threadpool_limits
from tiny import notebook_text
from waiting import PATIENCE, until

import lvkit as lv
from lvkit import cluster
from lvkit.batch.all_runs import run_all
from lvkit.batch.one_run import Making, Run
from lvkit.cluster import dask_cluster
from lvkit.tools.parallel import run

FEATURES = "log_params"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A scheduler with two workers, processes of this machine, that may use two threads of BLAS."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "2")
    with LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address=":0",
        env=threads,
        silence_logs=logging.ERROR,
    ) as local:
        yield local.scheduler_address


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine may take more than seconds to answer."""
    monkeypatch.setattr(cluster, "_PATIENCE", PATIENCE)


# -- reaching it ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    ["", "nonsense", "127.0.0.1", "tcp://127.0.0.1:9", "127.0.0.1:9", "http://127.0.0.1:9"],
)
def test_an_address_where_no_scheduler_answers_is_refused(address: str) -> None:
    with pytest.raises(lv.LvkitError, match="tcp://"), dask_cluster(address):
        pass


def test_a_listener_that_is_no_scheduler_is_refused_after_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cluster, "_PATIENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        with pytest.raises(lv.LvkitError, match="timed out"), dask_cluster(f"127.0.0.1:{port}"):
            pass


def test_without_distributed_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(lv.LvkitError, match=r"pip install 'lvkit\[dask\]'"),
        dask_cluster("tcp://127.0.0.1:9"),
    ):
        pass


def test_a_scheduler_without_workers_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    wait = Client.wait_for_workers
    monkeypatch.setattr(Client, "wait_for_workers", lambda client, n, **_: wait(client, n, 0.1))
    with (
        LocalCluster(n_workers=0, host="127.0.0.1", dashboard_address=":0") as local,
        pytest.raises(lv.LvkitError, match=f"Start some: 'dask worker {local.scheduler_address}'"),
        dask_cluster(local.scheduler_address),
    ):
        pass


def test_workers_with_another_lvkit_are_refused(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lvkit.cluster.__version__", "9.9")
    expected = r"workers have lvkit \d.*; expected lvkit 9\.9, as here"
    with pytest.raises(lv.LvkitError, match=expected), dask_cluster(address):
        pass


def test_workers_with_another_scipy_are_told(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scipy, "__version__", "9.9")
    with pytest.warns(lv.LvkitWarning, match="other versions of scipy"), dask_cluster(address):
        pass


def test_workers_that_cannot_load_lvkit_are_told_how_to(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(*_: Any) -> None:
        raise ModuleNotFoundError("No module named 'lvkit'")

    monkeypatch.setattr(Client, "run", absent)
    with pytest.raises(lv.LvkitError, match="No module named.*Install the same lvkit"):  # noqa: SIM117
        with dask_cluster(address):
            pass


def test_a_cluster_that_is_lost_while_it_computes_is_told(address: str) -> None:
    with pytest.raises(lv.LvkitError, match=r"was lost while it computed \(task-1"):  # noqa: SIM117
        with dask_cluster(address):
            raise FutureCancelledError("task-1", "scheduler-connection-lost")


# -- working on it -------------------------------------------------------------------------------


def processes(tasks: list[tuple[Any, ...]], n_jobs: int | None, **hints: bool) -> set[int]:
    return set(run(os.getpid, tasks, n_jobs, **hints))


@pytest.mark.parametrize("n_jobs", [None, -1, 2])
def test_tasks_go_to_the_workers_even_those_that_prefer_threads(
    address: str, n_jobs: int | None
) -> None:
    here = processes([()], 1)
    with dask_cluster(address):
        for threads in (False, True):
            assert not processes([()] * 6, n_jobs, threads=threads) & here
    assert processes([()] * 2, None) == here


def test_one_worker_means_here_on_a_cluster_too(address: str) -> None:
    here = processes([()], 1)
    with dask_cluster(address):
        assert processes([()] * 3, 1) == here


def test_results_come_in_the_order_of_the_tasks(address: str) -> None:
    with dask_cluster(address):
        assert list(run(pow, [(number, 2) for number in range(20)], -1)) == [
            number**2 for number in range(20)
        ]


def test_a_workers_tasks_have_one_thread_of_linear_algebra(address: str) -> None:
    with dask_cluster(address):
        pools = [pool for found in run(threadpool_info, [()] * 4, -1) for pool in found]
    assert {pool["num_threads"] for pool in pools if pool["user_api"] == "blas"} == {1}


def test_an_error_on_a_worker_reaches_the_caller(address: str) -> None:
    with dask_cluster(address), pytest.raises(ZeroDivisionError):
        list(run(divmod, [(1, 1), (1, 0), (2, 1)], -1))


def test_who_leaves_early_leaves_no_task_on_the_cluster(address: str, tmp_path: Path) -> None:
    with dask_cluster(address), closing(run(waiting_in(tmp_path), list_of(60), -1)) as found:
        assert next(found) == 0
    with Client(address, set_as_default=False) as client:
        until(lambda: tasks_of(client) == 0, "an empty scheduler")
        (tmp_path / "go").touch()
        until(lambda: running_on(client) == 0, "idle workers")
    assert len(list(tmp_path.glob("task-*"))) <= 3  # the first, and one on each worker


def waiting_in(folder: Path) -> Callable[[int], int]:
    """A task that leaves a mark in a folder; all but the first then wait for a file in it."""

    def task(number: int) -> int:
        (folder / f"task-{number}").touch()
        while number > 0 and not (folder / "go").exists():
            time.sleep(0.02)
        return number

    return task


def list_of(count: int) -> list[tuple[int]]:
    return [(number,) for number in range(count)]


def tasks_of(client: Client) -> int:
    """How many tasks the scheduler still knows."""
    count: int = client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks))
    return count


def running_on(client: Client) -> int:
    """How many tasks the workers still run, for anybody or nobody."""
    counts = client.run(lambda dask_worker: dask_worker.state.executing_count)
    return int(sum(counts.values()))


def test_reports_run_on_its_workers_which_send_their_files_back(address: str) -> None:
    tell = "import os\nprint('worker', os.getppid())\nassert x == 1"
    runs = [Run(str(x), "T", {"x": x}) for x in (1, 2)]
    with Client(address, set_as_default=False) as client:
        workers = client.run(os.getpid).values()
    with dask_cluster(address):
        made = list(run_all(runs, Making(notebook_text(tell)), dask=address))
    (done, pages), (failed, left) = sorted(made, key=lambda pair: pair[0].name)
    assert (done.status, failed.status) == ("done", "failed")
    assert any(f"worker {pid}" in pages["report.html"].decode() for pid in workers)
    assert list(left) == ["failed.ipynb"]


# -- the same numbers everywhere -----------------------------------------------------------------


def everywhere(work: Callable[[int | None], Any], address: str) -> list[Any]:
    """What work finds in place, with two processes and on the cluster."""
    with threadpool_limits(limits=2, user_api="blas"):
        found = [work(1)]
        with joblib.parallel_config(backend="loky"):
            found.append(work(2))
        with dask_cluster(address):
            found.append(work(None))
    return found


def assert_same_fit(first: lv.Fit, second: lv.Fit) -> None:
    for name, array in vars(first.frame).items():
        np.testing.assert_array_equal(getattr(second.frame, name), array, err_msg=name)
    np.testing.assert_array_equal(first.latent_means, second.latent_means)
    assert first.starts.drop(columns="seconds").equals(second.starts.drop(columns="seconds"))


@pytest.mark.slow
def test_a_selection_is_the_same_here_in_processes_and_on_the_cluster(
    small_panel: lv.Panel, address: str
) -> None:
    first, *others = everywhere(lambda n: lv.select_skills(small_panel, [1, 2], n_jobs=n), address)
    table = first.table.drop(columns="seconds")
    for other in others:
        pd.testing.assert_frame_equal(other.table.drop(columns="seconds"), table, check_exact=True)
        for k, fit in first.fits.items():
            assert_same_fit(fit, other.fits[k])


def test_a_hold_out_is_the_same_here_in_processes_and_on_the_cluster(
    small_panel: lv.Panel, address: str
) -> None:
    few = small_panel.select(families=small_panel.families[:4])
    model = lv.LatentSkillModel(n_skills=1, features=FEATURES)
    first, *others = everywhere(lambda n: lv.backtest(few, model, draws=50, n_jobs=n), address)
    for other in others:
        pd.testing.assert_frame_equal(other.table, first.table, check_exact=True)


def test_a_study_is_the_same_here_in_processes_and_on_the_cluster(address: str) -> None:
    truth = lv.Parameters(
        loadings=np.array([[1.0], [0.8], [0.6]]),
        intercepts=np.zeros(3),
        precisions=np.full(3, 80.0),
        floors=np.zeros(3),
        slopes=np.array([[1.5]]),
        correlation=np.eye(1),
    )

    def study(n_jobs: int | None) -> pd.DataFrame:
        return lv.simulation_study(
            truth, families=(15,), replications=4, features=FEATURES, n_jobs=n_jobs
        ).estimates

    first, *others = everywhere(study, address)
    for other in others:
        pd.testing.assert_frame_equal(other, first, check_exact=True)


def test_several_starts_are_the_same_here_in_processes_and_on_the_cluster(
    small_panel: lv.Panel, address: str
) -> None:
    model = lv.LatentSkillModel(n_skills=2, features=FEATURES)
    first, *others = everywhere(lambda n: model.fit(small_panel, starts=3, n_jobs=n), address)
    for other in others:
        assert_same_fit(first, other)


@pytest.mark.slow
def test_the_example_of_the_documents_prints_what_is_found_here(
    complete: lv.Panel, tmp_path: Path
) -> None:
    text = (Path(__file__).parent.parent / "docs" / "scale.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    (script,) = [block for block in blocks if "__main__" in block]
    path = tmp_path / "try_it.py"
    path.write_text(script)
    found = subprocess.run([sys.executable, path], capture_output=True, text=True, check=True)
    selection = lv.select_skills(complete, [1, 2])
    assert found.stdout == selection.table.drop(columns="seconds").to_string() + "\n"
