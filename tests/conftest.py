"""What all tests share: one thread of linear algebra, no window, and the embedded data."""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("JUPYTER_PLATFORM_DIRS", "1")

from pathlib import Path

import hypothesis
import pytest

import lvkit as lv

# A shared machine is sometimes slow; a slow example is no fault. The same examples each time.
hypothesis.settings.register_profile("lvkit", deadline=None, derandomize=True)
hypothesis.settings.load_profile("lvkit")


@pytest.fixture(scope="session")
def leaderboard() -> lv.Panel:
    """All 197 embedded models; a panel is immutable, so that all tests can share it."""
    return lv.load_leaderboard()


@pytest.fixture
def small_file(leaderboard: lv.Panel, tmp_path: Path) -> Path:
    """A user's file: ten families, six benchmarks, no gaps; quick to fit."""
    some = leaderboard.complete()
    some = some.select(models=some.models.index[some.models["tokens_t"].notna()])
    small = some.select(families=some.families[:10], benchmarks=some.scores.columns[:6])
    path = tmp_path / "mine.csv"
    small.write_csv(path)
    return path
