from __future__ import annotations

import pytest
from golden import Message

from lvkit.widgets.notice import Notice


@pytest.fixture
def notice() -> Notice:
    return Notice()


def test_a_notice_says_nothing_at_first(notice: Notice) -> None:
    assert (notice.text, notice.value) == ("", "")


def test_text_is_shown_as_it_is(notice: Notice) -> None:
    notice.say("<script>alert('x')</script> & more")
    assert notice.text == "<script>alert('x')</script> & more"
    assert "<script>" not in notice.value
    assert "&lt;script&gt;" in notice.value


def test_kinds_differ_by_words_and_signs_and_roles(notice: Notice, message: Message) -> None:
    seen = {}
    for kind in ("say", "warn", "fail"):
        getattr(notice, kind)("text")
        seen[kind] = notice.value
    assert 'role="status"' in seen["say"]
    assert 'role="status"' in seen["warn"]
    message(seen["warn"])
    assert 'role="alert"' in seen["fail"]
    assert "✖ text" in seen["fail"]


def test_a_cleared_notice_says_nothing(notice: Notice) -> None:
    notice.fail("text")
    notice.clear()
    assert (notice.text, notice.value) == ("", "")
