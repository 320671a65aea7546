"""Runs side by side, and a batch that is resumed, stopped, killed, or runs out of room."""

from __future__ import annotations

import errno
import gc
import json
import os
import re
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from distributed.client import FutureCancelledError
from tiny import SHOW, execute_here, notebook_text, write_notebook
from waiting import PATIENCE, until

import lvkit as lv
from lvkit.batch import Batch, all_runs
from lvkit.batch import run_reports as run_reports_in_kernels
from lvkit.batch.all_runs import Runner, run_all
from lvkit.batch.grid import planned_runs
from lvkit.batch.kernel import Halt, HaltedError
from lvkit.batch.notebook import open_notebook
from lvkit.batch.one_run import Failure, Making, Run
from lvkit.batch.spec import Spec
from lvkit.batch.store import Store, digest

COMMAND = """
import signal, sys
from lvkit.cli.main import main
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.exit(main(sys.argv[1:]))
"""


def run_reports(**settings: Any) -> Batch:
    """A batch without kernels."""
    return run_reports_in_kernels(**{"execute": execute_here} | settings)


def kept(batch: Batch) -> dict[str, bool]:
    return {run.name: run.kept for run in batch.runs}


def numbers(folder: Path) -> dict[str, Any]:
    return {
        path.parent.name: json.loads(path.read_text())["highlights"]
        for path in folder.glob("runs/*/report.json")
    }


# -- resumed ------------------------------------------------------------------------------------


def test_only_what_has_changed_or_is_damaged_is_made_again(tmp_path: Path) -> None:
    parameters = "x: int = 1\nfile: str = ''"
    files = [tmp_path / f"{name}.csv" for name in "abc"]
    for file in files:
        file.write_text("1")
    settings: dict[str, Any] = {
        "notebook": write_notebook(tmp_path, SHOW, parameters=parameters),
        "output": tmp_path / "out",
        "grid": {"file": list(map(str, files))},
        "resume": True,
    }
    assert not any(kept(run_reports(**settings)).values())
    files[1].write_text("2")
    (tmp_path / "out/runs/file-c-csv/report.html").write_text("damaged")
    with pytest.warns(lv.LvkitWarning, match="had changed since lvkit wrote them"):
        again = run_reports(**settings)
    assert kept(again) == {"file-a-csv": True, "file-b-csv": False, "file-c-csv": False}
    assert again.runs[0].highlights == {"double": 2}
    assert all(kept(run_reports(**settings)).values())


def test_a_parameter_is_filled_in_only_with_what_it_takes(tmp_path: Path) -> None:
    notebook = open_notebook(
        write_notebook(tmp_path, parameters="cache: bool = False\nn_jobs: int = 3")
    )
    (run,) = Runner(notebook, planned_runs(Spec(notebook)), Store(tmp_path / "out")).batch.runs
    assert run.parameters == {"cache": False, "n_jobs": 1}


def test_a_run_that_failed_is_tried_again(tmp_path: Path) -> None:
    code = f"assert x == 1 or __import__('os').path.exists({str(tmp_path / 'now')!r})"
    settings: dict[str, Any] = {
        "notebook": write_notebook(tmp_path, code),
        "output": tmp_path / "out",
        "grid": {"x": [1, 2]},
        "resume": True,
    }
    assert [run.status for run in run_reports(**settings).runs] == ["done", "failed"]
    (tmp_path / "now").write_text("")
    again = run_reports(**settings)
    assert again.ok
    assert kept(again) == {"x-1": True, "x-2": False}
    assert not (tmp_path / "out/runs/x-2/failed.ipynb").exists()


def test_every_page_of_a_batch_leads_back_to_its_index(tmp_path: Path) -> None:
    batch = run_reports(
        notebook=write_notebook(tmp_path), output=tmp_path / "out", grid={"x": [1]}, n_jobs=1
    )
    (run,) = batch.runs
    page = run.folder / "report.html"
    link = re.search(r'<p class="back"><a href="([^"]+)">', page.read_text("utf-8"))
    assert link is not None
    assert (page.parent / link[1]).resolve() == batch.index.resolve()


def test_when_all_is_there_nothing_heavy_is_loaded(tmp_path: Path) -> None:
    run_reports(
        notebook=(notebook := write_notebook(tmp_path)),
        output=tmp_path / "out",
        grid={"x": [1, 2]},
    )
    arguments = ["report", "--notebook", str(notebook), "--grid", "x=1,2", "--resume"]
    arguments += ["--output", str(tmp_path / "out")]
    heavy = {"papermill", "nbconvert", "nbformat", "scipy.stats", "joblib", "matplotlib"}
    assert {"papermill", "nbconvert", "nbformat"} <= {*sys.modules}  # here, for the two runs
    code = f"import sys; from lvkit.cli.main import main; main({arguments!r}); "
    code += f"print(sorted({heavy!r} & {{*sys.modules}}))"
    said = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert "2 unchanged from before" in said
    assert said.splitlines()[-1] == "[]"


# -- out of room --------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES])
def test_a_disk_that_fills_up_ends_the_batch_and_leaves_what_is_whole(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: dict[str, Any] = {
        "notebook": write_notebook(tmp_path),
        "output": tmp_path / "out",
        "grid": {"x": [1, 2, 3]},
        "n_jobs": 1,
        "resume": True,
    }
    usual = os.fsync

    def full_after_one(file: int) -> None:
        if (tmp_path / "out/runs/x-1").exists():
            raise OSError(number, os.strerror(number))
        usual(file)

    told = f"{os.strerror(number)}.*1 of 3 reports are there and whole; resume=True goes on"
    with monkeypatch.context() as full:
        full.setattr(os, "fsync", full_after_one)
        with pytest.raises(lv.LvkitError, match=told):
            run_reports(**settings)
    assert [path.name for path in (tmp_path / "out/runs").iterdir()] == ["x-1"]
    on = run_reports(**settings)
    assert on.ok
    assert kept(on) == {"x-1": True, "x-2": False, "x-3": False}


# -- a cluster that is not there ----------------------------------------------------------------


def test_a_wrong_address_of_a_cluster_changes_nothing(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"notebook": write_notebook(tmp_path), "grid": {"x": [1, 2]}}
    run_reports(**settings, output=tmp_path / "out")
    before = contents(tmp_path)
    for folder in ("out", "new"):
        with pytest.raises(lv.LvkitError, match="no scheduler of Dask answers") as caught:
            run_reports(**settings, output=tmp_path / folder, dask="127.0.0.1:9")
        assert "reports are there" not in str(caught.value)
    assert contents(tmp_path) == before


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_batch_that_has_all_asks_for_no_cluster(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"notebook": write_notebook(tmp_path), "output": tmp_path / "out"}
    run_reports(**settings)
    again = run_reports(**settings, resume=True, dask="127.0.0.1:9")
    assert [run.kept for run in again.runs] == [True]


# -- stopped and killed -------------------------------------------------------------------------


def start(folder: Path, notebook: Path, xs: str) -> subprocess.Popen[str]:
    arguments = ["report", "--notebook", str(notebook), "--grid", f"x={xs}", "--resume", "--json"]
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, *arguments, "--output", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def processes(mark: str) -> list[str]:
    """The processes that have a variable of ours in their environment: kernels inherit it."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark.encode() in path.read_bytes():
                found.append(path.parent.name)
        except OSError:
            continue
    return found


def test_after_ctrl_c_kernels_are_gone_and_what_is_done_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LVKIT_TEST_MARK", mark := tmp_path.as_posix())
    notebook = write_notebook(tmp_path, SHOW, "import time\nif x > 1: time.sleep(600)")
    folder = tmp_path / "out"
    with start(folder, notebook, "1,2,3,4") as process:
        until((folder / "index.html").exists, "the index")
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    (told,) = json.loads(out)["error"]["problems"]
    assert told["seen"] == "interrupted"
    assert "1 of 4 reports are there and whole; --resume goes on" in told["remedy"]
    assert str(folder / "index.html") in told["remedy"]
    mine = [process for process in processes(mark) if int(process) != os.getpid()]
    assert mine == []
    assert numbers(folder) == {"x-1": {"double": 2}}
    runs = json.loads((folder / "manifest.json").read_text())["runs"]
    assert [run["status"] for run in runs] == ["done", "not run", "not run", "not run"]
    assert (folder / "index.html").read_text().count("not run") == 3


@pytest.mark.slow
def test_a_batch_that_is_killed_goes_on_and_leaves_nothing_damaged_or_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LVKIT_TEST_MARK", mark := tmp_path.as_posix())
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    begun, go, folder = (tmp_path / name for name in ("begun", "go", "out"))
    code = "import pathlib, time\nif x == 3 and not pathlib.Path({!r}).exists():\n"
    code += "    pathlib.Path({!r}).touch()\n    time.sleep(600)"
    notebook = write_notebook(tmp_path, SHOW, code.format(str(go), str(begun)))
    for there in (0, 2):
        with start(folder, notebook, "1,2,3,4") as process:
            until(folder.exists, "the output")
            until(lambda n=there: len([*folder.glob("runs/x-*")]) >= n, f"{there} reports")
            until(lambda n=there: n == 0 or begun.exists(), "a notebook that hangs")
            process.kill()
        for page in folder.glob("runs/x-*/report.html"):
            assert page.read_text().endswith("</html>\n")
    until(lambda: set(processes(mark)) <= {str(os.getpid())}, "the end of the kernels")
    assert len([*folder.glob(".lvkit-work-*")]) == 2  # the folder and its lock
    go.touch()
    with start(folder, notebook, "1,2,3,4") as process:
        out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    assert sum(run["kept"] for run in json.loads(out)["runs"]) >= 2
    assert numbers(folder) == {f"x-{n}": {"double": 2 * n} for n in (1, 2, 3, 4)}
    assert [*folder.glob(".lvkit-work-*"), *folder.glob("runs/.*")] == []
    assert [path.name for path in (tmp_path / "tmp").iterdir() if "lvkit" in path.name] == []


# -- numbers beyond every float ------------------------------------------------------------------


def test_huge_numbers_in_values_and_highlights_stop_no_run(tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        "notebook": write_notebook(tmp_path, SHOW, "assert x != 3"),
        "output": tmp_path / "out",
        "grid": {"x": [2, 10**310, 3, 10**4299]},  # the last, doubled, still has 4300 digits
        "resume": True,
    }
    for resumed in (False, True):
        batch = run_reports(**settings)
        assert [run.status for run in batch.runs] == ["done", "done", "failed", "done"]
        assert batch.runs[1].highlights == {"double": 2 * 10**310}
        assert [run.kept for run in batch.runs] == [resumed, resumed, False, resumed]
        assert ">2.000e+310</td>" in batch.index.read_text()
        runs = json.loads(batch.manifest.read_text())["runs"]
        assert runs[3]["highlights"] == {"double": 2 * 10**4299}


RECORDS = {
    "a list": [],
    "a text": "x",
    "seconds beyond floats": {"seconds": 10**400},
    "seconds that are no number": {"seconds": "long"},
    "seconds that are infinite": {"seconds": float("inf")},
    "parameters that are none": {"parameters": None},
    "a highlight that JSON does not know": {"parameters": {"x": float("nan")}},
    "nothing": {},
}


@pytest.mark.parametrize("damage", RECORDS)
def test_a_record_that_lvkit_did_not_write_is_no_record(
    damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook = open_notebook(write_notebook(tmp_path))
    monkeypatch.setattr(Store, "kept", lambda *_: RECORDS[damage])
    runs, store = planned_runs(Spec(notebook)), Store(tmp_path / "out")
    work = Runner(notebook, runs, store, execute=execute_here)
    (run,) = work.done(resume=True).runs
    assert (run.status, run.kept) == ("done", False)


# -- data that change, and batches that are killed ------------------------------------------------

READ = """from pathlib import Path
from IPython.display import display
text = Path(data).read_text()
display({"application/vnd.lvkit.key-numbers+json": {"highlights": {"read": text}}}, raw=True)
if x == 2 and text == "A":
    Path(data).write_text("B")"""


def test_a_run_whose_data_changed_has_failed_and_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("A")
    (tmp_path / "other.csv").write_text("C")
    settings: dict[str, Any] = {
        "notebook": write_notebook(tmp_path, READ, parameters="data: str\nx: int = 0"),
        "output": tmp_path / "out",
        "runs": [{"data": str(tmp_path / name), "x": x}
                 for name, x in (("d.csv", 1), ("d.csv", 2), ("d.csv", 3), ("other.csv", 4))],
        "n_jobs": 1,
        "resume": True,
    }  # fmt: skip
    first = run_reports(**settings)
    assert [run.status for run in first.runs] == ["done", "failed", "failed", "done"]
    assert "d.csv': the file changed" in str(first.runs[1].failure)
    assert (first.runs[2].folder / "failed.ipynb").exists()
    (tmp_path / "d.csv").write_text("B")
    second = run_reports(**settings)
    assert [run.highlights["read"] for run in second.runs] == ["B", "B", "B", "C"]
    assert [run.kept for run in second.runs] == [False, False, False, True]
    for run in second.runs:
        record = json.loads((run.folder / "run.json").read_text())
        assert [*record["data"].values()] == [digest(str(run.highlights["read"]))]


# -- runs side by side ---------------------------------------------------------------------------


Made = tuple[Run, dict[str, bytes]]


def planned(*names: str) -> list[Run]:
    return [Run(name, name, {"x": 1}) for name in names]


TINY = Making(notebook_text("pass"))


def test_runs_come_as_they_are_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    first_may_end = threading.Event()

    def make(run: Run, *_: Any, **__: Any) -> Made:
        if run.name == "first":
            assert first_may_end.wait(PATIENCE)
        return run, {}

    monkeypatch.setattr(all_runs, "make", make)
    names = []
    for run, _ in run_all(planned("first", "second", "third"), TINY, 2):
        names.append(run.name)
        if len(names) == 2:
            first_may_end.set()
    assert names == ["second", "third", "first"]


def test_no_runs_need_no_jupyter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lvkit.batch.kernel", None)
    assert list(run_all([], TINY, 2)) == []


def test_finished_reports_are_not_kept_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    class Files(dict[str, bytes]):
        """Files that a weak reference can point to."""

    made: list[weakref.ref[Files]] = []

    def make(run: Run, *_: object, **__: object) -> tuple[Run, Files]:
        files = Files()
        made.append(weakref.ref(files))
        return run, files

    monkeypatch.setattr(all_runs, "make", make)
    done = run_all(planned(*"abcdefghijklmnopqrst"), TINY, 1)
    for _ in range(20):
        next(done)
    gc.collect()
    assert sum(files() is not None for files in made) <= 2
    done.close()


def test_a_machine_that_cannot_go_on_stops_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[str] = []

    def make(run: Run, *_: Any, **__: Any) -> Made:
        begun.append(run.name)
        raise lv.LvkitError("the disk is full")

    monkeypatch.setattr(all_runs, "make", make)
    with pytest.raises(lv.LvkitError, match="the disk is full"):
        list(run_all(planned(*"abcdefghij"), TINY, 1))
    assert begun == ["a"]


def stopped(halt: Halt) -> bool:
    try:
        halt.check()
    except HaltedError:
        return True
    return False


def test_a_run_that_was_at_work_when_another_stopped_it_has_no_outcome(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun: list[str] = []
    both = threading.Barrier(2, timeout=PATIENCE)

    def make(run: Run, _: Making, *, halt: Any, **__: Any) -> Made:
        begun.append(run.name)
        both.wait()
        if run.name == "a":
            raise lv.LvkitError("the disk is full")
        until(lambda: stopped(halt), "the stop")
        return replace(run, failure=Failure("", "DeadKernelError", "Kernel died")), {}

    monkeypatch.setattr(all_runs, "make", make)
    made = run_all(planned(*"bacdefghij"), TINY, 2)
    with pytest.raises(lv.LvkitError, match="the disk is full"):
        next(made)
    assert sorted(begun) == ["a", "b"]


def kernels() -> list[str]:
    shown = subprocess.run(["ps", "-eo", "ppid,args"], capture_output=True, text=True, check=True)
    mine = str(os.getpid())
    return [
        line for line in shown.stdout.splitlines()
        if line.split()[0] == mine and "ipykernel_launcher" in line
    ]  # fmt: skip


def test_who_stops_listening_stops_the_kernels_also_hanging_ones(tmp_path: Path) -> None:
    begun, ended = tmp_path / "begun", tmp_path / "ended"
    code = "import pathlib, time\nif name != 'a':\n    pathlib.Path({!r}).touch()\n"
    code += "    time.sleep(600)\n    pathlib.Path({!r}).touch()"
    making = Making(notebook_text(code.format(str(begun), str(ended))))
    runs = [Run(name, name, {"name": name}) for name in "abc"]

    def made() -> Iterator[Made]:
        with closing(run_all(runs, making, 2)) as found:
            yield next(found)
            yield next(found)

    listening = made()
    assert next(listening)[0].name == "a"
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


def test_a_cluster_that_is_lost_on_the_way_is_told_to_who_listens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def lost(*_: Any) -> Iterator[Made]:
        yield planned("a")[0], {}
        raise FutureCancelledError("task-1", "scheduler-connection-lost")

    monkeypatch.setattr("joblib.Parallel", lambda **_: lost)
    found = run_all(planned("a", "b"), TINY, dask="tcp://10.0.0.1:8786")
    assert next(found)[0].name == "a"
    with pytest.raises(lv.LvkitError, match="10.0.0.1:8786': the cluster was lost"):
        next(found)
