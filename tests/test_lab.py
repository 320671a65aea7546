from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import pytest
from golden import Message, refused
from jupyter_client.kernelspec import KernelSpecManager

from lvkit import lab
from lvkit.cli.main import main
from lvkit.tools.files import shipped_notebooks

Captured = pytest.CaptureFixture[str]


class Jupyter:
    """Stands for JupyterLab's process: Ctrl-C comes twice before it ends."""

    calls: ClassVar[list[Any]] = []

    def __init__(self, command: list[str], env: dict[str, str]) -> None:
        self.interruptions = 2
        place = Path(env["JUPYTER_PATH"].split(os.pathsep)[0])
        files = {str(path.relative_to(place)) for path in place.rglob("*") if path.is_file()}
        Jupyter.calls.append((command, env, place, files))

    def __enter__(self) -> Jupyter:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def wait(self) -> int:
        self.interruptions -= 1
        if self.interruptions >= 0:
            raise KeyboardInterrupt
        return 3


@pytest.fixture
def jupyter(monkeypatch: pytest.MonkeyPatch) -> type[Jupyter]:
    Jupyter.calls = []
    monkeypatch.setattr(subprocess, "Popen", Jupyter)
    return Jupyter


# -- copies -----------------------------------------------------------------------------------


def test_what_the_user_changed_is_kept_unless_forced(tmp_path: Path) -> None:
    lab.copy_notebooks(tmp_path)
    (tmp_path / "report.ipynb").write_text("mine")
    assert (tmp_path / "report.ipynb", "kept") in lab.copy_notebooks(tmp_path)
    assert (tmp_path / "report.ipynb").read_text() == "mine"
    assert (tmp_path / "report.ipynb", "overwritten") in lab.copy_notebooks(tmp_path, force=True)
    assert (tmp_path / "report.ipynb").read_bytes() == shipped_notebooks()["report.ipynb"]


def test_a_notebook_deleted_by_the_user_comes_back(tmp_path: Path) -> None:
    lab.copy_notebooks(tmp_path)
    (tmp_path / "report.ipynb").unlink()
    assert (tmp_path / "report.ipynb", "copied") in lab.copy_notebooks(tmp_path)


# -- starting JupyterLab ----------------------------------------------------------------------


def test_the_kernel_of_the_lab_is_the_interpreter_that_runs_lvkit(tmp_path: Path) -> None:
    lab.write_lab_files(tmp_path)
    manager = KernelSpecManager(kernel_dirs=[str(tmp_path / "kernels")])
    assert manager.get_kernel_spec("python3").argv[0] == sys.executable


def test_the_command_copies_the_notebooks_and_starts_jupyterlab_on_them(
    jupyter: type[Jupyter], tmp_path: Path, capsys: Captured, message: Message
) -> None:
    folder = tmp_path / "mine"
    assert main(["lab", str(folder), "--no-browser", "--port", "8890"]) == 3
    ((command, _, place, files),) = jupyter.calls
    assert command[:3] == [sys.executable, "-m", "jupyterlab"]
    assert f"--ServerApp.root_dir={folder}" in command
    assert command[-3:] == ["--no-browser", "--port", "8890"]
    assert {path.name for path in folder.iterdir()} == set(shipped_notebooks())
    assert "jupyter_app_launcher/jp_app_launcher_lvkit.yaml" in files
    assert not place.exists()
    message(capsys.readouterr().out, folder)


def test_started_again_the_command_keeps_the_users_work(
    jupyter: type[Jupyter], tmp_path: Path, capsys: Captured, message: Message
) -> None:
    main(["lab", str(tmp_path)])
    (tmp_path / "report.ipynb").write_text("mine")
    main(["lab", str(tmp_path)])
    assert (tmp_path / "report.ipynb").read_text() == "mine"
    message(capsys.readouterr().out, "1")


def test_without_a_folder_the_notebooks_go_to_one_of_their_own(
    jupyter: type[Jupyter], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    main(["lab", "--no-browser"])
    assert (tmp_path / "lvkit-notebooks" / "report.ipynb").exists()


def test_the_users_own_places_for_cards_and_kernels_stay(
    jupyter: type[Jupyter], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_PATH", "theirs")
    lab.open_lab(tmp_path)
    ((_, environment, place, _),) = jupyter.calls
    assert environment["JUPYTER_PATH"] == os.pathsep.join([str(place), "theirs"])


def test_two_folders_have_two_workspaces(tmp_path: Path) -> None:
    urls = {lab.lab_command(tmp_path / name)[4] for name in ("a", "b")}
    assert len(urls) == 2


def test_without_jupyterlab_the_remedy_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, message: Message
) -> None:
    monkeypatch.setattr(lab, "find_spec", lambda name: None if "lab" in name else object())
    with refused() as caught:
        lab.open_lab(tmp_path)
    message(caught)
    assert "lvkit[lab]" in str(caught.value)
