from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from tiny import notebook_text

import lvkit as lv
from lvkit.batch import pool
from lvkit.batch.job import Job, Outcome
from lvkit.batch.pool import run_jobs


def jobs(*names: str, code: str = "pass") -> list[Job]:
    return [Job(name, name, notebook_text(code), {"x": 1}) for name in names]


def test_outcomes_come_as_they_are_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    first_may_end = threading.Event()

    def run(job: Job, **_: Any) -> Outcome:
        if job.name == "first":
            assert first_may_end.wait(30)
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
    assert len(begun) < 10


def kernels() -> list[str]:
    shown = subprocess.run(["ps", "-eo", "ppid,args"], capture_output=True, text=True, check=True)
    mine = str(__import__("os").getpid())
    return [
        line for line in shown.stdout.splitlines()
        if line.split()[0] == mine and "ipykernel_launcher" in line
    ]  # fmt: skip


def test_who_stops_listening_stops_the_kernels_also_hanging_ones() -> None:
    hanging = jobs("b", "c", code="import time; time.sleep(600)")

    def outcomes() -> Iterator[Outcome]:
        with closing(run_jobs(jobs("a") + hanging, 2)) as found:
            yield next(found)
            yield next(found)

    listening = outcomes()
    assert next(listening).name == "a"
    assert kernels()
    begun = time.monotonic()
    listening.close()  # type: ignore[attr-defined]
    assert kernels() == []
    assert time.monotonic() - begun < 60
