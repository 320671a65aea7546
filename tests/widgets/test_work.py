from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from typing import Any

import ipywidgets
import pytest
from golden import Message, refused
from waiting import PATIENCE

import lvkit as lv
from lvkit.tools.progress import progress_bar
from lvkit.widgets.tool import Tool, labelled
from lvkit.widgets.work import Stopped, Work


class Steps:
    """Work of three steps, each taken when the test allows it; keeps what is done."""

    def __init__(self) -> None:
        self.done: list[int] = []
        self.begun, self.go = threading.Event(), threading.Semaphore(0)

    def __call__(self, progress: Any) -> str:
        with progress_bar(progress, total=3, label="Steps") as bar:
            self.begun.set()
            for number in range(1, 4):
                assert self.go.acquire(timeout=PATIENCE)
                self.done.append(number)
                bar.set_postfix_str(f"number <{number}>")
                bar.update()
        return "all"

    def allow(self, steps: int = 3) -> None:
        for _ in range(steps):
            self.go.release()


@pytest.fixture
def tool() -> Tool:
    return Tool("Work")


@pytest.fixture
def button() -> Any:
    return labelled(ipywidgets.Button, "Start", "begin")


@pytest.fixture
def work(tool: Tool, button: Any) -> Iterator[Work]:
    work = Work(tool, locked=[button])
    yield work
    assert work.wait(PATIENCE)
    assert "lvkit work" not in [thread.name for thread in threading.enumerate()]


def test_work_returns_its_result_and_shows_its_progress(work: Work) -> None:
    steps = Steps()
    steps.allow()
    work.start(steps)
    assert work.wait(PATIENCE)
    assert (work.result, work.outcome, work.running) == ("all", "done", False)
    assert (work.bar.value, work.bar.max, work.words.value) == (3, 3, "Done.")


def test_start_returns_at_once_and_locks_the_controls(work: Work, button: Any) -> None:
    steps = Steps()
    work.start(steps)
    assert (work.running, button.disabled, work.stop_button.disabled) == (True, True, False)
    assert work.wait(0) is False
    steps.allow()
    assert work.wait(PATIENCE)
    assert (button.disabled, work.stop_button.disabled) == (False, True)


def test_words_of_the_work_are_shown_as_they_are(work: Work) -> None:

    def task(progress: Any) -> None:
        with progress_bar(progress, total=1, label="A & B") as bar:
            bar.set_postfix_str("<i>")
            seen.append(work.words.value)

    seen: list[str] = []
    work.start(task)
    work.wait(PATIENCE)
    assert seen == ["A &amp; B: &lt;i&gt;"]


def test_stopped_work_keeps_what_is_done(work: Work, tool: Tool, message: Message) -> None:
    steps = Steps()
    work.start(steps)
    steps.begun.wait(PATIENCE)
    tool.press(work.stop_button)
    assert work.stop_button.disabled
    steps.allow()
    assert work.wait(PATIENCE)
    assert (steps.done, work.outcome, work.result) == ([1], "stopped", None)
    message(tool.notice.text)


def test_work_can_be_started_again_after_a_stop(work: Work, tool: Tool) -> None:
    steps = Steps()
    work.start(steps)
    work.stop()
    steps.allow()
    work.wait(PATIENCE)
    steps = Steps()
    steps.allow()
    work.start(steps)
    assert work.wait(PATIENCE)
    assert (steps.done, work.outcome) == ([1, 2, 3], "done")


def test_a_second_start_is_refused(work: Work, message: Message) -> None:
    steps = Steps()
    work.start(steps)
    with refused() as error:
        work.start(Steps())
    message(error)
    steps.allow()


def test_work_that_fails_is_told_and_can_be_repeated(work: Work, tool: Tool, button: Any) -> None:
    def fails(progress: Any) -> None:
        raise lv.LvkitError("too few scores")

    work.start(fails)
    assert work.wait(PATIENCE)
    assert (work.outcome, work.result, tool.notice.text) == ("failed", None, "too few scores.")
    assert not button.disabled
    work.start(lambda progress: 5)
    work.wait(PATIENCE)
    assert (work.outcome, work.result) == ("done", 5)


def test_waiting_raises_the_fault_once_when_asked(work: Work, tool: Tool) -> None:
    tool.raise_on_exception = True
    work.start(lambda progress: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        work.wait(PATIENCE)
    assert "ZeroDivisionError" in tool.notice.text
    assert work.wait(PATIENCE)


@pytest.mark.parametrize("task", [lambda progress: 1, lambda progress: 1 / 0])
def test_the_widget_is_told_however_work_ends(tool: Tool, task: Any) -> None:
    ended: list[tuple[str, Any]] = []
    work = Work(tool, finished=lambda work: ended.append((work.outcome, work.result)))
    work.start(task)
    work.wait(PATIENCE)
    assert ended in ([("done", 1)], [("failed", None)])


def test_a_fault_after_the_work_is_told_too(tool: Tool) -> None:
    tool.raise_on_exception = True
    work = Work(tool, finished=lambda work: {}["lost"])
    work.start(lambda progress: 1)
    with pytest.raises(KeyError, match="lost"):
        work.wait(PATIENCE)
    assert (work.outcome, work.result) == ("done", 1)


def test_what_lvkit_warns_of_is_said_at_the_end(work: Work, tool: Tool, message: Message) -> None:
    work.start(lambda progress: warnings.warn("few scores", lv.LvkitWarning, stacklevel=1))
    work.wait(PATIENCE)
    message(tool.notice.text)


def test_a_library_function_is_stopped_between_its_steps(work: Work, small_panel: lv.Panel) -> None:
    kept: list[lv.Selection] = []

    def report(selection: lv.Selection) -> None:
        kept.append(selection)
        work.stop()

    work.start(lambda progress: lv.select_skills(small_panel, [1, 2], progress=progress,
                                                 report=report))  # fmt: skip
    work.wait(PATIENCE)
    assert work.outcome == "stopped"
    assert [list(selection.fits) for selection in kept] == [[1]]


def test_to_be_stopped_is_no_error_that_others_catch() -> None:
    assert not issubclass(Stopped, Exception)
    assert issubclass(Stopped, KeyboardInterrupt)


def test_waiting_for_nothing_is_over_at_once(work: Work) -> None:
    assert work.wait()
