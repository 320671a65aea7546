"""The golden file of messages: what it compares, and how it is written anew."""

import pytest
from golden import (
    FILE,
    Messages,
    check_quoted,
    defined_tests,
    parts,
    read_messages,
    refused,
    same,
    write_messages,
)

import lvkit as lv
from lvkit.tools.checks import check_level


def test_every_entry_belongs_to_a_test():
    everywhere = set().union(*defined_tests(FILE.parent).values())
    for file, entries in read_messages().items():
        for test in entries:
            assert test.partition("[")[0] in everywhere, (file, test)


def test_messages_are_read_as_they_were_written(tmp_path):
    texts = [
        "one line",
        "two\nlines: 'a' and \"b\"\n",
        "  indented\n\n and  \nß \x1b[1m",
        "",
        "long words, " * 30 + "'end': # x",
    ]
    messages = {"test_a.py": {"test_b[x: y]": texts, "test_none": []}, "test_c.py": {"test_d": []}}
    write_messages(messages, tmp_path / "messages.yaml")
    assert read_messages(tmp_path / "messages.yaml") == {"test_a.py": {"test_b[x: y]": texts}}


@pytest.fixture
def stored(tmp_path):
    (tmp_path / "deep").mkdir()
    for name, tests in {
        "test_a.py": ["test_one"],
        "test_b.py": ["test_two"],
        "deep/test_b.py": ["test_three", "test_moved"],
        "test_new.py": ["test_four", "test_moved"],
    }.items():
        (tmp_path / name).write_text("".join(f"def {test}(message): ...\n" for test in tests))
    old = {
        "test_a.py": {"test_one": ["old"], "test_gone": ["old"]},
        "test_b.py": {"test_two": ["old"], "test_three": ["old"]},
        "test_lost.py": {"test_four": ["old"], "test_moved": ["old"]},
    }
    write_messages(old, tmp_path / "messages.yaml")
    return Messages(True, tmp_path / "messages.yaml")


def test_a_run_replaces_the_entries_of_its_tests_and_drops_those_gone(stored):
    stored.collected = ["tests/test_a.py::test_one", "tests/test_b.py::test_two"]
    stored.heard = {"tests/test_a.py::test_one": ["new", "more"], "tests/test_b.py::test_two": []}
    stored.pytest_sessionfinish()
    assert read_messages(stored.file) == {
        "test_a.py": {"test_one": ["new", "more"]},
        "test_new.py": {"test_four": ["old"]},
        "test_b.py": {"test_three": ["old"], "test_two": ["old"]},  # of deep/test_b.py, maybe
    }


def test_a_run_of_single_tests_drops_no_other(stored):
    stored.whole = False
    stored.collected = ["tests/test_a.py::test_one"]
    stored.heard = {"tests/test_a.py::test_one": ["new"]}
    assert stored.updated()["test_b.py"] == {"test_two": ["old"], "test_three": ["old"]}


def test_a_test_whose_file_was_renamed_keeps_its_entry(stored):
    stored.compare("tests/test_new.py::test_four", 1, "old")
    assert stored.updated()["test_new.py"] == {"test_four": ["old"]}
    assert "test_lost.py" not in stored.updated()


def test_two_tests_cannot_share_an_entry(stored):
    stored.heard = {"tests/test_b.py::test_two": ["1"], "tests/deep/test_b.py::test_two": ["2"]}
    with pytest.raises(pytest.UsageError, match="test_two"):
        stored.updated()


@pytest.mark.parametrize(("number", "shown"), [(1, "older"), (2, "old")])
def test_another_wording_or_one_more_message_fails(stored, number, shown):
    stored.compare("tests/x/test_a.py::test_one", 1, "old")
    with pytest.raises(pytest.fail.Exception, match=rf"message {number} .*\n(.*\n)*\+ {shown}"):
        stored.compare("tests/x/test_a.py::test_one", number, shown)


def test_a_refusal_is_held_to_its_place_and_its_values():
    with refused("level", 95) as error:
        check_level(95)
    assert isinstance(error.value, lv.LvkitError)
    for where, quoted in [("share", 95), ("level", 96)]:
        with pytest.raises(AssertionError), refused(where, quoted):
            check_level(95)


def test_an_entry_is_named_by_file_and_test_only():
    assert parts("tests/deep/test_a.py::test_b[c::d/e]") == ("test_a.py", "test_b[c::d/e]")


@pytest.mark.parametrize(
    ("before", "now", "alike"),
    [
        ("from 0.99 to 1.5 of 3", "from 1.00 to 1.4 of 3", True),
        ("from 0.97", "from 1.03", False),
        ("from 0.97", "from 0.9", False),
        ("3 of 4", "2 of 4", False),
        ("1,499 of 40", "1,520 of 40", True),
        ("1,499 of 40", "1,600 of 40", False),
        ("7.4e+07", "7.5e+07", True),
        ("gains 7.4e-07", "gains 9e-08", True),
        ("7.4e+07 in all", "7.4e+08 in all", False),
        ("at 0.5 of 2", "of 0.5 of 2", False),
    ],
)
def test_long_numbers_may_differ_by_rounding(before, now, alike):
    assert same(before, now) == alike


def test_values_that_a_text_must_quote_are_whole_words():
    check_quoted("from 0.25 to 'mmlu'", [0.25, "mmlu", "'mmlu'"])
    for value in ("mm", "0.2", 5):
        with pytest.raises(AssertionError):
            check_quoted("from 0.25 to 'mmlu'", [value])
