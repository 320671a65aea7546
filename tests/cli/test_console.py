from __future__ import annotations

import io
import json
import os
import sys
import warnings
from typing import Any

import pytest
import typer
from golden import Message

from lvkit.cli.console import InterruptError, printable, result, run, say
from lvkit.errors import LvkitError, LvkitWarning, Problem

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)

FAULTS = [
    Problem("got 1.7", "row 3", "a score from 0 to 1", "Divide by 100."),
    Problem("a blank name", "row 4"),
]


@app.command()
def good() -> None:
    say("done")


@app.command()
def faulty(as_json: bool = typer.Option(False, "--json")) -> None:
    raise LvkitError.from_problems(FAULTS)


@app.command()
def interrupted(as_json: bool = typer.Option(False, "--json")) -> None:
    raise KeyboardInterrupt


@app.command()
def stopped() -> None:
    raise InterruptError("1 of 2 reports are there; resume=True goes on.")


@app.command()
def aborted() -> None:
    raise typer.Abort


@app.command()
def warned() -> None:
    warnings.warn("three models lack tokens", LvkitWarning, stacklevel=2)
    say("done")


@app.command()
def alarmed() -> None:
    warnings.simplefilter("always", RuntimeWarning)
    warnings.warn("overflow", RuntimeWarning, stacklevel=2)


# What steers a terminal: colours by ESC and by C1, a cleared screen, a bell, a line written over
# itself, text from right to left, and text hidden by it.
STEERING = (
    "red\x1b[31m red\x9b31m gone\x1bc bell\a over\rwritten back\b\b del\x7f null\0 "
    "\u202egnp.exe \u2066a\u2069 \u200fb \u061cc line\u2028on next\x85line"
)


@app.command()
def naming(name: str, way: str, as_json: bool = typer.Option(False, "--json")) -> None:
    if way == "result":
        result({"name": name}, f"name: {name}", as_json=as_json)
    if way == "error":
        raise LvkitError(f"got {name}", where=f"row 3 ({name})", expected=name, remedy=name)
    if way == "warning":
        warnings.warn(name, LvkitWarning, stacklevel=2)
    if way == "other warning":
        warnings.simplefilter("always", RuntimeWarning)
        warnings.warn(name, RuntimeWarning, stacklevel=2)
    if way == "interrupt":
        raise InterruptError(name)
    if way == "usage":
        raise typer.BadParameter(name)


@app.command()
def broken() -> None:
    raise ZeroDivisionError


Captured = pytest.CaptureFixture[str]


def test_a_command_that_succeeds_ends_with_0(capsys: Captured) -> None:
    assert run(app, ["good"]) == 0
    assert capsys.readouterr() == ("done\n", "")


def test_a_users_error_ends_with_1_and_is_told_plainly_on_stderr(
    capsys: Captured, message: Message
) -> None:
    assert run(app, ["faulty"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    message(err, "2", "3", "1.7", "0", "1", "100")
    assert "Traceback" not in err


def test_with_json_an_error_is_one_document_on_stdout(capsys: Captured) -> None:
    assert run(app, ["faulty", "--json"]) == 1
    out, err = capsys.readouterr()
    assert err == ""
    problems = json.loads(out)["error"]["problems"]
    assert problems[0] == {
        "seen": "got 1.7",
        "where": "row 3",
        "expected": "a score from 0 to 1",
        "remedy": "Divide by 100.",
    }
    assert len(problems) == 2


@pytest.mark.parametrize("arguments", [["faulty", "--jsn"], ["fauty"], [], ["good", "more"]])
def test_a_command_line_not_understood_ends_with_2_and_points_to_help(
    arguments: list[str], capsys: Captured, message: Message
) -> None:
    assert run(app, arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    message(err.splitlines()[-1], "--help")
    assert "?." not in err


def test_with_json_a_usage_error_is_one_document_too(capsys: Captured) -> None:
    assert run(app, ["faulty", "--json", "--skils"]) == 2
    document = json.loads(capsys.readouterr().out)
    assert "--skils" in document["error"]["problems"][0]["seen"]


@pytest.mark.parametrize("command", ["interrupted", "aborted"])
def test_an_interrupt_ends_with_130_and_a_plain_line(
    command: str, capsys: Captured, message: Message
) -> None:
    assert run(app, [command]) == 130
    err = capsys.readouterr().err.strip()
    message(err)


def test_an_interrupt_tells_what_the_command_has_left_in_options(
    capsys: Captured, message: Message
) -> None:
    assert run(app, ["stopped"]) == 130
    err = capsys.readouterr().err.strip()
    message(err, "1", "2", "--resume")


def test_with_json_an_interrupt_is_one_document(capsys: Captured) -> None:
    assert run(app, ["interrupted", "--json"]) == 130
    assert json.loads(capsys.readouterr().out)["error"]["problems"][0]["seen"] == "interrupted"


def test_warnings_of_lvkit_are_sentences_on_stderr(capsys: Captured) -> None:
    assert run(app, ["warned"]) == 0
    assert capsys.readouterr() == ("done\n", "lvkit: three models lack tokens\n")


def test_warnings_of_others_keep_their_form() -> None:
    with pytest.warns(RuntimeWarning, match="overflow"):
        assert run(app, ["alarmed"]) == 0


def only_text(shown: str) -> bool:
    return all(letter.isprintable() or letter == "\n" for letter in shown)


@pytest.mark.parametrize("way", ["result", "error", "warning", "interrupt", "usage"])
def test_no_way_to_the_terminal_lets_a_control_character_through(
    way: str, capsys: Captured
) -> None:
    run(app, ["naming", STEERING, way])
    shown = "".join(capsys.readouterr())
    assert printable(STEERING) in shown
    assert only_text(shown)


def test_warnings_of_others_are_escaped_too() -> None:
    with pytest.warns(RuntimeWarning, match="over.u000dwritten") as caught:
        assert run(app, ["naming", STEERING, "other warning"]) == 0
    assert only_text(str(caught[0].message))


@pytest.mark.parametrize("way", ["result", "error", "usage"])
def test_a_document_for_programs_still_holds_the_name(way: str, capsys: Captured) -> None:
    run(app, ["naming", STEERING, way, "--json"])
    out = capsys.readouterr().out
    assert only_text(out)
    document = json.loads(out)
    assert STEERING in (document["name"] if way == "result" else problem_in(document)["seen"])


def problem_in(document: dict[str, Any]) -> dict[str, str]:
    (problem,) = document["error"]["problems"]
    return dict(problem)


def test_what_is_no_control_character_stays_as_it_is() -> None:
    text = "ε = −0.5\t日本語, \u200cfa\u200d, Ωmega ½ 🙂\n"
    assert printable(text) == text


def test_a_line_in_a_name_never_begins_a_line_of_its_own(capsys: Captured) -> None:
    assert run(app, ["naming", "x\nlvkit: all is well", "error"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if line.startswith("lvkit: all")] == []


def test_a_fault_of_lvkit_itself_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        run(app, ["broken"])


def test_a_reader_who_leaves_early_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with io.TextIOWrapper(os.fdopen(writing, "wb")) as stream:
        say("one", stream=stream)
        say("two", stream=stream)


def test_a_terminal_that_lacks_a_sign_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    page = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(page, encoding="ascii"))
    say_app = typer.Typer(rich_markup_mode=None)

    @say_app.command()
    def times() -> None:
        say("2 × 3")

    assert run(say_app, []) == 0
    assert page.getvalue() == b"2 \\xd7 3\n"
