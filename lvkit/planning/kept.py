"""Kept: what all plans of one fit share, made once.

Whoever plans moves a budget or a limit far more often than a family: the features' surface, what is
known of the family, and the draws of all that is uncertain stay the same, and the draws take longer
than all the rest of a plan. They are kept beside the fit, the last ones of each, and are gone when
the fit is. What is kept is never changed, so that plans are the same with it and without.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from lvkit.results import Fit


T = TypeVar("T")

_MOST = 24
"""Things that are kept of each fit; draws take about 2 MB."""

_of: WeakKeyDictionary[Fit, OrderedDict[Hashable, Any]] = WeakKeyDictionary()
_lock = threading.Lock()


def kept(fit: Fit, key: Hashable, make: Callable[[], T]) -> T:
    """Return what was made for a fit before, or make it.

    Parameters
    ----------
    fit : Fit
        The fit.
    key : hashable
        What it is and all that it depends on besides the fit.
    make : callable
        Makes it, without holding the fit in what it returns; nothing is kept where it raises.

    Examples
    --------
    >>> import lvkit as lv
    >>> fit = lv.LatentSkillModel(n_skills=1).fit(lv.load_leaderboard().complete())
    >>> first = kept(fit, "a list", lambda: [1, 2, 3])
    >>> kept(fit, "a list", lambda: [1, 2, 3]) is first
    True
    """
    with _lock:
        mine = _of.setdefault(fit, OrderedDict())
        if key in mine:
            mine.move_to_end(key)
            found: T = mine[key]
            return found
    made = make()
    with _lock:
        mine[key] = made
        while len(mine) > _MOST:
            mine.popitem(last=False)
    return made
