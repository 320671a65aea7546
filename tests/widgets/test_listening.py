from __future__ import annotations

import threading
import warnings

import pytest
from waiting import PATIENCE

from lvkit.errors import LvkitWarning
from lvkit.widgets.listening import listening


def test_each_warning_is_heard_once() -> None:
    with listening() as heard:
        for text in ("one", "two", "one"):
            warnings.warn(text, LvkitWarning, stacklevel=1)
    assert heard == ["one", "two"]


def test_a_warning_is_heard_again_by_the_next_listener() -> None:
    for _ in range(2):
        with listening() as heard:
            warnings.warn("again", LvkitWarning, stacklevel=1)
        assert heard == ["again"]


def test_what_is_not_lvkits_goes_where_it_went_before() -> None:
    with pytest.warns(UserWarning, match="somebody else's"), listening() as heard:
        warnings.warn("somebody else's", UserWarning, stacklevel=1)
    assert heard == []


def test_threads_hear_their_own() -> None:
    heard_there: list[str] = []
    both, said = threading.Barrier(2, timeout=PATIENCE), threading.Barrier(2, timeout=PATIENCE)

    def there() -> None:
        with listening() as heard:
            both.wait()
            warnings.warn("there", LvkitWarning, stacklevel=1)
            said.wait()
            heard_there.extend(heard)

    thread = threading.Thread(target=there)
    thread.start()
    with listening() as heard:
        both.wait()
        warnings.warn("here", LvkitWarning, stacklevel=1)
        said.wait()
    thread.join(PATIENCE)
    assert (heard, heard_there) == (["here"], ["there"])


def test_nothing_is_changed_when_the_last_has_listened() -> None:
    before = (warnings.showwarning, list(warnings.filters))
    with listening(), listening():
        assert warnings.showwarning is not before[0]
    assert (warnings.showwarning, list(warnings.filters)) == before


def test_nothing_is_changed_after_an_error() -> None:
    before = (warnings.showwarning, list(warnings.filters))
    with pytest.raises(ZeroDivisionError), listening():
        raise ZeroDivisionError
    assert (warnings.showwarning, list(warnings.filters)) == before
