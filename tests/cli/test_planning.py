"""The planning commands: what they print, and what they refuse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from golden import Message

import lvkit as lv
from lvkit.cli.main import main
from lvkit.cli.planning import _attributes, _target


@pytest.fixture(scope="module")
def saved(paper_fit: lv.Fit, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("fits") / "paper.lvkit"
    paper_fit.save(path)
    return str(path)


def document(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main([*arguments, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_a_plan_is_that_of_the_library(
    saved: str, paper_fit: lv.Fit, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("--target", "mathematics", "--budget", "1e22", "--budget", "1e24")
    found = document(capsys, "plan", saved, *asked, "--family", "qwen2", "--max-tokens-t", "15")
    plan = lv.plan_compute(
        paper_fit,
        [1e22, 1e24],
        target="mathematics",
        family="qwen2",
        limits=lv.Limits(max_tokens_t=15.0),
    )
    sizes = [row["params_b"] for row in found["table"]]
    np.testing.assert_allclose(sizes, plan.table["params_b"])
    assert found["table"][1]["corner"] == "max_tokens_t"
    assert found["words"] == list(plan.words)


def test_a_plan_for_a_person_has_a_row_for_each_budget_and_says_what_it_means(
    saved: str, capsys: pytest.CaptureFixture[str], message: Message
) -> None:
    assert main(["plan", saved, "--target", "mathematics=1", "--target", "reasoning=3"]) == 0
    out = capsys.readouterr().out
    assert all(budget in out for budget in ("1e+21", "1e+22", "1e+23", "1e+24"))
    head, _table, words = out.split("\n\n", 2)
    message(head, "25%", "75%")
    message(words)
    assert "lv." not in out


def test_a_need_is_that_of_the_library(
    saved: str, paper_fit: lv.Fit, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("--target", "mmlu_pro", "--score", "0.5", "--probability", "0.8")
    found = document(capsys, "need", saved, *asked, "--family", "qwen2")
    need = lv.required_compute(
        paper_fit, target="mmlu_pro", score=0.5, probability=0.8, family="qwen2"
    )
    assert found["feasible"]
    assert found["compute"] == pytest.approx(need.compute)


def test_a_score_out_of_reach_is_an_answer_not_a_failure(
    saved: str, capsys: pytest.CaptureFixture[str], message: Message
) -> None:
    arguments = ["need", saved, "--target", "mmlu_pro", "--score", "0.95"]
    assert main([*arguments, "--max-params-b", "1", "--max-tokens-t", "1"]) == 0
    message(capsys.readouterr().out)


def test_other_columns_of_the_features_are_given_by_with(
    small_panel: lv.Panel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fit = lv.LatentSkillModel(n_skills=1, features="log_params * log_tokens + instruct")
    path = tmp_path / "instruct.lvkit"
    fit.fit(small_panel).save(path)
    values = []
    for answer in ("true", "0"):
        asked = ("--target", "mmlu", "--budget", "1e22", "--with", f"instruct={answer}")
        found = document(capsys, "plan", str(path), *asked)
        values.append(found["table"][0]["value"])
    assert values[0] != values[1]


@pytest.mark.parametrize(
    ("arguments", "code", "quoted"),
    [
        (("plan", "FIT", "--target", "mathmatics"), 1, ["mathematics"]),
        (("plan", "FIT", "--target", "mmlu=0"), 1, ["--target"]),
        (("plan", "FIT", "--target", "mmlu=many"), 2, ["many"]),
        (("plan", "FIT", "--target", "mmlu", "--target", "mmlu"), 2, ["twice"]),
        (("plan", "FIT", "--target", "mmlu", "--budget", "22"), 1, []),
        (("plan", "FIT", "--target", "mmlu", "--family", "qwen22"), 1, ["qwen2"]),
        (("plan", "FIT", "--target", "mmlu", "--with", "instruct"), 2, ["COLUMN=VALUE"]),
        (("plan", "FIT", "--target", "mmlu", "--with", "chat=yes"), 1, ["--with", "chat"]),
        (("plan", "FIT"), 2, ["--target"]),
        (("plan", "mine.csv", "--target", "mmlu"), 1, ["--output"]),
        (("need", "FIT", "--target", "mmlu", "--score", "60"), 1, ["--score", "60"]),
        (("plan", "FIT", "--target", "acc=none"), 2, ["--target", '"a=b"']),
        (("plan", "FIT", "--target", "mmlu", "--with", '"a=b"'), 2, ["--with", '"a=b"=1']),
    ],
)
def test_what_cannot_be_planned_is_refused_in_the_terminals_words(
    arguments: tuple[str, ...],
    code: int,
    quoted: list[str],
    saved: str,
    capsys: pytest.CaptureFixture[str],
    message: Message,
) -> None:
    assert main([saved if each == "FIT" else each for each in arguments]) == code
    message(capsys.readouterr().err, *quoted)


def test_a_name_that_is_a_skill_and_a_benchmark_has_to_say_which(
    small_fit: lv.Fit, tmp_path: Path, capsys: pytest.CaptureFixture[str], message: Message
) -> None:
    path = str(tmp_path / "old.lvkit")
    small_fit.reanchor({"mmlu": "mmlu", "ifeval": "ifeval"}).save(path)
    asked = ("need", path, "--score", "0.7", "--target")
    assert main([*asked, "mmlu"]) == 1
    message((said := capsys.readouterr().err), "--target", "mmlu")
    message(said, "skill:mmlu", "benchmark:mmlu")
    assert main(["plan", path, "--target", "mmlu=2", "--target", "arc=1"]) == 1
    capsys.readouterr()
    kinds = {}
    for kind, words in (("benchmark", "a score of 0.7 on mmlu"), ("skill", "in the skill 'mmlu'")):
        assert main([*asked, f"{kind}:mmlu"]) == 0
        assert words in capsys.readouterr().out
        kinds[kind] = document(capsys, *asked, f"{kind}:mmlu")["kind"]
    assert kinds == {"benchmark": "benchmark", "skill": "skill"}


def test_names_that_hold_an_equals_sign_are_quoted() -> None:
    assert _target(['"acc=none"']) == {"acc=none": 1.0}
    assert _target(['benchmark:"acc=none"=2', "mmlu = 1"]) == {
        "benchmark:acc=none": 2.0,
        "mmlu": 1.0,
    }
    assert _attributes(['"a=b"=2', "kind=x=y"]) == {"a=b": 2.0, "kind": "x=y"}


def test_without_a_fit_the_embedded_leaderboard_is_planned_with(
    paper_fit: lv.Fit, capsys: pytest.CaptureFixture[str]
) -> None:
    found = document(capsys, "plan", "--target", "reasoning", "--budget", "1e23")
    plan = lv.plan_compute(paper_fit, 1e23, target="reasoning", level=None)
    assert found["table"][0]["params_b"] == pytest.approx(plan.table["params_b"][0], rel=1e-4)
