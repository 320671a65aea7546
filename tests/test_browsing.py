from __future__ import annotations

import sys
from pathlib import Path

import browsing
import psutil
import pytest
from browsing import running
from waiting import until

STUBBORN = """
import pathlib, signal, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path("pid.new").write_text(str(child.pid))
pathlib.Path("pid.new").rename("pid")
child.wait()
"""


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_server_that_does_not_end_is_killed_with_what_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browsing, "PATIENCE", 0.1)
    with running([sys.executable, "-c", STUBBORN], tmp_path):
        until((tmp_path / "pid").exists, "its process")
    pid = int((tmp_path / "pid").read_text())
    until(lambda: is_gone(pid), "the end of what it started")
