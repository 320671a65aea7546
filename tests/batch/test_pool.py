from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from distributed import LocalCluster
from distributed.client import FutureCancelledError
from tiny import notebook_text, write_notebook
from waiting import PATIENCE, until

import lvkit as lv
from lvkit.batch import pool
from lvkit.batch.job import Failure, Job, Outcome
from lvkit.batch.pool import run_jobs
from lvkit.cluster import dask_cluster
from lvkit.reporting.kernel import Halt, HaltedError


def jobs(*names: str, code: str = "pass") -> list[Job]:
    return [Job(name, name, notebook_text(code), {"x": 1}) for name in names]


def test_outcomes_come_as_they_are_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    first_may_end = threading.Event()

    def run(job: Job, **_: Any) -> Outcome:
        if job.name == "first":
            assert first_may_end.wait(PATIENCE)
        return Outcome(job.name, {}, None)

    monkeypatch.setattr(pool, "run_job", run)
    names = []
    for outcome in run_jobs(jobs("first", "second", "third"), 2):
        names.append(outcome.name)
        if len(names) == 2:
            first_may_end.set()
    assert names == ["second", "third", "first"]


def test_no_jobs_need_no_jupyter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "lvkit.reporting.kernel", None)
    assert list(run_jobs([], 2)) == []


def test_a_machine_that_cannot_go_on_stops_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[str] = []

    def run(job: Job, *, halt: Any) -> Outcome:
        begun.append(job.name)
        raise lv.LvkitError("the disk is full")

    monkeypatch.setattr(pool, "run_job", run)
    with pytest.raises(lv.LvkitError, match="the disk is full"):
        list(run_jobs(jobs(*"abcdefghij"), 1))
    assert begun == ["a"]


def stopped(halt: Halt) -> bool:
    try:
        halt.check()
    except HaltedError:
        return True
    return False


def test_a_job_that_was_running_when_another_stopped_it_has_no_outcome(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun: list[str] = []
    both = threading.Barrier(2, timeout=PATIENCE)

    def run(job: Job, *, halt: Any) -> Outcome:
        begun.append(job.name)
        both.wait()
        if job.name == "a":
            raise lv.LvkitError("the disk is full")
        until(lambda: stopped(halt), "the stop")
        return Outcome(job.name, {}, Failure("", "DeadKernelError", "Kernel died"))

    monkeypatch.setattr(pool, "run_job", run)
    outcomes = run_jobs(jobs(*"bacdefghij"), 2)
    with pytest.raises(lv.LvkitError, match="the disk is full"):
        next(outcomes)
    assert sorted(begun) == ["a", "b"]


def kernels() -> list[str]:
    shown = subprocess.run(["ps", "-eo", "ppid,args"], capture_output=True, text=True, check=True)
    mine = str(__import__("os").getpid())
    return [
        line for line in shown.stdout.splitlines()
        if line.split()[0] == mine and "ipykernel_launcher" in line
    ]  # fmt: skip


def test_who_stops_listening_stops_the_kernels_also_hanging_ones(tmp_path: Path) -> None:
    begun, ended = tmp_path / "begun", tmp_path / "ended"
    code = "import pathlib, time\npathlib.Path({!r}).touch()\ntime.sleep(600)\n"
    code += "pathlib.Path({!r}).touch()"
    hanging = jobs("b", "c", code=code.format(str(begun), str(ended)))

    def outcomes() -> Iterator[Outcome]:
        with closing(run_jobs(jobs("a") + hanging, 2)) as found:
            yield next(found)
            yield next(found)

    listening = outcomes()
    assert next(listening).name == "a"
    until(begun.exists, "a notebook that hangs")
    assert kernels()
    listening.close()  # type: ignore[attr-defined]
    assert kernels() == []
    assert not ended.exists()


@pytest.mark.slow
def test_a_cell_that_hangs_leaves_no_lines_of_other_libraries(tmp_path: Path) -> None:
    notebook = write_notebook(tmp_path, "while True: pass")
    command = [sys.executable, "-m", "lvkit", "report", "--notebook", str(notebook)]
    command += ["--timeout", "1", "--output", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 1
    assert "TimeoutError: a cell took longer than 1 seconds" in done.stdout
    assert done.stderr == ""


def test_on_a_cluster_jobs_run_on_its_workers_and_send_their_files_back() -> None:
    tell = "import os\nprint('worker', os.getppid())\nassert x == 1"
    asked = [Job(str(x), "T", notebook_text(tell), {"x": x}) for x in (1, 2)]
    with LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address=":0",
        silence_logs=logging.ERROR,
    ) as local:
        workers = {str(worker.pid) for worker in local.workers.values()}
        address = local.scheduler_address
        with dask_cluster(address):
            found = {outcome.name: outcome for outcome in run_jobs(asked, dask=address)}
    assert found["1"].failure is None
    assert any(f"worker {pid}" in found["1"].files["report.html"].decode() for pid in workers)
    assert found["2"].failure is not None
    assert list(found["2"].files) == ["failed.ipynb"]


def test_a_cluster_that_is_lost_on_the_way_is_told_to_who_listens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def lost(*_: Any) -> Iterator[Outcome]:
        yield Outcome("a", {}, None)
        raise FutureCancelledError("task-1", "scheduler-connection-lost")

    monkeypatch.setattr("joblib.Parallel", lambda **_: lost)
    found = run_jobs(jobs("a", "b"), dask="tcp://10.0.0.1:8786")
    assert next(found).name == "a"
    with pytest.raises(lv.LvkitError, match="10.0.0.1:8786': the cluster was lost"):
        next(found)
