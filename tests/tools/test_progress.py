from __future__ import annotations

import io
from functools import partial

import pytest
from golden import Message, refused
from tqdm import tqdm

from lvkit.tools.progress import NoProgress, progress_bar


def test_false_shows_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    with progress_bar(False, total=2, label="Fitting") as bar:
        bar.update()
        bar.set_postfix_str("half way")
    assert isinstance(bar, NoProgress)
    assert capfd.readouterr() == ("", "")


def test_true_shows_a_bar_with_its_label_on_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    with progress_bar(True, total=2, label="Fitting") as bar:
        bar.update(2)
        bar.set_postfix_str("done")
    shown = capfd.readouterr()
    assert shown.out == ""
    assert "Fitting" in shown.err
    assert "2/2" in shown.err


def test_a_class_of_tqdm_is_used_as_given() -> None:
    page = io.StringIO()
    with progress_bar(partial(tqdm, file=page), total=3, label="Runs") as bar:
        bar.update(3)
    assert "Runs: 100%" in page.getvalue()


def test_the_bar_is_closed_when_the_work_fails() -> None:
    page = io.StringIO()
    with (
        pytest.raises(ZeroDivisionError),
        progress_bar(partial(tqdm, file=page), total=3, label="Runs") as bar,
    ):
        raise ZeroDivisionError
    assert bar.disable


def test_a_total_may_be_unknown() -> None:
    page = io.StringIO()
    with progress_bar(partial(tqdm, file=page), label="Draws") as bar:
        bar.update(5)
    assert "5it" in page.getvalue()


@pytest.mark.parametrize("wrong", ["yes", 1, None])
def test_anything_else_is_refused_with_the_remedy(wrong: object, message: Message) -> None:
    with refused("argument 'progress'") as error:
        progress_bar(wrong)  # type: ignore[arg-type]
    message(error)
