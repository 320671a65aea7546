"""The browser that browser tests use, and what happens where there is none."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

HOW_TO = (
    "no Chromium or Chrome was found. Install one (Debian and Ubuntu: apt-get install chromium), "
    "or set CHROMIUM to its path"
)


def find_browser() -> str | None:
    """Return the path of Chromium, or of another browser of its kind."""
    script = Path(__file__).parent.parent / ".ci" / "find-chromium"
    return subprocess.run([script], capture_output=True, text=True).stdout.strip() or None


class BrowserTests:
    """A plugin: tests that use a browser are run, left out, or skipped with one line at the end.

    Parameters
    ----------
    wanted : {"auto", "yes", "no"}
        Whether to run them: where there is a browser, in any case, or not at all.
    """

    def __init__(self, wanted: str) -> None:
        self.wanted = wanted
        if wanted == "yes" and find_browser() is None:
            raise pytest.UsageError(f"browser tests are required (BROWSER=yes), but {HOW_TO}")

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Mark all tests that use a browser, whether their file says so or not."""
        using = [item for item in items if "chromium" in getattr(item, "fixturenames", ())]
        for item in using:
            item.add_marker("browser")
        if self.wanted == "no":
            config.hook.pytest_deselected(items=using)
            items[:] = [item for item in items if item not in using]
        elif using and find_browser() is None:
            for item in using:
                item.add_marker(pytest.mark.skip(reason=HOW_TO))

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say in one line what was skipped, and how to run it."""
        skipped = [
            report
            for report in terminalreporter.getreports("skipped")
            if isinstance(report.longrepr, tuple) and HOW_TO in report.longrepr[2]
        ]
        if skipped:
            number = f"{len(skipped)} browser test" + "s" * (len(skipped) > 1)
            terminalreporter.write_line(f"{number} skipped: {HOW_TO}.")
