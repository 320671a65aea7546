from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import papermill
import pytest

from lvkit.batch.kernel import Halt, HaltedError, OwnKernelManager, run_notebook


def source(*cells: str) -> str:
    """A notebook whose first cell holds the parameters."""
    made = [nbformat.v4.new_code_cell(text) for text in cells]
    made[0].metadata["tags"] = ["parameters"]
    notebook = nbformat.v4.new_notebook(cells=made)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "", "language": "python"}
    return str(nbformat.writes(notebook))


def printed(notebook: Any) -> str:
    return "".join(o.text for c in notebook.cells for o in c.outputs if o.output_type == "stream")


def test_a_notebook_runs_in_this_interpreter_on_one_thread(tmp_path: Path) -> None:
    told = "[x, sys.executable, os.environ['OMP_NUM_THREADS'], os.getcwd()]"
    tell = f"import json, os, sys\nprint(json.dumps({told}))"
    cells: list[int] = []
    done = run_notebook(
        source("x: int = 1", tell),
        {"x": 7},
        tmp_path / "run.ipynb",
        on_cell=lambda: cells.append(1),
    )
    x, python, threads, folder = json.loads(printed(done))
    assert (x, threads) == (7, "1")
    assert Path(python).samefile(sys.executable)
    assert Path(folder).samefile(tmp_path)
    assert len(cells) == 3


def test_how_to_reach_the_kernel_is_kept_in_its_folder_and_nowhere_else(tmp_path: Path) -> None:
    tell = "from ipykernel.connect import get_connection_file\nprint(get_connection_file())"
    done = run_notebook(source("x = 1", tell), {}, tmp_path / "run.ipynb")
    assert Path(printed(done).strip()).parent.samefile(tmp_path)
    assert not [*tmp_path.glob("*.json")]


def test_the_place_may_be_a_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path)
    done = run_notebook(source("x = 1", "print(x)"), {}, Path("below") / "run.ipynb")
    assert printed(done) == "1\n"
    assert (tmp_path / "below" / "run.ipynb").is_file()


def test_no_registered_kernel_is_needed() -> None:
    spec = OwnKernelManager(kernel_name="no such kernel").kernel_spec
    assert spec.argv[0] == sys.executable


def test_a_kernel_that_does_not_start_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[int] = []

    def execute(*_: Any, **__: Any) -> str:
        tries.append(1)
        if len(tries) < 3:
            raise RuntimeError("Kernel died before replying to kernel_info")
        return "done"

    monkeypatch.setattr(papermill, "execute_notebook", execute)
    assert run_notebook(source("x = 1"), {}, tmp_path / "run.ipynb") == "done"


def test_a_kernel_that_never_starts_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[int] = []

    def execute(*_: Any, **__: Any) -> str:
        tries.append(1)
        raise RuntimeError("Kernel didn't respond in 60 seconds")

    monkeypatch.setattr(papermill, "execute_notebook", execute)
    with pytest.raises(RuntimeError, match="didn't respond"):
        run_notebook(source("x = 1"), {}, tmp_path / "run.ipynb")
    assert len(tries) == 3


def test_a_kernel_that_dies_at_work_is_not_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[int] = []

    def execute(*_: Any, on_notebook_start: Any, **__: Any) -> str:
        tries.append(1)
        on_notebook_start()
        raise RuntimeError("Kernel died")

    monkeypatch.setattr(papermill, "execute_notebook", execute)
    with pytest.raises(RuntimeError, match="Kernel died"):
        run_notebook(source("x = 1"), {}, tmp_path / "run.ipynb")
    assert len(tries) == 1


def test_a_cell_that_fails_raises_and_leaves_the_notebook(tmp_path: Path) -> None:
    target = tmp_path / "run.ipynb"
    with pytest.raises(papermill.PapermillExecutionError, match="no such thing"):
        run_notebook(source("x = 1", "raise KeyError('no such thing')"), {}, target)
    assert "no such thing" in target.read_text()


def test_a_cell_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    with pytest.raises(TimeoutError):
        run_notebook(source("x = 1", "while True: pass"), {}, tmp_path / "run.ipynb", timeout=1)


def test_once_the_switch_is_pulled_no_kernel_starts_nor_is_tried_again(tmp_path: Path) -> None:
    halt = Halt()
    halt.pull()
    with pytest.raises(HaltedError):
        run_notebook(source("x = 1"), {}, tmp_path / "run.ipynb", halt=halt)


def test_a_kernel_that_starts_while_the_switch_is_pulled_is_killed() -> None:
    halt = Halt()
    processes = [subprocess.Popen(["sleep", "600"], start_new_session=True) for _ in range(3)]
    early, late, ended = processes
    halt.started(early.pid)
    halt.started(ended.pid)
    halt.ended(ended.pid)
    halt.pull()
    halt.started(late.pid)
    assert [early.wait(), late.wait(), ended.poll()] == [-9, -9, None]
    ended.kill()
    assert ended.wait() == -9
