"""What all tests share: one thread of linear algebra, no window, and the embedded data."""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("JUPYTER_PLATFORM_DIRS", "1")

import sys
from pathlib import Path

import hypothesis
import pytest

import lvkit as lv

sys.path.insert(0, str(Path(__file__).parent))  # cases.py and independent.py, for some tests

# A shared machine is sometimes slow, so no example is too slow. They are the same each time,
# except with LVKIT_NIGHTLY=1: ten times as many, drawn anew.
any_time = hypothesis.settings(
    deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.register_profile("lvkit", any_time, derandomize=True)
hypothesis.settings.register_profile("nightly", any_time, max_examples=1000)
hypothesis.settings.load_profile("nightly" if os.environ.get("LVKIT_NIGHTLY") else "lvkit")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--browser-tests",
        choices=["auto", "yes", "no"],
        default="auto",
        help="run the tests that use a browser: where there is one (auto), always, or never",
    )
    parser.addoption(
        "--update-messages",
        action="store_true",
        help="write tests/messages.yaml anew for the tests that run, instead of comparing with it",
    )


def pytest_configure(config: pytest.Config) -> None:
    from browser_tests import BrowserTests
    from golden import Messages

    config.pluginmanager.register(BrowserTests(config.getoption("--browser-tests")))
    config.pluginmanager.register(Messages(config.getoption("--update-messages")))


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """The argument's name and a number for a long text: files may hold ids and times of today."""
    return argname if isinstance(val, (str, bytes)) and len(val) > 100 else None


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


@pytest.fixture(scope="session")
def complete(leaderboard: lv.Panel) -> lv.Panel:
    """The embedded models with every benchmark measured; 77 of them have tokens too."""
    return leaderboard.complete()


@pytest.fixture(scope="session")
def paper_anchors() -> dict[str, str]:
    """Four skills and their anchors, as in arXiv 2512.06553."""
    return {
        "mathematics": "math_lvl5",
        "instruction": "ifeval",
        "commonsense": "hellaswag",
        "reasoning": "bbh",
    }


@pytest.fixture(scope="session")
def paper_fit(leaderboard: lv.Panel, paper_anchors: dict[str, str]) -> lv.Fit:
    """The paper's model on all embedded models with tokens; a fit is immutable."""
    return lv.LatentSkillModel(anchors=paper_anchors).fit(leaderboard)


@pytest.fixture(scope="session")
def small_panel(complete: lv.Panel) -> lv.Panel:
    """Twelve families and six benchmarks of the embedded data, quick to fit."""
    some = complete.select(models=complete.models.index[complete.models["tokens_t"].notna()])
    names = ["mmlu", "arc", "hellaswag", "gsm8k", "ifeval", "bbh"]
    return some.select(families=some.families[:12], benchmarks=names)


@pytest.fixture(scope="session")
def small_fit(small_panel: lv.Panel) -> lv.Fit:
    """Two skills on the small panel."""
    anchors = {"general": "mmlu", "instruction": "ifeval"}
    return lv.LatentSkillModel(anchors=anchors, features="log_params + log_tokens").fit(small_panel)
