from __future__ import annotations

import datetime
import gzip
import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from driving import check_controls, control, pictures, press
from golden import Message, refused

import lvkit as lv
from lvkit.widgets import explore_panel
from lvkit.widgets.panel import filtered, told_chances

BAD = "model,family,params_b,mmlu\nant-1b,ant,1,0.3\nant-3b,ant,three,0.4\nbee-1b,bee,1,<b>\n"
GOOD = "model,family,params_b,mmlu\nant-1b,ant,1,0.3\nant-3b,ant,3,0.4\n"


def upload_on_page(widget: Any, content: bytes, name: str) -> None:
    """The message that the page sends when a person chooses a file."""
    file = {"name": name, "type": "", "size": len(content), "last_modified": 1_722_470_400_000}
    control(widget, "Upload").set_state({"value": [{**file, "content": memoryview(content)}]})


@pytest.fixture
def widget(small_panel: lv.Panel) -> Any:
    return explore_panel(small_panel)


def upload(widget: Any, content: str | bytes, name: str = "mine.csv") -> None:
    """What the browser does when a file is chosen."""
    raw = content.encode() if isinstance(content, str) else content
    when = datetime.datetime(2024, 8, 1, tzinfo=datetime.UTC)
    file = {"name": name, "type": "", "size": len(raw), "last_modified": when}
    control(widget, "Upload").value = ({**file, "content": memoryview(raw)},)


def test_the_embedded_data_are_explored_without_a_panel(
    leaderboard: lv.Panel, message: Message
) -> None:
    widget = explore_panel()
    assert widget.panel == leaderboard
    message(control(widget, "Data").value)
    message(widget.report.notes[0], "13", "tokens_t")


def test_a_panel_of_the_users_comes_first(
    widget: Any, small_panel: lv.Panel, message: Message
) -> None:
    assert widget.panel == small_panel
    assert control(widget, "Data").options == ("your panel", "embedded leaderboard")
    (picture,) = pictures(widget)
    message(picture.alt, small_panel.n_models)


def test_the_embedded_data_can_be_chosen_instead(widget: Any, leaderboard: lv.Panel) -> None:
    before = widget.picture.png
    control(widget, "Data").value = "embedded leaderboard"
    assert widget.panel == leaderboard
    assert widget.picture.png != before


def test_what_is_no_panel_is_refused(message: Message) -> None:
    with refused("explore_panel") as error:
        explore_panel("mine.csv")
    message(error)


def test_what_was_read_is_shown(widget: Any, small_panel: lv.Panel, message: Message) -> None:
    shown = widget.body.children[1].value
    message(shown, small_panel.n_models, "12", "6")
    assert widget.report.ok


# -- filters -------------------------------------------------------------------------------------


def test_filters_leave_what_is_chosen(widget: Any, small_panel: lv.Panel, message: Message) -> None:
    two = small_panel.families[:2]
    before = widget.picture.png
    control(widget, "Families").value = two
    control(widget, "Benchmarks").value = ("gsm8k", "bbh")
    assert widget.panel == small_panel.select(families=two, benchmarks=["gsm8k", "bbh"])
    assert [name for _, name in control(widget, "Benchmark").options] == ["gsm8k", "bbh"]
    assert widget.picture.png != before
    message(widget.picture.alt)


def test_the_benchmark_that_is_drawn_stays_where_it_can(widget: Any, message: Message) -> None:
    control(widget, "Benchmark").value = "ifeval"
    control(widget, "Benchmarks").value = ("gsm8k", "ifeval")
    message(widget.picture.alt)


def test_complete_models_can_be_asked_for(leaderboard: lv.Panel) -> None:
    widget = explore_panel(leaderboard)
    control(widget, "Complete models only").value = True
    assert widget.panel == leaderboard.complete()


@pytest.mark.parametrize("what", ["Families", "Benchmarks"])
def test_an_empty_filter_is_told_and_can_be_mended(
    widget: Any, small_panel: lv.Panel, what: str, message: Message
) -> None:
    control(widget, what).value = ()
    assert widget.panel is None
    message(widget.notice.text)
    assert pictures(widget) == []
    press(widget, "Keep all")
    assert widget.panel == small_panel
    assert widget.notice.text == ""
    assert len(pictures(widget)) == 1


def test_looking_at_nothing_says_what_to_do(widget: Any, message: Message) -> None:
    control(widget, "Families").value = ()
    control(widget, "Show").value = "missing"
    message(widget.notice.text, "Keep all")


def test_errors_are_raised_through_when_asked(small_panel: lv.Panel, message: Message) -> None:
    widget = explore_panel(small_panel, raise_on_exception=True)
    with refused() as error:
        control(widget, "Families").value = ()
    message(error)


def test_a_filter_that_no_model_passes_is_told(leaderboard: lv.Panel, message: Message) -> None:
    lacking = leaderboard.scores.isna().any(axis=1)
    widget = explore_panel(leaderboard.select(models=leaderboard.models.index[lacking]))
    control(widget, "Complete models only").value = True
    message(widget.notice.text)
    assert widget.panel is None


# -- pictures ------------------------------------------------------------------------------------


def test_scores_are_drawn_against_size_and_tokens_and_gaps(widget: Any, message: Message) -> None:
    seen = {widget.picture.png}
    control(widget, "Show").value = "tokens_t"
    message(widget.picture.alt)
    seen.add(widget.picture.png)
    control(widget, "Show").value = "missing"
    message(widget.picture.alt, "216")
    assert control(widget, "Benchmark").disabled
    seen.add(widget.picture.png)
    control(widget, "Show").value = "params_b"
    assert not control(widget, "Benchmark").disabled
    assert len(seen) == 3


def test_each_benchmark_has_its_picture_and_there_is_one(widget: Any) -> None:
    seen = set()
    for _, name in control(widget, "Benchmark").options:
        control(widget, "Benchmark").value = name
        seen.add(widget.picture.png)
    assert len(seen) == 6
    assert len(pictures(widget)) == 1


def test_what_is_to_be_seen_is_said_below_the_picture(widget: Any) -> None:
    assert widget.picture.alt in widget.body.children[-1].value


def test_data_without_tokens_are_told(widget: Any, message: Message) -> None:
    upload(widget, GOOD)
    control(widget, "Show").value = "tokens_t"
    message(widget.notice.text, "mmlu", "tokens_t")
    assert pictures(widget) == []
    control(widget, "Show").value = "params_b"
    assert len(pictures(widget)) == 1


def test_every_control_says_what_it_is(widget: Any) -> None:
    check_controls(widget)


# -- uploads -------------------------------------------------------------------------------------


def test_an_upload_is_explored(widget: Any) -> None:
    before = widget.picture.png
    upload(widget, GOOD)
    assert widget.notice.text == ""
    assert (widget.panel.n_models, widget.panel.n_benchmarks) == (2, 1)
    assert control(widget, "Data").value == "mine.csv"
    assert control(widget, "Families").options == ("ant",)
    assert widget.picture.png != before


def test_a_parquet_file_can_be_uploaded(widget: Any, small_panel: lv.Panel, tmp_path: Path) -> None:
    small_panel.to_frame().to_parquet(tmp_path / "mine.parquet")
    upload(widget, (tmp_path / "mine.parquet").read_bytes(), "mine.parquet")
    assert widget.panel == small_panel


def test_a_bad_upload_is_told_and_the_data_before_stay(
    widget: Any, small_panel: lv.Panel, message: Message
) -> None:
    before = widget.picture.png
    upload(widget, BAD)
    message(widget.notice.text, "2")
    shown = widget.body.children[1].value
    message(shown, "3", "3b")
    assert "<b>" not in shown
    assert (widget.panel, widget.picture.png) == (small_panel, before)
    control(widget, "Benchmark").value = "bbh"
    assert widget.picture.png != before


def test_a_bad_upload_is_raised_through_when_asked(small_panel: lv.Panel, message: Message) -> None:
    widget = explore_panel(small_panel, raise_on_exception=True)
    with refused("mine.csv") as error:
        upload(widget, BAD)
    message(error)


def parquet_of(columns: dict[str, Any]) -> bytes:
    target = io.BytesIO()
    pd.DataFrame(columns).to_parquet(target)
    return target.getvalue()


UNUSABLE = [
    (b"", "empty.csv"),
    (bytes(range(256)) * 20, "binary.csv"),
    (bytes(range(256)) * 20, "binary.parquet"),
    (b"PK\x03\x04", "book.xlsx"),
    (b"no suffix", "scores"),
    (GOOD.replace("ant", "änt").encode("latin-1"), "latin.csv"),
    (GOOD.encode("utf-16"), "wide.csv"),
    (b"\0" * 500, "zeros.csv"),
    (b"model," + b"x" * 200_000, "long_header.csv"),
    (b",".join(b"c%d" % n for n in range(5_000)) + b"\n1\n", "many_columns.csv"),
    (gzip.compress(GOOD.encode()), "packed.csv"),
    (parquet_of({"model": ["ant-1b"]})[:-9], "cut_off.parquet"),
    (parquet_of({f"c{n}": np.zeros(250_000) for n in range(81)}), "unpacks_to_a_lot.parquet"),
    (b'model,family,params_b,mmlu\n"\x1b[31mant\x07",ant,one,0.3\n', "control_signs.csv"),
]


@pytest.mark.parametrize(("content", "name"), UNUSABLE, ids=[name for _, name in UNUSABLE])
@pytest.mark.parametrize("raise_on_exception", [False, True])
def test_no_upload_on_the_page_writes_a_traceback(
    small_panel: lv.Panel,
    content: bytes,
    name: str,
    raise_on_exception: bool,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    message: Message,
) -> None:
    widget = explore_panel(small_panel, raise_on_exception=raise_on_exception)
    upload_on_page(widget, content, name)
    assert name in widget.notice.text
    message(widget.notice.text)
    assert not widget.report.ok
    assert widget.panel == small_panel
    assert not set("\x1b\x07\0") & set(widget.notice.text + widget.body.children[1].value)
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []
    upload_on_page(widget, GOOD.encode(), "good.csv")
    assert widget.panel.n_models == 2


@pytest.mark.parametrize(
    ("content", "name"), [(b"", "mine.csv"), (b"PK", "mine.xlsx"), (b"\xff\xfe", "mine.csv"),
                          (b"PAR1", "mine.parquet")],
)  # fmt: skip
def test_no_upload_breaks_the_widget(
    widget: Any, content: bytes, name: str, message: Message
) -> None:
    upload(widget, content, name)
    message(widget.notice.text)
    upload(widget, GOOD)
    assert widget.panel.n_models == 2


def test_faulty_rows_can_be_left_out(widget: Any, message: Message) -> None:
    upload(widget, BAD)
    control(widget, "Leave out rows that cannot be used").value = True
    assert list(widget.panel.models.index) == ["ant-1b"]
    message("\n".join(widget.report.notes))


def test_families_can_come_from_the_names(widget: Any, message: Message) -> None:
    upload(widget, "model,params_b,mmlu\nant-1b,1,0.3\nant-3b,3,0.4\n")
    message(widget.notice.text)
    control(widget, "Families from").value = "from_name"
    assert widget.panel.families == ("ant",)


def test_new_benchmarks_are_told_with_their_chance_levels(widget: Any) -> None:
    upload(widget, GOOD.replace("mmlu", "chess"))
    control(widget, "New benchmarks").value = "chess = 0.25"
    assert float(widget.panel.benchmarks.loc["chess", "chance"]) == 0.25


def test_settings_for_uploads_say_that_there_is_none(
    widget: Any, small_panel: lv.Panel, message: Message
) -> None:
    control(widget, "Families from").value = "from_name"
    message(widget.notice.text)
    assert widget.panel == small_panel


def test_an_upload_that_is_taken_back_changes_nothing(widget: Any, small_panel: lv.Panel) -> None:
    upload(widget, GOOD)
    control(widget, "Data").value = "your panel"
    control(widget, "Upload").value = ()
    assert widget.panel == small_panel


@pytest.mark.parametrize(
    ("option", "value", "first"),
    [
        ("New benchmarks", "chess = 0.25", GOOD.replace("mmlu", "chess")),
        ("Families from", "from_name", "model,params_b,mmlu\nant-1b,1,0.3\nant-3b,3,0.4\n"),
        ("Leave out rows that cannot be used", True, BAD),
    ],
)
def test_options_of_an_upload_are_not_those_of_the_next(
    widget: Any, option: str, value: Any, first: str, message: Message
) -> None:
    usual = control(widget, option).value
    upload(widget, first, "first.csv")
    control(widget, option).value = value
    assert widget.report.ok
    upload(widget, GOOD.replace("ant,", "bee,"), "second.csv")
    assert control(widget, option).value == usual
    assert (widget.report.ok, widget.panel.families) == (True, ("bee",))
    message(widget.notice.text)
    upload(widget, BAD, "third.csv")
    assert not widget.report.ok


def test_options_are_those_of_the_file_that_is_chosen(
    widget: Any, small_panel: lv.Panel, message: Message
) -> None:
    drop = control(widget, "Leave out rows that cannot be used")
    upload(widget, BAD, "first.csv")
    drop.value = True
    upload(widget, GOOD, "second.csv")
    control(widget, "Data").value = "first.csv"
    assert drop.value
    drop.value = False
    message(widget.notice.text)
    control(widget, "Data").value = "your panel"
    drop.value = True
    message(widget.notice.text)
    assert widget.panel == small_panel


def test_options_set_before_the_first_upload_apply_to_it(widget: Any) -> None:
    control(widget, "Leave out rows that cannot be used").value = True
    upload(widget, BAD)
    assert list(widget.panel.models.index) == ["ant-1b"]


def test_filters_of_other_data_are_not_carried_over(widget: Any) -> None:
    control(widget, "Families").value = control(widget, "Families").options[:1]
    control(widget, "Benchmarks").value = ("ifeval",)
    control(widget, "Complete models only").value = True
    upload(widget, GOOD.replace("0.4", "").replace("mmlu", "mmlu,bbh").replace("0.3", "0.3,0.5")
           .replace("ant-3b,ant,3,", "ant-3b,bee,3,,0.2"))  # fmt: skip
    assert (widget.notice.text, widget.panel.n_models) == ("", 2)
    assert not control(widget, "Complete models only").value
    assert control(widget, "Benchmarks").value == ("mmlu", "bbh")


def test_a_picture_that_the_next_data_cannot_show_is_replaced(
    widget: Any, message: Message
) -> None:
    control(widget, "Show").value = "tokens_t"
    upload(widget, GOOD)
    message(widget.notice.text, "score against tokens")
    assert control(widget, "Show").value == "params_b"
    assert len(pictures(widget)) == 1


def test_a_benchmark_that_the_next_data_cannot_show_is_replaced(widget: Any) -> None:
    control(widget, "Show").value = "tokens_t"
    header = "model,family,params_b,tokens_t,mmlu,bbh\n"
    upload(widget, header + "ant-1b,ant,1,,0.3,0.4\nbee-1b,bee,1,2,,0.5\n")
    assert widget.notice.text == ""
    assert control(widget, "Benchmark").value == "bbh"
    assert control(widget, "Show").value == "tokens_t"


# -- functions -----------------------------------------------------------------------------------


def test_filters_are_a_function_of_the_panel(leaderboard: lv.Panel) -> None:
    some = filtered(leaderboard, ["opt", "qwen2"], ["mmlu", "bbh"], complete=True)
    assert some == leaderboard.select(
        families=["opt", "qwen2"], benchmarks=["mmlu", "bbh"]
    ).complete()  # fmt: skip


@pytest.mark.parametrize("text", ["chess", "= 0.25", "chess = often", "a = 0.1, b 0.2"])
def test_words_about_benchmarks_that_cannot_be_read_are_refused(
    text: str, message: Message
) -> None:
    with refused() as error:
        told_chances(text)
    message(error, "0.25")


def test_a_name_of_a_benchmark_may_hold_an_equals_sign() -> None:
    assert told_chances("a=b=0.5") == {"a=b": 0.5}
