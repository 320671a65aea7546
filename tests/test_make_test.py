"""`make test`: both halves run whatever becomes of the first, with a browser or without."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
Done = subprocess.CompletedProcess[str]


def make_test(folder: Path, *arguments: str, **environment: str) -> Done:
    """Run `make test` with a Python that only notes what it is asked to run."""
    (folder / "venv").mkdir()
    (folder / "venv" / ".with-test").touch()
    python = folder / "python"
    python.write_text(
        f'#!/bin/sh\necho "$*" >>{folder}/asked\ncase "$*" in *"$FAILING"*) exit 1;; esac\n'
    )
    python.chmod(0o755)
    ours = {"MAKEFLAGS", "BROWSER", "TESTS", "NOTEBOOKS", "CHROMIUM"}  # of a `make` around this one
    inherited = {name: value for name, value in os.environ.items() if name not in ours}
    return subprocess.run(
        ["make", "test", f"venv={folder}/venv", f"python={python}", *arguments],
        cwd=ROOT,
        env=inherited | {"FAILING": "nothing fails"} | environment,
        capture_output=True,
        text=True,
    )


def asked(folder: Path) -> list[str]:
    return (folder / "asked").read_text().splitlines()


@pytest.mark.parametrize(
    ("failing", "reported"),
    [
        ("--nbval-lax", "Failed: the notebooks (see above)."),
        ("--dist", "Failed: the tests (see above)."),
        ("pytest", "Failed: the notebooks and the tests (see above)."),
    ],
)
def test_both_halves_run_and_a_failure_of_either_is_a_failure(
    failing: str, reported: str, tmp_path: Path
) -> None:
    done = make_test(tmp_path, FAILING=failing)
    assert done.returncode == 2
    assert done.stderr.startswith(reported)
    notebooks, tests = asked(tmp_path)
    assert notebooks.endswith("notebooks")
    assert tests.endswith("--browser-tests=auto --cov")


def test_where_nothing_fails_make_test_succeeds(tmp_path: Path) -> None:
    done = make_test(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(asked(tmp_path)) == 2


@pytest.mark.parametrize("wanted", ["auto", "yes", "no"])
def test_browser_is_an_argument_or_a_variable_of_the_environment(
    wanted: str, tmp_path: Path
) -> None:
    for number, settings in enumerate([([f"BROWSER={wanted}"], {}), ([], {"BROWSER": wanted})]):
        folder = tmp_path / str(number)
        folder.mkdir()
        arguments, environment = settings
        assert make_test(folder, *arguments, **environment).returncode == 0
        assert f"--browser-tests={wanted} " in asked(folder)[1]


def test_the_users_web_browser_in_the_environment_is_not_meant(tmp_path: Path) -> None:
    assert make_test(tmp_path, BROWSER="firefox").returncode == 0
    assert "--browser-tests=auto " in asked(tmp_path)[1]


def test_a_wrong_value_of_browser_is_refused(tmp_path: Path) -> None:
    done = make_test(tmp_path, "BROWSER=never")
    assert done.returncode == 2
    assert "got BROWSER=never; expected auto, yes or no" in done.stderr


def browser_tests(wanted: str) -> Done:
    """Run the browser tests of one file where there is no browser."""
    command = [sys.executable, "-m", "pytest", "-q", f"--browser-tests={wanted}"]
    return subprocess.run(
        [*command, "-p", "no:cacheprovider", "tests/browser/test_voila.py"],
        cwd=ROOT,
        env=os.environ | {"CHROMIUM": ""},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("chromium", ["", "/no/such/browser", "false"])
def test_a_browser_that_is_not_there_or_does_not_run_is_not_found(chromium: str) -> None:
    script = ROOT / ".ci" / "find-chromium"
    done = subprocess.run([script], env=os.environ | {"CHROMIUM": chromium}, capture_output=True)
    assert (done.returncode != 0, done.stdout) == (True, b"")


def test_a_browser_elsewhere_is_found_by_its_path(tmp_path: Path) -> None:
    browser = tmp_path / "my browser"
    browser.write_text("#!/bin/sh\n")
    browser.chmod(0o755)
    script = ROOT / ".ci" / "find-chromium"
    assert (
        subprocess.check_output([script], env=os.environ | {"CHROMIUM": str(browser)}, text=True)
        == f"{browser}\n"
    )


def test_without_a_browser_its_tests_are_skipped_with_one_line() -> None:
    done = browser_tests("auto")
    assert done.returncode == 0
    *_, line, result = done.stdout.splitlines()
    assert line.startswith("2 browser tests skipped: no Chromium or Chrome was found.")
    assert "apt-get install chromium" in line
    assert result.startswith("2 skipped")


def test_a_browser_that_is_required_and_missing_fails_before_any_test() -> None:
    done = browser_tests("yes")
    assert done.returncode == 4
    assert "browser tests are required (BROWSER=yes), but no Chromium" in done.stderr
    assert "apt-get install chromium" in done.stderr
    assert "skipped" not in done.stdout


def test_browser_tests_can_be_left_out() -> None:
    done = browser_tests("no")
    assert "2 deselected" in done.stdout
    assert "skipped" not in done.stdout
