from __future__ import annotations

import pytest

from lvkit.tools.checks import split_quoted, unquoted


@pytest.mark.parametrize(
    ("text", "separator", "pieces"),
    [
        ("a=b,c=d", ",", ["a=b", "c=d"]),
        ('a="x,y",c', ",", ['a="x,y"', "c"]),
        ("a='x,y',c", ",", ["a='x,y'", "c"]),
        ('a = "x,y" , c', ",", ['a = "x,y" ', " c"]),
        ('"a=b"=c', "=", ['"a=b"', "c"]),
        ("o'brien,d'arc", ",", ["o'brien", "d'arc"]),
        ('"open,x', ",", ['"open', "x"]),
        ("", ",", [""]),
    ],
)
def test_separators_between_quotation_marks_split_nothing(
    text: str, separator: str, pieces: list[str]
) -> None:
    assert split_quoted(text, separator) == pieces


@pytest.mark.parametrize(
    ("text", "name"),
    [(' "a, b" ', "a, b"), ("'it'", "it"), ("'a' or 'b'", "'a' or 'b'"), ('"', '"'), ('""', "")],
)
def test_quotation_marks_around_a_whole_name_are_taken_away(text: str, name: str) -> None:
    assert unquoted(text) == name
