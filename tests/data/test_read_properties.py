"""Any table gives a valid panel or an LvkitError, and nothing else."""

from __future__ import annotations

import contextlib
import datetime
import decimal
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lvkit.data.panel import Panel
from lvkit.data.read import CheckReport, check_file
from lvkit.errors import LvkitError
from lvkit.model.features import FeatureMap

# The reader reports what is doubtful in a table; here anything is.
pytestmark = pytest.mark.filterwarnings("ignore::lvkit.errors.LvkitWarning")

NUMBERS = st.one_of(
    st.floats(0, 1), st.floats(), st.integers(), st.sampled_from([0, 1, 0.5, 50.0, -1, 1e308])
)
CELLS = st.one_of(
    NUMBERS,
    NUMBERS.map(str),
    st.text(max_size=8),
    st.sampled_from(["", "NA", "nan", "true", "0,5", "5%", "inf", "1_0", "<b>"]),
    st.none(),
    st.booleans(),
    st.sampled_from([pd.NA, pd.NaT, np.float32(0.5), np.int64(3), 1j, decimal.Decimal("0.5")]),
    st.sampled_from([datetime.date(2024, 1, 1), b"bytes", (1, 2), [0.5], {"a": 1}, np.ones(2)]),
)
USUAL = ["model", "family", "params_b", "tokens_t", "lineage", "instruct", "mmlu", "gsm8k"]
ODD = ["MMLU", "mmul", "note", "log_params", " mmlu ", ""]
BOARD = ["Model", "fullname", "#Params (B)", "BBH Raw", "GPQA", "ARC", "Precision"]
COLUMNS = st.sampled_from([*USUAL, *ODD, *BOARD, "Submission Date"])
FAMILY = st.sampled_from([None, "from_name", "note", "no such column", {"a": "b"}, str.upper, 3])
BENCHMARKS = st.sampled_from(
    [None, {}, {"note": 0.1}, {"note": 7}, {"mmlu": 0.2}, {"note": None}, "text"]
)


def is_valid(panel: Panel) -> None:
    """Check what every panel promises."""
    scores, models = panel.scores, panel.models
    values = scores.to_numpy()
    assert values.dtype == float
    assert values.shape == (panel.n_models, panel.n_benchmarks)
    assert ((values >= 0) & (values <= 1) | np.isnan(values)).all()
    assert not np.isnan(values).all(axis=0).any()
    assert not np.isnan(values).all(axis=1).any()
    assert scores.index.is_unique
    assert (scores.index == models.index).all()
    assert all(name.strip() for name in (*scores.index, *panel.families))
    assert (np.isfinite(models["params_b"]) & (models["params_b"] > 0)).all()
    if "tokens_t" in models:
        tokens = models["tokens_t"].dropna()
        assert (np.isfinite(tokens) & (tokens > 0)).all()
    assert panel.benchmarks["chance"].between(0, 1, inclusive="left").all()
    assert Panel.from_frame(panel.to_frame(), benchmarks=panel.benchmarks) == panel
    assert panel._repr_html_()


@st.composite
def tables(draw: st.DrawFn, rows: int = 4) -> pd.DataFrame:
    """Tables of anything, with the columns a panel needs more often than not."""
    usual = ["model", "family", "params_b", "mmlu"]
    names = (usual if draw(st.booleans()) else []) + draw(st.lists(COLUMNS, max_size=5))
    count = draw(st.integers(0, rows))
    columns = [draw(st.lists(CELLS, min_size=count, max_size=count)) for _ in names]
    frame = pd.DataFrame({i: pd.Series(cells, dtype=object) for i, cells in enumerate(columns)})
    frame.columns = pd.Index(names, dtype=object)
    return frame


@st.composite
def almost_good(draw: st.DrawFn) -> pd.DataFrame:
    """Good tables with a few cells replaced by anything."""
    count = draw(st.integers(1, 5))
    score = st.one_of(st.floats(0, 1), st.none(), st.sampled_from([0, 1]))
    columns: dict[str, list[Any]] = {
        "model": [f"m{i}" for i in range(count)],
        "family": draw(st.lists(st.text(min_size=1), min_size=count, max_size=count)),
        "params_b": draw(st.lists(st.floats(1e-3, 1e4), min_size=count, max_size=count)),
        "mmlu": draw(st.lists(score, min_size=count, max_size=count)),
        "gsm8k": draw(st.lists(score, min_size=count, max_size=count)),
        "note": draw(st.lists(CELLS, min_size=count, max_size=count)),
    }
    for name, row, cell in draw(
        st.lists(st.tuples(st.sampled_from(list(columns)), st.integers(0, 4), CELLS), max_size=2)
    ):
        columns[name][row % count] = cell
    return pd.DataFrame({name: pd.Series(cells, dtype=object) for name, cells in columns.items()})


@given(frame=st.one_of(tables(), almost_good()), family=FAMILY, benchmarks=BENCHMARKS)
@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
def test_any_frame_gives_a_panel_or_an_error(
    frame: pd.DataFrame, family: Any, benchmarks: Any
) -> None:
    with contextlib.suppress(LvkitError):
        is_valid(Panel.from_frame(frame, family=family, benchmarks=benchmarks))


@given(frame=st.one_of(tables(), almost_good()), drop=st.booleans())
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
def test_any_csv_table_gives_a_panel_or_an_error(frame: pd.DataFrame, drop: bool) -> None:
    text = frame.to_csv(index=False, errors="replace")
    check(text.encode("utf-8", "replace"), "any.csv", drop)


@given(content=st.one_of(st.binary(max_size=60), st.text(max_size=60).map(str.encode)))
@settings(max_examples=100)
def test_any_bytes_give_a_panel_or_an_error(content: bytes) -> None:
    check(content, "any.csv")
    check(content, "any.parquet")


@given(text=st.text(alphabet='model,family,params_b,mmlu\n"0.5;\t\r ', max_size=80))
@settings(max_examples=100)
def test_any_text_gives_a_panel_or_an_error(text: str) -> None:
    check(("model,family,params_b,mmlu\n" + text).encode(), "any.csv")


@given(formula=st.text(alphabet="log_params+*:()-01~|.[]{}`'\" dose^/%<,", max_size=20))
@settings(max_examples=150)
def test_any_formula_gives_features_or_an_error(formula: str) -> None:
    models = pd.DataFrame(
        {"params_b": [1.0, 2.0, 5.0], "dose": [0.0, 1.0, 5.0]}, index=["a", "b", "c"]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # Python's own, on some of the texts
        with contextlib.suppress(LvkitError):
            assert np.isfinite(FeatureMap.learn(formula, models).values(models)).all()


def check(content: bytes, name: str, drop: bool = False) -> None:
    """Check a file of some content; a report comes back whatever it is."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        report = check_file(path, family="from_name", drop_invalid=drop)
    assert isinstance(report, CheckReport)
    assert report.ok != bool(report.problems)
    if report.panel is not None:
        is_valid(report.panel)
