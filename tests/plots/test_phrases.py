from __future__ import annotations

import html
import re

import pandas as pd
import pytest
from golden import Message

import lvkit as lv
from lvkit.errors import count
from lvkit.plots.family_effects import extremes
from lvkit.plots.fit import company, errors, features_of, pairs
from lvkit.plots.phrases import Prose, listed, signed


def test_things_are_counted_and_listed() -> None:
    assert [count(n, "model") for n in (0, 1, 2000)] == ["0 models", "1 model", "2,000 models"]
    assert listed(["a"]) == "a"
    assert listed(["a", "b"]) == "a and b"
    assert listed([1, 2, 3], "or") == "1, 2 or 3"
    assert listed([]) == ""


@pytest.mark.parametrize(
    "features",
    ["log_params * log_tokens", "log_params", "log_tokens", "log_params + instruct", "instruct"],
)
def test_features_are_named_in_plain_words(
    features: str, small_panel: lv.Panel, message: Message
) -> None:
    fit = lv.LatentSkillModel(n_skills=1, features=features).fit(small_panel)
    message(features_of(fit))


def test_the_highest_and_the_lowest_are_named(message: Message) -> None:
    standings = pd.Series([0.1, 1.2, -2.0, 0.4, 0.3, 2.0], index=list("abcdef"), name="maths")
    message(extremes(standings), "+2.0", "+1.2", "+0.4", "-2.0", "+0.1")


def test_doubt_and_number_of_scores_stand_with_each_name(message: Message) -> None:
    standings = pd.Series({"a": 0.1, "b": 1.2}, name="maths")
    known = pd.DataFrame({"sd": [0.26, 0.5], "n_scores": [1, 30]}, index=["a", "b"])
    message(extremes(standings, known), "+1.2", "0.5", "30", "+0.1", "0.3", "1")


def test_each_pair_of_skills_is_there_once(paper_fit: lv.Fit) -> None:
    values = pairs(paper_fit)
    assert len(values) == 6
    assert values.is_monotonic_decreasing
    for (a, b), value in zip(values.index, values, strict=True):
        assert value == paper_fit.correlation.loc[a, b]


def test_a_skills_company_is_who_mainly_loads_on_it(paper_fit: lv.Fit) -> None:
    found = company(paper_fit)
    assert list(found) == list(paper_fit.skills)
    assert (found["mathematics"], found["instruction"]) == (["GSM8K"], [])


def test_errors_are_told_from_the_smallest_to_the_largest(
    paper_fit: lv.Fit, message: Message
) -> None:
    message(errors(paper_fit))


@pytest.mark.parametrize(
    "name", ["<script>", "a_b_c", "*bold*", "[x](y)", "`code`", "$x$", "a|b", "&lt;"]
)
def test_names_are_text_in_the_markdown_of_prose(name: str) -> None:
    from nbconvert.filters import markdown2html

    page = markdown2html(Prose((("Family", name),))._repr_markdown_())
    inside = re.fullmatch(r"<p><strong>Family.</strong> (.*)</p>\n?", page)
    assert inside is not None
    assert "<" not in inside[1]
    assert html.unescape(inside[1]) == name


def test_a_plural_of_its_own_is_used() -> None:
    assert [count(n, "family") for n in (1, 2)] == ["1 family", "2 families"]


def test_standings_have_a_sign_unless_they_are_zero() -> None:
    assert [signed(x) for x in (1.26, -0.5, 0.04, -0.04)] == ["+1.3", "-0.5", "0.0", "0.0"]
