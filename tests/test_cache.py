"""A cache of fits: computed once, shared by processes, never damaged and never wrong."""

from __future__ import annotations

from pathlib import Path

import lvkit as lv
from lvkit.cache import FitCache

MODEL = lv.LatentSkillModel(n_skills=1, features="log_params")


def test_a_fit_is_computed_once_and_read_after(small_panel: lv.Panel, tmp_path: Path) -> None:
    first = FitCache(tmp_path).fit(MODEL, small_panel)
    again = FitCache(tmp_path).fit(MODEL, small_panel)
    assert again.starts.equals(first.starts)  # with its seconds
