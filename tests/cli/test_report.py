from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tiny import execute_here, write_notebook

from lvkit import batch as engine
from lvkit.batch import Batch, ReportPaths, Run, kernel
from lvkit.batch.one_run import Failure
from lvkit.cli.main import main

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the library is asked for, which does nothing here but fail one run of two."""
    given: dict[str, Any] = {}
    runs = tuple(
        Run(name, name, {}, folder=tmp_path / name, status=status, failure=failure)
        for name, status, failure in (
            ("a", "done", None),
            ("b", "failed", Failure("", "ValueError", "no")),
        )
    )

    def run_reports(data: Any, **settings: Any) -> Batch:
        given.update(settings, data=data, kind="batch")
        return Batch(tmp_path, runs)

    def run_report(data: Any, **settings: Any) -> ReportPaths:
        given.update(settings, data=data, kind="single")
        return ReportPaths(*(tmp_path / f"report.{kind}" for kind in ("html", "ipynb", "json")))

    monkeypatch.setattr(engine, "run_reports", run_reports)
    monkeypatch.setattr(engine, "run_report", run_report)
    return given


def test_one_report_is_what_it_was(asked: dict[str, Any], capsys: Captured) -> None:
    assert main(["report", "mine.csv", "--skills", "2", "--seed", "3", "--code"]) == 0
    assert "Report: " in capsys.readouterr().out
    assert asked["kind"] == "single"
    told = {name: asked[name] for name in ("n_skills", "seed", "n_jobs", "code", "timeout")}
    assert told == {"n_skills": 2, "seed": 3, "n_jobs": 2, "code": True, "timeout": None}
    assert (asked["data"], asked["output"]) == (Path("mine.csv"), Path("report"))


@pytest.mark.parametrize(
    "options",
    [["--template", "family"], ["--grid", "seed=1,2"], ["--set", "seed=1"], ["--resume"]],
)
def test_options_that_speak_of_several_make_a_batch(
    options: list[str], asked: dict[str, Any], capsys: Captured
) -> None:
    assert main(["report", *options]) == 1
    out = capsys.readouterr().out
    assert "1 of 2 reports is there, 1 failed." in out
    assert "  b: ValueError: no" in out
    assert asked["kind"] == "batch"


def test_only_settings_that_were_given_become_parameters(asked: dict[str, Any]) -> None:
    main(["report", "mine.csv", "--template", "family", "--family", "from_name", "--jobs", "3",
          "--anchors", "a=mmlu", "--set", "budget=1e22", "--grid", "about=gemma-2, opt",
          "--complete", "--benchmarks", "chance.csv", "--output", "out", "--timeout", "60",
          "--dask", "tcp://here:1"])  # fmt: skip
    assert asked["data"] == Path("mine.csv")
    assert asked["plan"].source.name == "family"
    assert asked["parameters"] == {
        "anchors": {"a": "mmlu"},
        "family": "from_name",
        "benchmarks": "chance.csv",
        "complete": True,
        "budget": 1e22,
    }
    assert asked["grid"] == {"about": ["gemma-2", "opt"]}
    assert (asked["n_jobs"], asked["timeout"], asked["dask"]) == (3, 60, "tcp://here:1")


def test_with_json_a_batch_is_one_document(asked: dict[str, Any], capsys: Captured) -> None:
    assert main(["report", "--template", "family", "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert [run["status"] for run in document["runs"]] == ["done", "failed"]
    assert document["index"].endswith("index.html")


@pytest.mark.parametrize("option", [["--set", "seed"], ["--grid", "=1,2"]])
def test_what_is_no_pair_is_a_wrong_command_line(option: list[str], capsys: Captured) -> None:
    assert main(["report", *option]) == 2
    assert "expected NAME=VALUE" in capsys.readouterr().err


def test_a_parameter_given_in_two_ways_is_refused(capsys: Captured) -> None:
    assert main(["report", "--seed", "1", "--set", "seed=2", "--template", "report"]) == 1
    assert "parameter 'seed': given twice" in capsys.readouterr().err


def test_a_plan_that_names_a_notebook_is_refused_with_the_option_that_helps(
    tmp_path: Path, capsys: Captured
) -> None:
    write_notebook(tmp_path)
    (tmp_path / "plan.yaml").write_text("notebook: tiny.ipynb")
    assert main(["report", "--plan", str(tmp_path / "plan.yaml")]) == 1
    assert f"name it yourself: --notebook {tmp_path}/tiny.ipynb" in capsys.readouterr().err


def test_a_notebook_of_the_users_runs_from_the_command_line(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel, "run_notebook", execute_here)  # in kernels: tests/batch/test_runner
    arguments = ["--notebook", str(write_notebook(tmp_path)), "--grid", "x=1,2", "--code"]
    assert main(["report", *arguments, "--output", str(tmp_path / "out")]) == 0
    assert "2 of 2 reports are there." in capsys.readouterr().out
    assert "x = 2" in (tmp_path / "out/runs/x-2/report.html").read_text()
