from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

from tiny import write_notebook

import lvkit as lv
from lvkit.batch.content_policy import content_policy
from lvkit.batch.index import Batch, index_page, manifest_text
from lvkit.batch.notebook import open_notebook
from lvkit.batch.one_run import Failure, Run
from lvkit.reports.as_json import plain

NASTY = "<script>alert(1)</script>"


def a_run(name: str, status: Any, varied: dict[str, Any], title: str = "T", **more: Any) -> Run:
    more.setdefault("parameters", varied)
    return Run(name, title, varied=varied, folder=Path("runs") / name, status=status, **more)


def batch() -> Batch:
    done = a_run(
        "about-script", "done", {"about": NASTY}, f"T {NASTY}",
        parameters={"about": NASTY, "seed": 3},
        highlights={"AIC": -1234.56, f"best {NASTY}": NASTY, "sure": True},
        started="2026-01-01T10:00:00+00:00", ended="2026-01-01T10:01:00+00:00", seconds=60.0,
        data={"/a/b.csv": "00ff"},
    )  # fmt: skip
    failure = Failure(f"Part {NASTY}", "ValueError", f"no {NASTY}")
    failed = a_run("about-b", "failed", {"about": ["b"]}, failure=failure,
                   ended="2026-01-01T10:02:00+00:00")  # fmt: skip
    return Batch(Path("out"), (done, failed, a_run("about-c", "not run", {"about": "c"})))


def test_everything_from_outside_is_text_in_the_index() -> None:
    page = index_page(batch(), f"Mine {NASTY}")
    assert page.count("<script") == 1
    assert f"<title>Mine {html.escape(NASTY)}: 3 runs</title>" in page
    assert page.count(html.escape(NASTY)) >= 7
    assert "<caption" in page


def test_the_index_links_to_what_is_there_and_only_inside_the_folder() -> None:
    links = re.findall(r'href="([^"]*)"', index_page(batch(), "Mine"))
    assert links == [
        "runs/about-script/report.html",
        "runs/about-script/report.ipynb",
        "runs/about-script/report.json",
        "#why-about-b",
        "runs/about-b/failed.ipynb",
        "manifest.json",
    ]


def test_the_index_asks_no_other_machine() -> None:
    page = index_page(batch(), "Mine")
    assert re.findall(r"https?:|url\(|@import|<link|<img|src=", page) == []


def test_numbers_are_short_and_sorted_by_what_they_are() -> None:
    page = index_page(batch(), "Mine")
    assert '<td class="number" data-value="-1234.56">-1235</td>' in page
    assert '<td data-value="">' in page
    assert ">yes</td>" in page
    assert 'data-value="[&#34;b&#34;]"' in page


def test_failures_are_told_with_their_text() -> None:
    page = html.unescape(index_page(batch(), "Mine"))
    assert f"about-b, section “Part {NASTY}”" in page
    assert f"ValueError: no {NASTY}" in page


def test_the_manifest_tells_versions_hashes_seeds_and_times(tmp_path: Path) -> None:
    source = open_notebook(write_notebook(tmp_path))
    document = json.loads(manifest_text(batch(), source, "2026-01-01T09:59:00+00:00"))
    assert document["versions"]["lvkit"] == lv.__version__
    assert document["notebook"]["name"] == "tiny"
    assert len(document["notebook"]["sha256"]) == 64
    assert document["ok"] is False
    done, failed, waiting = document["runs"]
    assert (done["seed"], done["data"], done["seconds"]) == (3, {"/a/b.csv": "00ff"}, 60.0)
    assert failed["failure"]["name"] == "ValueError"
    assert waiting["status"] == "not run"


def test_the_document_for_programs_says_where_pages_are() -> None:
    document = plain(batch().document)
    assert document["index"] == "out/index.html"
    pages = [run["html"] for run in document["runs"]]
    assert pages == ["runs/about-script/report.html", None, None]


def done(name: str, varied: dict[str, Any], **highlights: Any) -> Run:
    ended = "2026-01-01T10:01:00+00:00"
    return a_run(name, "done", varied, highlights=highlights, ended=ended)


def heads(page: str) -> list[str]:
    return re.findall(r'<th scope="col"[^>]*>(.*?)</th>', page)


def test_what_is_the_same_in_all_runs_stands_once_above_the_table() -> None:
    runs = (done("a", {"about": "a", "mark": NASTY}, K=2, AIC=1.5),
            done("b", {"about": "b", "mark": NASTY}, K=2, AIC=2.5))  # fmt: skip
    page = index_page(Batch(Path("out"), runs), "Mine")
    assert heads(page) == ["Run", "about", "Status", "Files", "AIC", "Seconds", "Ended"]
    line = f"The same in all runs: mark = {html.escape(NASTY)}; K = 2.</p>"
    assert page.index(line) < page.index("<table>")


def test_a_single_run_keeps_all_its_columns() -> None:
    page = index_page(Batch(Path("out"), (done("a", {"about": "a"}, K=2),)), "Mine")
    assert heads(page) == ["Run", "about", "Status", "Files", "K", "Seconds", "Ended"]
    assert "The same" not in page


def test_what_is_known_of_done_runs_only_is_said_of_them_only() -> None:
    runs = (done("a", {"x": 1}, K=2), done("b", {"x": 2}, K=2), batch().runs[2])
    page = index_page(Batch(Path("out"), runs), "Mine")
    assert "The same in all runs that are done: K = 2.</p>" in page
    assert "The same in all runs:" not in page


def test_one_and_true_are_not_the_same() -> None:
    page = index_page(Batch(Path("out"), (done("a", {"x": 1}), done("b", {"x": True}))), "Mine")
    assert "x" in heads(page)


def test_files_come_right_after_the_status_and_are_not_sorted_by() -> None:
    page = index_page(batch(), "Mine")
    names = heads(page)
    assert names.index("Files") == names.index("Status") + 1
    assert '<th scope="col" data-sorts="no">Files</th>' in page
    assert page.count("data-sorts=") == 1


def test_a_file_goes_by_its_name_with_its_path_beside() -> None:
    runs = tuple(done(name, {"data": f'/far/"{name}.csv'}) for name in "ab")
    page = index_page(Batch(Path("out"), runs), "Mine")
    assert '<span title="/far/&#34;a.csv">&#34;a.csv</span>' in page


def test_files_of_one_name_are_told_apart_by_their_folders() -> None:
    runs = tuple(done(name, {"data": f"/far/{name}/scores.csv"}) for name in "ab")
    page = index_page(Batch(Path("out"), runs), "Mine")
    assert ">/far/a/scores.csv</span>" in page
    assert ">/far/b/scores.csv</span>" in page


# Whole numbers beyond every float, and beyond what JavaScript and Python's floats tell apart.
HUGE = [10**310, -(10**4299), 10**21, 2**63]


def test_a_number_of_any_size_stands_in_the_index_and_in_the_manifest(tmp_path: Path) -> None:
    runs = tuple(done(f"r{n}", {"x": value}, found=value) for n, value in enumerate(HUGE))
    batch = Batch(Path("out"), runs)
    page = index_page(batch, "Mine")
    assert re.findall(r'data-value="([^"]*)">1?\S+</td>', page)[:2] == [str(HUGE[0])] * 2
    assert ">1.000e+310</td>" in page
    assert f">{2**63}</td>" in page
    source = open_notebook(write_notebook(tmp_path))
    document = json.loads(manifest_text(batch, source, ""))
    assert [run["parameters"]["x"] for run in document["runs"]] == HUGE
    assert not batch.table.empty


def test_a_long_text_is_cut_in_the_table() -> None:
    runs = tuple(done(name, {"x": name * 10**6}, found=name * 300) for name in "ab")
    page = index_page(Batch(Path("out"), runs), "Mine")
    assert f">{'a' * 199}…</td>" in page
    assert len(page) < 30_000


def test_the_only_script_of_the_index_is_the_one_its_policy_allows() -> None:
    page = index_page(batch(), "Mine")
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    policy = re.search(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', page)
    assert policy is not None
    assert html.unescape(policy[1]) == content_policy(script)
    assert page.index("Content-Security-Policy") < page.index("<style>")
    assert re.findall(r"\son\w+=", page) == []


def small_batch() -> Batch:
    done = a_run("a", "done", {"x": 1}, highlights={"AIC": 1.5}, seconds=2.0, kept=True)
    failed = a_run("b", "failed", {"x": "<b>"}, failure=Failure("", "ValueError", "no"))
    return Batch(Path("out"), (done, failed, a_run("c", "not run", {"x": 3})))


def test_a_batch_says_what_is_there() -> None:
    assert str(small_batch()) == "1 of 3 reports is there (1 unchanged from before), 1 failed."
    assert not small_batch().ok
    assert Batch(Path(), small_batch().runs[:1]).ok


def test_a_batch_is_a_table() -> None:
    table = small_batch().table
    assert list(table.index) == ["a", "b", "c"]
    assert list(table.columns) == ["x", "status", "seconds", "AIC"]
    assert list(table["status"]) == ["done", "failed", "not run"]


def test_names_are_text_in_a_notebook() -> None:
    shown = small_batch()._repr_html_()
    assert "1 of 3 reports" in shown
    assert "&lt;b&gt;" in shown
    assert "<b>" not in shown


def test_the_index_and_the_manifest_are_in_the_folder() -> None:
    assert small_batch().index == Path("out/index.html")
    assert small_batch().manifest == Path("out/manifest.json")
