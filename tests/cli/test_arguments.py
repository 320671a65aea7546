from __future__ import annotations

from pathlib import Path

import pytest
import typer
from golden import Message

from lvkit.cli.arguments import anchors_in, check_file_given, panel_in


def test_anchors_are_read_from_one_text() -> None:
    assert anchors_in("maths = gsm8k,knowledge=mmlu") == {"maths": "gsm8k", "knowledge": "mmlu"}
    assert anchors_in(None) is None


@pytest.mark.parametrize(
    ("text", "anchors"),
    [
        ('a="acc,none"', {"a": "acc,none"}),
        ("a='acc,none', b = mmlu", {"a": "acc,none", "b": "mmlu"}),
        ('"x=y"="exact_match,strict-match"', {"x=y": "exact_match,strict-match"}),
        ('{"a": "acc,none", "b": "k=5"}', {"a": "acc,none", "b": "k=5"}),
        ("a=o'brien,b=d'arc", {"a": "o'brien", "b": "d'arc"}),
    ],
)
def test_names_with_separators_are_quoted_or_in_json(text: str, anchors: dict[str, str]) -> None:
    assert anchors_in(text) == anchors


@pytest.mark.parametrize(
    "text",
    [
        *("maths", "maths=", "=mmlu", "a=b=c", "", "a=acc,none", 'a=""', 'a="acc,none'),
        *("{}", "{", '{"a": 1}', '{"a": ""}', '{"a": {"b": "c"}}', '{"a": ["b", "c"]}'),
    ],
)
def test_what_is_no_list_of_anchors_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter) as error:
        anchors_in(text)
    words = [text, """'maths="acc,none"'""", """'{"maths": "acc,none"}'"""]
    assert [word for word in words if word not in error.value.message] == []


@pytest.mark.parametrize("text", ["a=b,a=c", '{"a": "b", "a": "c"}'])
def test_a_skill_with_two_anchors_is_refused(text: str, message: Message) -> None:
    with pytest.raises(typer.BadParameter) as error:
        anchors_in(text)
    message(error, "a")


def test_options_that_speak_of_a_file_need_one(message: Message) -> None:
    check_file_given(Path("mine.csv"), "from_name", Path("chance.csv"))
    for family, benchmarks in (("from_name", None), (None, Path("chance.csv"))):
        with pytest.raises(typer.BadParameter) as error:
            check_file_given(None, family, benchmarks)
        message(error)


def test_without_a_file_it_is_the_embedded_leaderboard() -> None:
    assert panel_in(None, None, None, False, True).n_models == 83
