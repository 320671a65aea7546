from __future__ import annotations

import errno
import html
import json
import os
import re
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pandas as pd
import pytest
from tiny import CellError, execute_here

import lvkit as lv
from lvkit.batch import ReportPaths, notebook, run_report
from lvkit.batch.report_folder import is_sealed, sealed
from lvkit.batch.store import REPORT

NASTY = "<script>alert('$1')</script>"


class Parts(HTMLParser):
    """Collects a page's elements."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def __getitem__(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


def users_table(path: Path) -> Path:
    """Six families, a benchmark of the user's own, no tokens, and a name that bites."""
    rng = np.random.default_rng(2)
    rows = []
    for number in range(6):
        family = NASTY if number == 0 else f"family{number}"
        for size in (1, 3, 10, 30):
            logits = rng.normal(0, 0.3, 3) + np.log10(size) - 1 + rng.normal(0, 0.1, 3)
            mmlu, bbh, own = 1 / (1 + np.exp(-logits))
            rows.append([f"{family}-{size}b", family, size, mmlu, bbh, own])
    columns = ["model", "group", "params_b", "mmlu", "bbh", "own"]
    pd.DataFrame(rows, columns=columns).round(4).to_csv(path, index=False)
    return path


class Bar:
    """A progress bar that counts."""

    def __init__(self, *, total: int, desc: str) -> None:
        self.total, self.done = total, 0
        BARS.append(self)

    def update(self, n: int = 1) -> None:
        self.done += n

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        pass


BARS: list[Bar] = []


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> ReportPaths:
    folder = tmp_path_factory.mktemp("report")
    table = users_table(folder / "mine & yours.csv")
    options: dict[str, Any] = {"n_skills": 2, "max_skills": 9, "seed": 3, "n_jobs": 1}
    return run_report(
        table,
        output=folder / "out",
        family="group",
        benchmarks={"own": 0.0},
        features="log_params",
        progress=Bar,
        **options,
    )


@pytest.fixture(scope="module")
def page(made: ReportPaths) -> str:
    return made.html.read_text("utf-8")


def test_three_files_come_of_a_report_and_nothing_else(made: ReportPaths) -> None:
    names = sorted(path.name for path in made.html.parent.iterdir())
    assert names == ["report.html", "report.ipynb", "report.json"]


def test_the_page_opens_offline(page: str) -> None:
    parts = Parts(page)
    loads = [
        a[name] for _, a in parts.found for name in ("src", "srcset", "data", "poster") if name in a
    ]
    assert loads
    assert all(str(value).startswith("data:image/png;base64,") for value in loads)
    assert parts["script"] == parts["link"] == parts["iframe"] == []
    assert re.findall(r"url\(|@import", page) == []
    assert all(str(a["href"]).startswith("#") for a in parts["a"])


def test_every_picture_has_a_description(page: str) -> None:
    images = Parts(page)["img"]
    assert len(images) == 7
    assert all(len(str(image["alt"])) > 40 for image in images)


def test_the_page_says_its_language_title_and_contents(page: str) -> None:
    parts = Parts(page)
    assert page.startswith("<!DOCTYPE html>")
    assert parts["html"] == [{"lang": "en"}]
    assert "<title>lvkit report: mine &amp; yours.csv</title>" in page
    anchors = {str(a["href"])[1:] for a in parts["a"]}
    identities = [str(a["id"]) for _, a in parts.found if "id" in a]
    assert anchors <= set(identities)
    assert len(identities) == len(set(identities))
    assert len(parts["h1"]) == 1


def test_the_page_holds_no_code_and_no_path(page: str, made: ReportPaths) -> None:
    assert "import lvkit" not in page
    assert str(made.html.parent.parent) not in page


def test_names_are_text_in_the_page(page: str) -> None:
    assert "<script" not in page
    assert html.escape("<script>") in page


def test_the_key_numbers_are_kept_for_programs(made: ReportPaths) -> None:
    document = json.loads(made.json.read_text())
    assert document["parameters"]["features"] == "log_params"
    assert list(document["selection"]) == ["1", "2", "3"]
    assert document["fit"]["n_models"] == 24
    assert document["fit"]["seed"] == 3
    assert len(document["fit"]["anchors"]) == 2
    assert set(document["best"]) == {"aic", "bic"}
    assert "numpy" in document["versions"]


def test_the_notebook_can_be_run_again(made: ReportPaths) -> None:
    notebook = nbformat.read(made.notebook, as_version=4)
    nbformat.validate(notebook)
    assert "papermill" not in notebook.metadata
    (given,) = [c for c in notebook.cells if "injected-parameters" in c.metadata.get("tags", ())]
    assert f"{made.html.parent.parent}/mine & yours.csv" in given.source


@pytest.fixture(scope="module")
def wished(tmp_path_factory: pytest.TempPathFactory) -> ReportPaths:
    """A report with everything that can be asked for; the table leaves a doubt."""
    folder = tmp_path_factory.mktemp("wished")
    table = users_table(folder / "mine.csv")
    text = table.read_text().splitlines()
    table.write_text("\n".join([*text, "odd-1b,odd,-1,0.3,0.4,0.5", "gap-1b,gap,1,0.3,,0.5"]))
    with pytest.warns(lv.LvkitWarning, match="column 'own'|left out 1 unusable row"):
        return run_report(
            table,
            output=folder / "out",
            family="group",
            drop_invalid=True,
            complete=True,
            anchors={"general": "mmlu"},
            features="log_params",
            family_slopes="log_params",
            clip=0.01,
            n_jobs=1,
        )


@pytest.mark.slow
def test_every_wish_reaches_the_fit(wished: ReportPaths) -> None:
    document = json.loads(wished.json.read_text())
    assert document["fit"]["anchors"] == {"general": "mmlu"}
    assert document["fit"]["n_models"] == 24
    told = {name: document["parameters"][name] for name in ("n_skills", "max_skills", "clip")}
    assert told == {"n_skills": 1, "max_skills": 6, "clip": 0.01}
    assert list(document["selection"]) == ["1", "2"]
    alone = document["selection"]["1"]
    assert document["fit"]["n_params"] == alone["n_params"] + 1
    assert document["fit"]["loglik"] > alone["loglik"]


@pytest.mark.slow
def test_the_page_tells_of_doubts_without_places_of_code(wished: ReportPaths) -> None:
    page = html.unescape(wished.html.read_text("utf-8"))
    assert "lvkit: mine.csv: column 'own': numbers from 0 to 1" in page
    assert "lvkit: mine.csv: left out 1 unusable row" in page
    assert "LvkitWarning" not in page
    assert ".py:" not in page


def test_without_a_table_the_report_is_on_the_embedded_one(tmp_path: Path) -> None:
    values: dict[str, Any] = {}

    def execute(source: str, parameters: Any, target: Path, **more: Any) -> Any:
        values.update(parameters)
        return executing()(source, parameters, target, **more)

    made = run_report(output=tmp_path, execute=execute)
    chosen = {name: values[name] for name in ("data", "anchors", "n_skills", "max_skills")}
    assert chosen == {"data": "", "anchors": {}, "n_skills": 4, "max_skills": 6}
    assert "<title>lvkit report: Open LLM Leaderboard</title>" in made.html.read_text()


def test_the_bar_of_a_report_shows_its_cells(made: ReportPaths) -> None:
    (bar,) = BARS
    cells = nbformat.read(made.notebook, as_version=4).cells
    assert bar.done == bar.total == sum(cell.cell_type == "code" for cell in cells)


# -- what is refused --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"n_skills": 0}, "n_skills: got 0; expected a whole number from 1"),
        ({"n_skills": 2.5}, "n_skills: got 2.5; expected a whole number from 1"),
        ({"n_skills": True}, "n_skills: got True"),
        ({"anchors": {"a": "mmlu"}, "n_skills": 2}, "one anchor for each skill"),
        ({"anchors": {"a": "mmul"}}, "Did you mean 'mmlu'"),
        ({"family_slopes": "log_parms"}, "Did you mean 'log_params'"),
        ({"clip": 0.5}, "clip: got 0.5"),
        ({"max_skills": 0}, "max_skills: got 0; expected a whole number from 1"),
        ({"n_skills": 4, "max_skills": 3}, "max_skills: got 3; expected a whole number from 4"),
        ({"seed": -1}, "seed: got -1; expected a whole number from 0"),
        ({"seed": "x"}, "seed: got 'x'"),
        ({"n_jobs": 0}, "n_jobs: got 0"),
        ({"timeout": 0}, "timeout: got 0; expected a whole number from 1"),
        ({"floor": "chanc"}, "Did you mean 'chance'"),
        ({"n_skills": 13, "max_skills": 13}, "13 skills for 12 benchmarks"),
        ({"family": "from_name"}, "no file that they speak of"),
        ({"data": "no-such-file.csv"}, "no-such-file.csv"),
        ({"data": lv.load_leaderboard()}, "data: got a Panel; expected the path of a table"),
        ({"data": pd.DataFrame()}, "Write the table with data.to_csv("),
        ({"features": "log_parms"}, "Did you mean 'log_params'"),
    ],
)
def test_faulty_settings_are_refused_before_anything_runs(
    settings: dict[str, Any], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "papermill", None)
    with pytest.raises(lv.LvkitError, match=re.escape(told)):
        run_report(output=tmp_path / "out", **settings)
    assert not (tmp_path / "out").exists()


def test_without_jupyter_the_remedy_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "lvkit.batch.kernel", raising=False)
    monkeypatch.setitem(sys.modules, "papermill", None)
    with pytest.raises(lv.LvkitError, match=r"papermill is not installed.*lvkit\[report\]"):
        run_report(output=tmp_path)


def failing_notebook(code: str) -> bytes:
    settings = nbformat.v4.new_code_cell("data = ''", metadata={"tags": ["parameters"]})
    cells = [
        nbformat.v4.new_markdown_cell("# A report"),
        settings,
        nbformat.v4.new_markdown_cell("## The hard part"),
        nbformat.v4.new_code_cell(code),
    ]
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "", "language": "python"}
    return str(nbformat.writes(notebook)).encode()


@pytest.mark.parametrize(
    ("code", "told", "execute"),
    [
        (
            "import lvkit; raise lvkit.LvkitError('one family', expected='two')",
            "report, section 'The hard part': one family; expected two. The notebook as far",
            execute_here,
        ),
        (
            "1 / 0",
            "report, section 'The hard part': ZeroDivisionError: division by zero. The",
            execute_here,
        ),
        (
            "import os; os._exit(3)",
            "report, section 'The hard part': DeadKernelError: Kernel died. The notebook as far",
            None,
        ),
    ],
    ids=["LvkitError", "another error", "dead kernel"],
)
def test_a_failing_cell_is_told_and_kept_and_the_old_report_stays(
    code: str, told: str, execute: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        notebook, "shipped_notebooks", lambda: {"report.ipynb": failing_notebook(code)}
    )
    old = sealed("report.html", b"the old report")
    (tmp_path / "report.html").write_bytes(old)
    with pytest.raises(lv.LvkitError, match=re.escape(told)):
        run_report(output=tmp_path, n_skills=1, max_skills=1, execute=execute)
    assert "The hard part" in (tmp_path / "report-failed.ipynb").read_text()
    assert is_sealed(tmp_path / "report-failed.ipynb")
    assert (tmp_path / "report.html").read_bytes() == old
    assert not (tmp_path / "report.json").exists()


# -- what is in the folder -----------------------------------------------------------------------


def test_the_files_of_a_report_are_known_again_until_somebody_edits_them(made: ReportPaths) -> None:
    assert all(map(is_sealed, (made.html, made.notebook, made.json)))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("report.html", b"<h1>my thesis</h1>"),
        ("report.html", sealed("report.html", b"<p>1</p>").replace(b"1", b"2", 1)),
        ("report.ipynb", b'{"my": "edits"}'),
        ("report.ipynb", b"not json"),
        ("report.json", b"[]"),
        ("report-failed.ipynb", b'{"metadata": {}, "cells": []}'),
    ],
)
def test_what_somebody_made_or_edited_is_not_replaced(
    name: str, content: bytes, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(lv.LvkitError, match="exists and is not an unedited lvkit report") as caught:
        run_report(output=tmp_path, execute=lambda *_, **__: pytest.fail("the work has begun"))
    assert name in caught.value.problems[0].where
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [content]


def test_a_table_is_not_replaced_by_its_own_report(
    small_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.link(small_file, small_file.parent / "report.json")
    with pytest.raises(lv.LvkitError, match="also an input"):
        run_report(small_file, output=small_file.parent)


def test_a_folder_that_cannot_be_written_to_is_refused_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "report.json").mkdir()
    with pytest.raises(lv.LvkitError, match=r"report\.json': cannot write the file"):
        run_report(output=tmp_path)


def executing(act: Callable[[], object] = lambda: None) -> Any:
    """An executor that does something else instead of a report's work."""

    def execute(source: str, _: Any, target: Path, **__: Any) -> Any:
        nbformat.write(nbformat.reads(source, as_version=4), target)
        act()
        return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("new page")])

    return execute


@pytest.mark.parametrize("number", range(1, 4))
def test_a_disk_that_fills_up_leaves_the_whole_old_report(
    number: int, small_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    before = {"report.html": sealed("report.html", b"<p>old</p>"),
              "report.ipynb": sealed("report.ipynb", b'{"metadata": {}, "cells": []}')}  # fmt: skip
    for name, content in before.items():
        (folder / name).write_bytes(content)
    calls: list[int] = []

    def full(file: int) -> None:
        calls.append(file)
        if len(calls) == number:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as small:
        small.setattr(os, "fsync", full)
        with pytest.raises(lv.LvkitError, match="No space left"):
            run_report(small_file, output=folder, n_skills=1, execute=executing(calls.clear))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    made = run_report(small_file, output=folder, n_skills=1, execute=executing())
    assert b"new page" in made.html.read_bytes()
    assert sorted(path.name for path in folder.iterdir()) == sorted(REPORT)


def test_numbers_of_numpy_and_families_of_any_kind_are_settings(
    small_file: Path, tmp_path: Path
) -> None:
    table = pd.read_csv(small_file)
    family = table.set_index("model")["family"]
    table.drop(columns="family").to_csv(tmp_path / "without.csv", index=False)
    for number, families in enumerate([family, list(family.items()), dict(family)]):
        made = run_report(
            tmp_path / "without.csv",
            output=tmp_path / str(number),
            family=families,
            n_skills=np.int64(1),
            max_skills=np.int64(2),
            clip=np.float32(0.003),
            execute=executing(),
        )
        assert made.html.is_file()


@pytest.mark.parametrize("changed", ["mine.csv", "chance.csv"])
def test_a_report_on_data_that_changed_meanwhile_is_refused(changed: str, tmp_path: Path) -> None:
    table = users_table(tmp_path / "mine.csv")
    (tmp_path / "chance.csv").write_text("benchmark,chance\nown,0.1\n")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "report.html").write_bytes(old := sealed("report.html", b"<p>old</p>"))

    def change() -> None:
        assert [path for path in (tmp_path / "out").iterdir() if path.is_dir()]  # works there
        with open(tmp_path / changed, "a") as file:
            file.write("\n")

    settings: dict[str, Any] = {"family": "group", "features": "log_params", "n_skills": 1}
    settings |= {"benchmarks": tmp_path / "chance.csv", "output": tmp_path / "out"}
    with pytest.raises(lv.LvkitError, match=f"report: '{tmp_path / changed}': the file changed"):
        run_report(table, **settings, execute=executing(change))
    assert (tmp_path / "out" / "report.html").read_bytes() == old
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["report-failed.ipynb", "report.html"]


def test_a_report_that_was_edited_while_a_new_one_was_made_is_not_replaced(
    small_file: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "o"
    (folder / "report-2").mkdir(parents=True)

    def edit() -> None:
        (folder / "report.ipynb").write_text("mine")
        (folder / "report-failed.ipynb").write_text("mine too")

    with pytest.warns(lv.LvkitWarning, match="edited while a new one was made"):
        paths = run_report(
            small_file, output=folder, n_skills=1, max_skills=1, execute=executing(edit)
        )
    assert (folder / "report.ipynb").read_text() == "mine"
    assert (folder / "report-failed.ipynb").read_text() == "mine too"
    assert paths.notebook == folder / "report-3" / "report.ipynb"
    assert all(map(is_sealed, (paths.html, paths.notebook, paths.json)))


def test_a_failed_notebook_that_was_edited_meanwhile_is_not_replaced(
    small_file: Path, tmp_path: Path
) -> None:
    def edit_and_fail() -> None:
        (tmp_path / "report-failed.ipynb").write_text("mine")
        raise CellError(ValueError("no"))

    with pytest.warns(lv.LvkitWarning, match="edited"), pytest.raises(lv.LvkitError) as caught:
        run_report(
            small_file, output=tmp_path, n_skills=1, max_skills=1, execute=executing(edit_and_fail)
        )
    assert (tmp_path / "report-failed.ipynb").read_text() == "mine"
    kept = tmp_path / "report-2" / "report-failed.ipynb"
    assert is_sealed(kept)
    assert str(kept) in caught.value.problems[0].remedy
