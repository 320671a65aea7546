"""The panel: models x benchmarks, with the families the models belong to.

A latent skill model learns from a table of scores in which rows come in families: models of one
recipe and several sizes. The panel is that table, validated once and never changed
afterwards, so that everything behind it (fits, predictions, reports) can trust it. A score that was
not measured is NaN and costs nothing; there is no rule that every model must have every score.
"""

from __future__ import annotations

import hashlib
import html
import json
import warnings
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pandas as pd

from lvkit.data.cells import is_blank, name_text
from lvkit.data.header import BenchmarksLike, FamilyLike
from lvkit.data.table_files import csv_text
from lvkit.data.validation import validated
from lvkit.errors import LvkitError, LvkitWarning, Problem, count, nearest
from lvkit.tools.files import write_whole
from lvkit.tools.outputs import check_output, is_panel_table


class Panel:
    """Scores of models on benchmarks, with families and features; immutable.

    Make one with :meth:`from_frame`, :func:`lvkit.read_panel` or :func:`lvkit.load_leaderboard`.
    Two panels are equal when their content is.

    Attributes
    ----------
    scores : DataFrame
        Models x benchmarks, from 0 to 1; NaN where not measured.
    models : DataFrame
        One row per model: ``family``, ``lineage``, ``params_b`` (billions), ``tokens_t``
        (trillions; NaN where unknown, no column where never given) and the user's own columns.
    benchmarks : DataFrame
        One row per benchmark: ``label``, ``chance``, ``n_items``, ``leaderboard``, ``what``.
    families : tuple of str
        In the order in which they first appear.
    n_models, n_families, n_benchmarks, n_scores : int
        What the panel holds; `n_scores` counts measured scores.
    digest : str
        The sha256 of the content, in hexadecimal.

    Examples
    --------
    >>> table = pd.DataFrame({
    ...     "model": ["tiny-1b", "tiny-3b"], "family": "tiny", "params_b": [1.0, 3.0],
    ...     "mmlu": [0.26, 0.41], "gsm8k": [0.02, None],
    ... })
    >>> panel = Panel.from_frame(table)
    >>> panel
    <Panel: 2 models in 1 family, 2 benchmarks, 3 scores>
    >>> panel.complete().n_models
    1
    """

    __slots__ = ("_benchmarks", "_digest", "_models", "_scores", "_truth")

    _scores: pd.DataFrame
    _models: pd.DataFrame
    _benchmarks: pd.DataFrame
    _digest: str
    _truth: object

    def __init__(self, *_: object, **__: object) -> None:
        raise TypeError("make a panel with Panel.from_frame, read_panel or load_leaderboard")

    @classmethod
    def from_frame(
        cls, df: pd.DataFrame, *, family: FamilyLike = None, benchmarks: BenchmarksLike = None
    ) -> Panel:
        """Return the panel of a table in lvkit's layout, checked.

        Parameters
        ----------
        df : DataFrame
            One row per model. Columns ``model`` (or an index of that name), ``family``,
            ``params_b`` (billions); optional ``tokens_t`` (trillions), ``lineage`` (the family
            where absent), ``instruct`` (true or false) and any features; one column per
            benchmark, scores from 0 to 1.
        family : None, "from_name", str, mapping or callable
            Where the family comes from: the column ``family`` (None), the model's name without its
            size ("from_name"), another column (its name), a mapping from model to family, or a
            function of the model's name.
        benchmarks : mapping or DataFrame, optional
            Benchmarks lvkit does not know: a mapping from name to chance level, or a table with
            the columns ``benchmark``, ``chance`` and, if you like, ``label``, ``n_items``,
            ``leaderboard``, ``what``. For benchmarks lvkit knows it overrides what lvkit says. The
            chance level is what guessing scores: 1/choices, or 0 for free answers. None in its
            place says that the column is a feature, although it looks like a benchmark.

        Returns
        -------
        Panel
            The rows and benchmarks in the order of the table.

        Raises
        ------
        LvkitError
            With everything that is wrong with the table, each with its row, model and column. Rows
            count as in a file, where the header is line 1.

        Warns
        -----
        LvkitWarning
            If a column that lvkit does not know holds numbers from 0 to 1, or percentages, as a
            benchmark does: it is read as a feature. If scores of exactly 0 or 1 look like failed
            runs. If names were unified, or differ only in case or spaces.
        """
        checked = validated(df, family=family, benchmarks=benchmarks)
        for note in checked.notes:
            warnings.warn(f"{note}.", LvkitWarning, stacklevel=2)
        return cls._of(*checked[:3])

    @classmethod
    def _of(cls, scores: pd.DataFrame, models: pd.DataFrame, benchmarks: pd.DataFrame) -> Panel:
        """Return the panel of three tables that are already checked and that nobody else holds."""
        panel = object.__new__(cls)
        for name, value in (("_scores", scores), ("_models", models), ("_benchmarks", benchmarks)):
            object.__setattr__(panel, name, value)
        return panel

    @property
    def scores(self) -> pd.DataFrame:
        """Scores, models x benchmarks, NaN where not measured (a copy)."""
        return self._scores.copy()

    @property
    def models(self) -> pd.DataFrame:
        """What is known of each model (a copy)."""
        return self._models.copy()

    @property
    def benchmarks(self) -> pd.DataFrame:
        """What is known of each benchmark (a copy)."""
        return self._benchmarks.copy()

    @property
    def families(self) -> tuple[str, ...]:
        """The families, in the order in which they first appear."""
        return tuple(self._models["family"].unique().tolist())

    @property
    def n_models(self) -> int:
        """The number of models."""
        return len(self._models)

    @property
    def n_families(self) -> int:
        """The number of families."""
        return int(self._models["family"].nunique())

    @property
    def n_benchmarks(self) -> int:
        """The number of benchmarks."""
        return len(self._benchmarks)

    @property
    def n_scores(self) -> int:
        """The number of measured scores."""
        return int(self._scores.notna().to_numpy().sum())

    @property
    def digest(self) -> str:
        """The sha256 of the content, in hexadecimal; the same on every machine."""
        if not hasattr(self, "_digest"):
            tables = (self._scores, self._models, self._benchmarks)
            object.__setattr__(self, "_digest", content_digest(tables))
        return self._digest

    def describe(self) -> pd.DataFrame:
        """Return what the panel holds, in one column ``value`` of counts and shares.

        Returns
        -------
        DataFrame
            Indexed by ``what``: models, families, lineages, benchmarks, scores, complete models,
            share of scores missing, models without tokens.
        """
        measured = self._scores.notna().to_numpy()
        tokens = self._models.get("tokens_t", pd.Series(np.nan, index=self._models.index))
        counts: dict[str, float] = {
            "models": self.n_models,
            "families": self.n_families,
            "lineages": int(self._models["lineage"].nunique()),
            "benchmarks": self.n_benchmarks,
            "scores": self.n_scores,
            "complete models": int(measured.all(axis=1).sum()),
            "share of scores missing": round(float(1 - measured.mean()), 4),
            "models without tokens": int(tokens.isna().sum()),
        }
        index = pd.Index(list(counts), name="what")
        return pd.DataFrame({"value": pd.Series(list(counts.values()), dtype=object).values}, index)

    def complete(self) -> Panel:
        """Return the panel of the models with every benchmark measured.

        Raises
        ------
        LvkitError
            If there is no such model.
        """
        keep = self._scores.notna().to_numpy().all(axis=1)
        return self._part(keep, None, "no model has every benchmark measured")

    def select(
        self,
        families: str | Iterable[str] | None = None,
        models: str | Iterable[str] | None = None,
        benchmarks: str | Iterable[str] | None = None,
    ) -> Panel:
        """Return the panel of some families, models or benchmarks.

        Parameters
        ----------
        families, models, benchmarks : str or iterable of str, optional
            Names to keep; None keeps all. Given together they are all asked for.

        Returns
        -------
        Panel
            In the order of this panel. A model or benchmark may be left without a score.

        Raises
        ------
        LvkitError
            For names the panel does not hold, and if nothing is left.

        Examples
        --------
        >>> import lvkit.data
        >>> panel = lvkit.data.load_leaderboard()
        >>> some = panel.select(families="qwen2", benchmarks=["bbh", "mmlu"])
        >>> some.scores.loc["qwen2-72b"].to_dict()
        {'mmlu': 0.8379, 'bbh': 0.66}
        """
        family = self._models["family"]
        problems: list[Problem] = []
        keep = np.ones(self.n_models, dtype=bool)
        if families is not None:
            keep &= family.isin(_asked("families", families, self.families, problems)).to_numpy()
        if models is not None:
            keep &= self._models.index.isin(_asked("models", models, self._models.index, problems))
        columns = None
        if benchmarks is not None:
            names = self._scores.columns
            columns = names.isin(_asked("benchmarks", benchmarks, names, problems))
        if problems:
            raise LvkitError.from_problems(problems)
        return self._part(keep, columns, "nothing is left of the selection")

    def _part(self, rows: Any, columns: Any, otherwise: str) -> Panel:
        columns = np.ones(self.n_benchmarks, dtype=bool) if columns is None else columns
        if not rows.any() or not columns.any():
            raise LvkitError(otherwise, where="panel", remedy="Ask for more models or benchmarks.")
        return Panel._of(
            self._scores.loc[rows, columns].copy(),
            self._models.loc[rows].copy(),
            self._benchmarks.loc[columns].copy(),
        )

    def to_frame(self) -> pd.DataFrame:
        """Return the panel as one table in lvkit's layout, a row per model.

        ``Panel.from_frame(panel.to_frame(), benchmarks=panel.benchmarks)`` gives the panel again.
        """
        table = pd.concat([self._models, self._scores], axis=1).reset_index()
        table.columns.name = None
        return table

    def write_csv(self, path: str | Path) -> None:
        """Write the panel to a CSV file in lvkit's layout, whole or not at all.

        A name that a spreadsheet would take for a formula is written with an apostrophe before it,
        which :func:`lvkit.read_panel` takes away again.

        Parameters
        ----------
        path : str or Path
            The file; an older table of models is replaced at the last moment.

        Raises
        ------
        LvkitError
            If the file cannot be written, or exists and is not such a table.
        """
        check_output(path, kind="a table in lvkit's layout", ours=is_panel_table)
        write_whole(path, csv_text(self.to_frame()))

    @classmethod
    def _rebuilt(
        cls, scores: pd.DataFrame, models: pd.DataFrame, benchmarks: pd.DataFrame, truth: object
    ) -> Panel:
        """Return a panel from what pickling keeps of it."""
        panel = cls._of(scores, models, benchmarks)
        return panel if truth is None else panel.with_truth(truth)

    @property
    def truth(self) -> Any:
        """What a simulated panel was drawn from (:class:`lvkit.fit.simulate.Truth`), or None."""
        return getattr(self, "_truth", None)

    def with_truth(self, truth: object) -> Panel:
        """Return the same panel with what it was drawn from attached; for simulated panels."""
        panel = Panel._of(self._scores, self._models, self._benchmarks)
        object.__setattr__(panel, "_truth", truth)
        return panel

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a Panel cannot be changed; make a new one instead of setting {name}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a Panel cannot be changed; {name} cannot be deleted")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Panel):
            return NotImplemented
        return self is other or self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __reduce__(self) -> tuple[Any, ...]:
        return (Panel._rebuilt, (self._scores, self._models, self._benchmarks, self.truth))

    def __copy__(self) -> Panel:
        return self

    def __deepcopy__(self, memo: object) -> Panel:
        return self

    def __str__(self) -> str:
        return (
            f"{count(self.n_models, 'model')} in {count(self.n_families, 'family')}, "
            f"{count(self.n_benchmarks, 'benchmark')}, {count(self.n_scores, 'score')}"
        )

    def __repr__(self) -> str:
        return f"<Panel: {self}>"

    def _repr_html_(self) -> str:
        """Return a short table for notebooks; names are escaped."""
        names = list(self._benchmarks["label"])
        families = list(self.families)
        rows = [
            ("models", self.n_models, ""),
            ("families", self.n_families, _some(families)),
            ("benchmarks", self.n_benchmarks, _some(names)),
            ("scores", self.n_scores, f"{1 - self._scores.notna().to_numpy().mean():.0%} missing"),
        ]
        body = "".join(
            f"<tr><th>{what}</th><td>{number}</td><td>{html.escape(more)}</td></tr>"
            for what, number, more in rows
        )
        return f"<table><caption>Panel</caption><tbody>{body}</tbody></table>"


def benchmark_labels(panel: Panel) -> dict[str, str]:
    """Return what to call each benchmark in a picture: its label where that tells it apart.

    Examples
    --------
    >>> import lvkit.data
    >>> benchmark_labels(lvkit.data.load_leaderboard())["math_lvl5"]
    'MATH level 5'
    """
    labels = {str(name): str(label) for name, label in panel.benchmarks["label"].items()}
    uses = Counter(labels.values())
    return {name: label if label and uses[label] == 1 else name for name, label in labels.items()}


def _some(names: list[str], most: int = 12) -> str:
    return ", ".join(names[:most]) + (", …" if len(names) > most else "")


def _asked(
    what: str, names: str | Iterable[str], held: Iterable[str], problems: list[Problem]
) -> list[str]:
    """Return the names asked for; add a problem for each that is not held."""
    known = set(held)
    asked = [
        str(name) if str(name) in known else name_text(name)
        for name in ([names] if isinstance(names, str) else names)
    ]
    problems.extend(
        Problem(f"'{name}' is not in the panel", what, remedy=nearest(name, held).strip())
        for name in asked
        if name not in known
    )
    return asked


def content_digest(tables: Iterable[pd.DataFrame]) -> str:
    """Return the sha256 of a canonical text of some tables, the same on every machine."""
    parts = []
    for table in tables:
        columns = {str(name): _json_cells(table[name]) for name in table}
        parts.append([[str(name) for name in table.index], columns])
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _json_cells(column: pd.Series) -> list[bool | float | str | None]:
    """Return the cells of a column as JSON knows them; whatever is missing becomes None."""
    if column.dtype == float:
        numbers = (column.to_numpy() + 0.0).tolist()  # there is one zero only
        return [number if number == number else None for number in numbers]
    flags = pd.api.types.is_bool_dtype(column)
    return [None if is_blank(cell) else bool(cell) if flags else str(cell) for cell in column]
