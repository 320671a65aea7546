from __future__ import annotations

import pickle

import pytest
from golden import Message

from lvkit.errors import LvkitError, LvkitWarning, Problem, nearest, show_value


def test_a_problem_reads_as_place_sight_expectation_and_remedy() -> None:
    problem = Problem("got 12", "row 3", "a score from 0 to 1", "Divide by 100.")
    assert str(problem) == "row 3: got 12; expected a score from 0 to 1. Divide by 100."


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (Problem("got 12"), "got 12."),
        (Problem("got 12", where="row 3"), "row 3: got 12."),
        (Problem("got 12", expected="less"), "got 12; expected less."),
        (Problem("got 12", remedy="Mend it."), "got 12. Mend it."),
    ],
)
def test_what_a_problem_does_not_say_leaves_no_trace(problem: Problem, text: str) -> None:
    assert str(problem) == text


def test_an_error_reads_as_its_problem_and_keeps_the_fields() -> None:
    error = LvkitError("got 12", where="row 3", expected="less", remedy="Mend it.")
    assert error.problems == (Problem("got 12", "row 3", "less", "Mend it."),)
    assert str(error) == str(error.problems[0])


def test_several_problems_are_counted_and_numbered() -> None:
    problems = [Problem("got 12", "row 3"), Problem("got no name", "row 7")]
    error = LvkitError.from_problems(problems)
    assert error.problems == tuple(problems)
    assert str(error).splitlines() == [
        "2 problems:",
        "  1. row 3: got 12.",
        "  2. row 7: got no name.",
    ]


def test_one_problem_is_not_numbered() -> None:
    assert str(LvkitError.from_problems([Problem("got 12", "row 3")])) == "row 3: got 12."


def test_who_catches_value_errors_and_user_warnings_catches_lvkits() -> None:
    assert issubclass(LvkitError, ValueError)
    assert issubclass(LvkitWarning, UserWarning)


class SpecialError(LvkitError):
    """One of the library's own kinds."""


@pytest.mark.parametrize("kind", [LvkitError, SpecialError])
def test_an_error_comes_back_whole_from_another_process(kind: type[LvkitError]) -> None:
    error = kind.from_problems([Problem("got 12", "row 3"), Problem("got 13", "row 4")])
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is kind
    assert (back.problems, str(back)) == (error.problems, str(error))


def test_a_near_name_is_offered_as_it_is_written(message: Message) -> None:
    message(nearest("MMLU_pr", ["arc", "mmlu_Pro"]), "mmlu_Pro")


def test_nothing_is_offered_where_nothing_is_near() -> None:
    assert nearest("zebra", ["arc", "mmlu"]) == nearest("zebra", []) == ""


def test_a_name_is_not_offered_for_itself(message: Message) -> None:
    assert nearest("log_params", ["log_params"]) == ""
    message(nearest("log_params", ["log_params", "log_param"]), "log_param")
    message(nearest("MMLU", ["mmlu"]), "mmlu")


def test_a_value_that_python_does_not_print_is_still_shown(message: Message) -> None:
    endless: list[object] = []
    for _ in range(10_000):
        endless = [endless]
    message(show_value(-(10**5000)))
    message(show_value(endless))
    assert show_value("x" * 500) == "'" + "x" * 198 + "…"


def test_only_the_first_line_of_a_problem_begins_at_the_margin(message: Message) -> None:
    problem = Problem("got 'a\nb'", where="model 'c\nd'")
    message(problem, "c\n     d", "a\n     b")
