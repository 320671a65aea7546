"""Every code block of the README and of docs/ runs as it stands, in the order of its document.

Each document runs in a folder of its own, all its Python in one namespace, on a part of the
embedded leaderboard. What cannot run in a test, or takes too long, is listed here with its
substitute.
"""

from __future__ import annotations

import re
import shlex
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from distributed import LocalCluster
from tiny import write_notebook

import lvkit as lv
from lvkit.batch import all_runs
from lvkit.batch.one_run import Run
from lvkit.batch.store import REPORT
from lvkit.cli.main import main

ROOT = Path(__file__).parent.parent
MAKEFILE = (ROOT / "Makefile").read_text()
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
LANGUAGES = {"python", "sh", "toml", "text"}
FAMILIES = ["bloom", "gemma-2", "llama-2", "meta-llama-3", "olmo", "pythia", "qwen1.5", "qwen2",
            "starcoder2", "yi"]  # fmt: skip

# Not run: they install, serve until they are stopped, or work on this clone.
NOT_RUN = {
    "pip install 'lvkit[dask]'",
    "dask scheduler",
    "dask worker tcp://10.0.0.1:8786 --nworkers -1 --nthreads 1",
    ".venv/bin/python -m pytest tests/data/test_panel.py",
    ".venv/bin/python -m pre_commit install",
}
# The script of docs/scale.md is run as a file by tests/test_cluster.py.
RUN_ELSEWHERE = 'if __name__ == "__main__":'
SUBSTITUTES = {
    "calibrate(n_jobs=2)": "calibrate(n_jobs=1)",
    "families=(50, 100), replications=20": "families=(12,), replications=2",
    'backend="loky", n_jobs=8': 'backend="threading", n_jobs=2',
}
CLUSTER = "tcp://10.0.0.1:8786"
# Reports of these documents are planned and checked, but no notebook runs; the README's are real.
REPORTS_PLANNED_ONLY = {"reports.md", "scale.md"}


def blocks(document: Path) -> list[tuple[str, str]]:
    """The language and the text of each code block."""
    return re.findall(
        r"^```(\w*)\n(.*?)^```$", document.read_text(), flags=re.DOTALL | re.MULTILINE
    )


def to_run(document: Path) -> list[tuple[str, str]]:
    return [(language, text) for language, text in blocks(document)
            if language != "text" and RUN_ELSEWHERE not in text]  # fmt: skip


def name_of(document: Path) -> str:
    return document.name


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_code_block_is_fenced_and_names_its_language(document: Path) -> None:
    assert {language for language, _ in blocks(document)} <= LANGUAGES
    outside = re.sub(r"^```.*?^```$", "", document.read_text(), flags=re.DOTALL | re.MULTILINE)
    assert "```" not in outside
    assert [line for line in outside.splitlines() if line.startswith("    ")] == []


def test_every_exception_is_still_needed() -> None:
    text = "".join(text for document in DOCUMENTS for _, text in blocks(document))
    assert [line for line in (*NOT_RUN, *SUBSTITUTES, CLUSTER, RUN_ELSEWHERE)
            if line not in text] == []  # fmt: skip


@pytest.fixture
def small(leaderboard: lv.Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the documents load ten families, so that what takes a minute takes a second."""
    panel = leaderboard.select(families=FAMILIES)
    monkeypatch.setattr(lv, "load_leaderboard", lambda: panel)
    monkeypatch.setattr("lvkit.data.read.load_leaderboard", lambda: panel)


@pytest.fixture
def cluster() -> Iterator[Callable[[], str]]:
    """Start a Dask cluster in this process when it is asked for; return its address."""
    started: list[LocalCluster] = []

    def address() -> str:
        started.append(
            LocalCluster(n_workers=1, threads_per_worker=2, processes=False, protocol="tcp",
                         host="127.0.0.1", dashboard_address=None)
        )  # fmt: skip
        return str(started[-1].scheduler_address)

    yield address
    for local in started:
        local.close()


def made_without_running(run: Run, *_: Any, **__: Any) -> tuple[Run, dict[str, bytes]]:
    return replace(run, status="done"), dict.fromkeys(REPORT, b"{}")


def run_shell(line: str, names: dict[str, Any]) -> None:
    """Run a line of a shell: lvkit's commands and Python in this process, make's targets not."""
    words = shlex.split(line, comments=True)
    if words[:1] == ["lvkit"]:
        assert main(words[1:]) == 0, line
    elif words[:2] == ["python", "-c"]:
        exec(words[2], names)
    elif words[:1] == ["make"]:
        targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, flags=re.MULTILINE))
        assert set(words[1:]) <= targets, line
    else:
        assert shlex.join(words) in {shlex.join(shlex.split(known)) for known in NOT_RUN}, line


@pytest.mark.slow
@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("document", [path for path in DOCUMENTS if to_run(path)], ids=name_of)
def test_every_code_block_runs(
    document: Path,
    cluster: Callable[[], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    write_notebook(tmp_path, name="mine")
    if document.name in REPORTS_PLANNED_ONLY:
        monkeypatch.setattr(all_runs, "make", made_without_running)
        monkeypatch.setattr(
            all_runs, "_on_cluster", lambda runs, making, _: all_runs._here(runs, making, 1, len)
        )
    address = cluster() if CLUSTER in "".join(text for _, text in to_run(document)) else CLUSTER
    names: dict[str, Any] = {"__name__": "snippet"}
    for number, (language, text) in enumerate(to_run(document), start=1):
        for long, short in SUBSTITUTES.items():
            text = text.replace(long, short)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", lv.LvkitWarning)  # ten families are few
            if language == "python":
                source = compile(
                    text.replace(CLUSTER, address), f"{document.name}, {number}", "exec"
                )
                exec(source, names)
            elif language == "toml":
                Path("plan.toml").write_text(text)
            else:
                for line in text.splitlines():
                    known = shlex.split(line, comments=True)[:1] != ["dask"]
                    run_shell(line.replace(CLUSTER, address) if known else line, names)
