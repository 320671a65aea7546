from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.main import get_command

from lvkit.cli import console
from lvkit.cli.console import in_options, problem_in_options, report_in_options
from lvkit.cli.main import app
from lvkit.data.read import check_file
from lvkit.errors import Problem


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Use features='log_params'.", "Use --features log_params."),
        ('use family="from_name" (', "use --family from_name ("),
        ("with drop_invalid=True.", "with --drop-invalid."),
        ("got 1 anchors and n_skills=2", "got 1 anchors and --skills 2"),
        ("as clip=0.01.", "as --clip 0.01."),
        ("Leave n_skills out, or", "Leave --skills out, or"),
        ("got family_slopes='log_params'", "got --family-slopes log_params"),
        (
            "benchmarks={'a': 0.25, 'b': None}",
            "--benchmarks FILE ('a,0.25', 'b,none' under 'benchmark,chance')",
        ),
        ("benchmarks={'it''s': 0.1}", "--benchmarks FILE ('its,0.1' under 'benchmark,chance')"),
        ("benchmarks={...}", "--benchmarks FILE"),
        ("benchmarks={name: 0}", "--benchmarks FILE"),
        ("family={model: family} or", "--family FILE (columns model and family) or"),
        ("Leave it out (panel.select(benchmarks=...)).", "Leave it out (delete its column)."),
    ],
)
def test_an_argument_becomes_an_option(text: str, said: str) -> None:
    assert in_options(text) == said


@pytest.mark.parametrize(
    "text", ["column 'features': got 3", "own_features='x'", "mmlu=0.3", "log_params=True", ""]
)
def test_other_words_stay_as_they_are(text: str) -> None:
    assert in_options(text) == text


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("features", "--features"),
        ("features 'a + b'", "--features 'a + b'"),
        ("benchmarks, 'ours'", "--benchmarks, 'ours'"),
        ("anchors a, b", "--anchors a, b"),
        ("n_skills", "number of skills"),
        ("benchmark 'ours'", "benchmark 'ours'"),
        ("family_name", "family_name"),
        ("'features', row 3", "'features', row 3"),
    ],
)
def test_the_place_of_a_problem_is_an_option_too(where: str, said: str) -> None:
    assert problem_in_options(Problem("got 1", where)).where == said


def test_what_was_found_in_a_file_is_told_in_options(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("model,family,params_b,mmlu\na-1b,a,1,0.3\n")
    (note,) = report_in_options(check_file(path)).notes
    assert note == "no column tokens_t: fit with --features log_params"
    path.write_text("model,params_b,mmlu\na-1b,1,0.3\n")
    (problem,) = report_in_options(check_file(path)).problems
    assert "--family from_name" in problem.remedy
    assert "--family FILE" in problem.remedy


def test_every_option_that_is_named_exists() -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]
    there = {name for c in commands.values() for p in c.params for name in p.opts}
    assert set(console._OPTIONS.values()) <= there
    assert "--anchors" in re.findall(r"--\w+", " ".join(console._PHRASES.values()))


@pytest.mark.parametrize(
    ("text", "in_a_shell"),
    [
        ("min_params_b=10 is above max_params_b=5", "--min-params-b 10 is above --max-params-b 5"),
        ("max_tokens_t=1e+03", "--max-tokens-t 1e+03"),
        ("looked at without min_tokens_per_param", "looked at without --min-tokens-per-param"),
        ("--max-params-b stays", "--max-params-b stays"),
        ("a fitted family, None for a new recipe", "a fitted family, no --family for a new recipe"),
    ],
)
def test_arguments_of_plans_are_named_as_options(text: str, in_a_shell: str) -> None:
    assert in_options(text) == in_a_shell


def test_a_level_is_named_as_its_option() -> None:
    problem = problem_in_options(Problem("got 95", where="level"))
    assert problem.where == "--level"


ODD = ['it\'s "odd" $(touch x)', "a'; touch x; '", "`touch x`", "a\\", "\\' \"$(touch x)", "$HOME"]


@pytest.mark.parametrize("name", ODD)
def test_advice_with_any_name_in_it_is_one_word_of_a_shell(name: str) -> None:
    assert shlex.split(in_options(f"features={name!r}")) == ["--features", name]
    assert shlex.split(in_options(f"attributes={{{name!r}: ...}}")) == ["--with", f"{name}=..."]
