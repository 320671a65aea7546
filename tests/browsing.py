"""A real JupyterLab or Voila on loopback, and what a person does in it with mouse and keyboard.

Servers run with a home of their own, so that nothing of the user's is read or changed. A page keeps
what the browser's console says; a test that ends with an error in it fails.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import nbformat
import psutil
from waiting import PATIENCE, until

ROOT = Path(__file__).parent.parent
MAKEFILE = (ROOT / "Makefile").read_text()
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def at_home(home: Path) -> dict[str, str]:
    """An environment in which Jupyter finds nothing of the user's."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("JUPYTER", "XDG_", "IPYTHON", "COV_", "PYTEST"))
    }
    config = home / "config"
    (config / "labconfig").mkdir(parents=True, exist_ok=True)
    # JupyterLab asks at its first start whether it may fetch news.
    news = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
    (config / "labconfig" / "page_config.json").write_text(json.dumps(news))
    return environment | {
        "HOME": str(home),
        "JUPYTER_CONFIG_DIR": str(config),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "IPYTHONDIR": str(home / "ipython"),
        "PYTHONUNBUFFERED": "1",
    }


@contextmanager
def running(
    command: Sequence[str], home: Path, *, cwd: Path | None = None, **more: str
) -> Iterator[None]:
    """Run a server; end it, and what it started, when the block is left."""
    with open(home / "server.log", "ab") as log:
        process = subprocess.Popen(
            command, cwd=cwd or home, env=at_home(home) | more, stdout=log, stderr=log
        )
        try:
            yield
        finally:
            servers = [*(home / "runtime").glob("jpserver-*.json")]
            pids = [json.loads(file.read_text())["pid"] for file in servers] or [process.pid]
            for pid in pids:  # `lvkit lab` ends when the server it started has ended
                os.kill(pid, signal.SIGTERM)
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:  # Jupyter waits for kernels that do not answer
                kill_with_children(process.pid)
                process.wait()


def kill_with_children(pid: int) -> None:
    """Kill a process and all that it started."""
    ours = psutil.Process(pid)
    for process in [ours, *ours.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def jupyterlab(home: Path, command: Sequence[str], **more: str) -> Iterator[str]:
    """Start JupyterLab by a command; yield its address, with the token in it to be filled in."""
    options = [
        "--no-browser",
        "--allow-root",
        f"--port={free_port()}",
        "--LabApp.expose_app_in_browser=True",  # so that a test can wait for the end of a command
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    home.mkdir(parents=True, exist_ok=True)
    with running([*command, *options], home, JUPYTER_TOKEN="secret", **more):
        (file,) = until(lambda: [*home.glob("runtime/jpserver-*.json")], "JupyterLab")
        info = until(lambda: file.read_text(), "its address")
        yield str(json.loads(info)["url"])


@contextmanager
def lab_in(home: Path) -> Iterator[str]:
    """Start JupyterLab as a user does: ``lvkit lab``; the notebooks are in ``home / "mine"``."""
    with jupyterlab(home, [sys.executable, "-m", "lvkit", "lab", str(home / "mine")]) as url:
        yield url


@contextmanager
def apps_in(home: Path) -> Iterator[str]:
    """Start Voila as `make apps` does, without opening a browser of its own."""
    makefile = MAKEFILE.replace("\\\n", " ")
    recipe = re.search(r"^apps:.*\n\tJUPYTER_PATH=(\S+) \$\(python\) (.*)$", makefile, re.MULTILINE)
    assert recipe is not None
    home.mkdir(parents=True, exist_ok=True)
    # From the project's folder, as make does; the home is only for what is written.
    command = [sys.executable, *recipe[2].split(), "--no-browser", f"--port={free_port()}"]
    with running(command, home, cwd=ROOT, JUPYTER_PATH=str(ROOT / recipe[1])):
        log = home / "server.log"
        shown = until(
            lambda: re.search(r" is running at:\n(http\S+)\n", log.read_text("utf-8", "replace")),
            "Voila",
        )
        yield str(shown[1])


def write_notebook(path: Path, *cells: str) -> None:
    """Write a notebook of code cells."""
    made = [nbformat.v4.new_code_cell(cell, id=f"cell-{n}") for n, cell in enumerate(cells)]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = nbformat.v4.new_notebook(cells=made, metadata={"kernelspec": kernel})
    nbformat.write(notebook, path)


class Lab:
    """JupyterLab in a browser, as somebody who works in it."""

    def __init__(self, page: Any, url: str) -> None:
        self.page, self.url = page, url
        page.set_default_timeout(PATIENCE * 1000)

    def open_launcher(self) -> None:
        self.page.goto(f"{self.url}lab/workspaces/empty?reset&token=secret")
        self.page.wait_for_selector(".jp-LauncherCard")

    def cards(self, section: str) -> Any:
        found = self.page.locator(".jp-Launcher-section", has_text=section)
        return found.locator(".jp-LauncherCard")

    def open(self, name: str) -> None:
        self.page.goto(f"{self.url}lab/workspaces/test/tree/{name}?reset&token=secret")
        self.wait_open(name)

    def wait_open(self, name: str) -> None:
        self.page.wait_for_selector(f'.lm-TabBar-tab.lm-mod-current:has-text("{name}")')
        self.page.wait_for_selector(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell")
        self.wait_idle()

    def wait_idle(self) -> None:
        """Wait until the kernel has nothing to do and no cell waits for it."""
        idle = self.page.locator("#jp-main-statusbar", has_text=re.compile(r"\| Idle"))
        waiting = self.page.locator(".jp-InputPrompt", has_text="[*]")
        until(lambda: idle.count() == 1 and waiting.count() == 0, "an idle kernel")

    def run_all(self) -> None:
        """Do what Run > Run All Cells does, to the end of the last cell."""
        self.page.evaluate("jupyterapp.commands.execute('notebook:run-all-cells')")
        self.wait_idle()

    def save(self) -> None:
        self.page.keyboard.press("Control+s")
        until(lambda: self.page.locator(".jp-mod-dirty").count() == 0, "a saved notebook")

    def show(self, name: str) -> None:
        """Open a notebook and run it."""
        self.open(f"{name}.ipynb")
        self.run_all()
        self.page.wait_for_selector(".jp-OutputArea .widget-vbox")

    @property
    def picture(self) -> Any:
        """The notebook's picture; where there are more, a test that takes it fails."""
        return self.page.locator(".jp-OutputArea img:visible")

    def changed(self, before: str) -> str:
        """Wait until the picture is another than before; return its bytes."""
        return str(until(lambda: self._another(before), "another picture"))

    def _another(self, before: str) -> str | None:
        shown = self.picture.evaluate_all("images => images.map(image => image.src).join()")
        return None if shown == before else shown

    def nudge(self, slider: str, key: str = "ArrowRight") -> None:
        """Press a key on a slider's handle."""
        found = self.page.locator(".widget-hslider", has_text=slider)
        found.locator(".noUi-handle").press(key)

    def button(self, name: str) -> Any:
        words = re.compile(rf"^\s*{re.escape(name)}\s*$")
        return self.page.locator(".jp-OutputArea button", has_text=words)

    def upload(self, button: str, path: Path) -> None:
        """Press an upload button and choose a file."""
        with self.page.expect_file_chooser() as chooser:
            self.page.locator(".jp-OutputArea button", has_text=button).click()
        chooser.value.set_files(path)

    def wait_said(self, words: str) -> None:
        """Wait until the widget says something."""
        said = self.page.locator(".jp-OutputArea [role=status], .jp-OutputArea [role=alert]")
        until(lambda: words in " ".join(said.all_inner_texts()), f"'{words}'")
