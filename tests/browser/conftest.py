"""Chromium for the tests that need one; `tests/conftest.py` skips them where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from browser_tests import find_browser
from browsing import FLAGS
from playwright.sync_api import sync_playwright


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A browser; for one module, since its event loop must end before other tests start theirs."""
    path = find_browser()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, headless=True, args=FLAGS)
        yield browser
        browser.close()


def is_near(url: str) -> bool:
    """Whether an address is on this machine."""
    return url.startswith(("data:", "blob:", "file:")) or urlsplit(url).hostname in (
        "localhost",
        "127.0.0.1",
    )


@pytest.fixture
def tolerated() -> tuple[str, ...]:
    """Beginnings of errors that are known and not lvkit's; a module that has some says why."""
    return ()


@pytest.fixture
def page(chromium: Any, tmp_path: Path, tolerated: tuple[str, ...]) -> Iterator[Any]:
    """A fresh page of 1280 by 900 points; at the end nothing may have gone wrong in it.

    How it looked at the end is kept in pytest's folder of the test.
    """
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    shown = context.new_page()
    errors: list[str] = []
    shown.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
    shown.on("pageerror", lambda error: errors.append(str(error)))
    shown.on("request", lambda r: None if is_near(r.url) else errors.append(f"fetched {r.url}"))
    yield shown
    shown.screenshot(path=tmp_path / "at-the-end.png")
    shown.close()
    context.close()
    untold = [error for error in errors if not error.startswith(tolerated)]
    assert not untold, "\n".join(untold)
