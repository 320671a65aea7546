"""Features: from the columns of a panel to the numbers that skills depend on.

A formula such as ``log_params * log_tokens`` says which columns enter and how they are combined.
The map learns the formula on the models of a fit: which categories there are, which columns come
out and what their means are. Centred on those means, a feature of zero is the average fitted model.
The same map then serves any other model, with the same columns in the same order.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lvkit.data.cells import is_blank, parse_number
from lvkit.data.sizes import raw_count
from lvkit.errors import LvkitError, Problem, count, nearest
from lvkit.model.design_matrix import State, as_categories, check_learned, design_matrix, is_text
from lvkit.model.formula import (
    ParsedFormula,
    as_name,
    in_backticks,
    parse_formula,
)

_LOGS = {"log_params": "params_b", "log_tokens": "tokens_t"}
_COLLINEAR = 1e-7
_LARGEST = 1e100
_POSITIVE = "Take logs and roots of positive numbers only."


@dataclass(frozen=True, eq=False)
class FeatureMap:
    """A formula learned on some models; make one with :meth:`learn`.

    Attributes
    ----------
    formula : str
        The formula as it was given.
    names : tuple of str
        The p features, as formulaic names them.
    means : array (p,)
        Their means over the models the map was learned on; read-only.
    columns : tuple of str
        The columns of the model table that the formula needs, such as ``("params_b", "tokens_t")``.
    """

    formula: str
    names: tuple[str, ...]
    means: npt.NDArray[np.float64]
    columns: tuple[str, ...]
    _parsed: ParsedFormula = field(repr=False)
    _levels: Mapping[str, tuple[Any, ...]] = field(repr=False)
    _state: State = field(repr=False)
    _spec: Any = field(repr=False)

    @classmethod
    def learn(cls, formula: str, models: pd.DataFrame) -> FeatureMap:
        """Return the map that a formula gives on some models.

        Parameters
        ----------
        formula : str
            The right-hand side of a formula as formulaic reads it: names of columns, joined by
            ``+``, ``*`` and ``:``; a name that is not an identifier, such as ``ctx-k``, stands in
            backticks. ``log_params`` is log10 of ``params_b`` and ``log_tokens`` log10
            of ``tokens_t``. Numbers, true/false and text (as categories) may be used, and the
            functions log, log10, sqrt, exp, poly, bs, C, I and their like. A square is
            ``I(log_params**2)``.
        models : DataFrame
            A row per model, as :attr:`lvkit.Panel.models`; rows that lack something the formula
            needs do not count.

        Returns
        -------
        FeatureMap
            With as many features as the formula has columns; an intercept is never among them.

        Raises
        ------
        LvkitError
            If the formula cannot be read, asks for something unknown or for code that is not a
            feature, or if a feature is constant or a combination of others.

        Notes
        -----
        Expressions in a formula are checked by :func:`lvkit.model.formula.read_code` and
        computed by :mod:`lvkit.model.design_matrix`; formulaic combines their values. True and
        false count as 1 and 0. Products are formed first and centred afterwards. A column of dates,
        of numbers written as text, of long texts or with a value for each model is refused;
        ``C(column)`` takes the first two as categories.

        Examples
        --------
        >>> models = pd.DataFrame(
        ...     {"params_b": [1.0, 10.0, 100.0], "tokens_t": [1.0, 10.0, 1.0]}, index=[*"abc"]
        ... )
        >>> features = FeatureMap.learn("log_params + log_tokens", models)
        >>> features.names, features.means.round(3).tolist()
        (('log_params', 'log_tokens'), [1.0, 0.333])
        >>> features.values(models).round(3).tolist()
        [[-1.0, -0.333], [0.0, 0.667], [1.0, -0.333]]
        """
        parsed, columns = _read(formula, models)
        texts = {name: () for name in columns if is_text(models[name])}
        data = _ingredients(models, parsed.variables, texts)
        complete = data.notna().all(axis=1).to_numpy()
        if not complete.any():
            raise LvkitError(
                f"no model has all of {', '.join(columns)}",
                where=f"features '{formula}'",
                remedy="Use a formula with fewer columns.",
            )
        data = data[complete]
        state: State = {}
        levels = {name: tuple(sorted(set(data[name]))) for name in texts}
        matrix, spec = design_matrix(parsed, data, state, formula=formula)
        names = tuple(str(n) for n in matrix.columns if n != "Intercept")
        values = matrix[list(names)].to_numpy()
        _check_finite(values, names, data.index, formula)
        means = values.mean(axis=0)
        _check_independent(values - means, means, names, formula)
        means.flags.writeable = False
        return cls(formula, names, means, columns, parsed, levels, state, spec)

    def values(self, models: pd.DataFrame) -> npt.NDArray[np.float64]:
        """Return the centred features of some models.

        Parameters
        ----------
        models : DataFrame
            A row per model, indexed by name; a column that is absent counts as missing everywhere.

        Returns
        -------
        array (n_models, p)
            Rows of NaN for models that lack something the formula needs.

        Raises
        ------
        LvkitError
            For a category the map has not learned, a number that is none, a size of zero or less.
        """
        data = _ingredients(models, self._parsed.variables, self._levels)
        complete = data.notna().all(axis=1).to_numpy()
        out = np.full((len(data), len(self.names)), np.nan)
        if complete.any():
            for name, levels in self._levels.items():
                check_learned(name, data.loc[complete, name], levels)
            out[complete] = self._centred(data[complete])
        return out

    def _centred(self, data: pd.DataFrame) -> npt.NDArray[np.float64]:
        """Return the centred features of data without gaps."""
        matrix, _ = design_matrix(
            self._parsed, data, self._state, formula=self.formula, learned=self._spec
        )
        out = matrix[list(self.names)].to_numpy() - self.means
        _check_finite(out, self.names, data.index, self.formula)
        return np.asarray(out)

    def at(
        self,
        s: npt.NDArray[np.float64],
        t: npt.NDArray[np.float64],
        attributes: Mapping[str, Any] | None = None,
    ) -> npt.NDArray[np.float64]:
        """Return the centred features of models that differ in size and tokens alone.

        Nothing is read cell by cell, so that many thousands take no time, however large.

        Parameters
        ----------
        s, t : array (n,)
            log10 of ``params_b`` and of ``tokens_t``.
        attributes : mapping, optional
            The models' other columns, a value for each.

        Returns
        -------
        array (n, p)

        Raises
        ------
        LvkitError
            For values that :meth:`values` refuses, and where the formula gives no number.

        Examples
        --------
        >>> models = pd.DataFrame({"params_b": [1.0, 10.0], "tokens_t": [1.0, 1.0]}, index=[*"ab"])
        >>> features = FeatureMap.learn("log_params", models)
        >>> features.at(np.array([0.5, 1.5]), np.zeros(2)).tolist()
        [[0.0], [1.0]]
        """
        logs = {"params_b": s, "tokens_t": t}
        variables = self._parsed.variables
        sources = {name: _LOGS.get(name, name) for name in variables}
        fixed = tuple(name for name, source in sources.items() if source not in logs)
        row = pd.DataFrame([dict(attributes or {})], index=["as planned"])
        values = _ingredients(row, fixed, self._levels)
        for name, levels in self._levels.items():
            check_learned(name, values[name].dropna(), levels)
        data: dict[str, Any] = dict(values.iloc[0])
        for name in sources.keys() - data.keys():
            data[name] = logs[sources[name]] if name in _LOGS else 10.0 ** logs[sources[name]]
        return self._centred(pd.DataFrame(data, index=pd.RangeIndex(len(s)))[list(variables)])

    def missing(self, models: pd.DataFrame) -> pd.Series:
        """Return what models lack, such as ``"lacks tokens_t"``; complete ones are left out.

        Parameters
        ----------
        models : DataFrame
            A row per model, indexed by name.

        Returns
        -------
        Series of str
            Indexed by model, in the order of the table.
        """
        lacks: dict[Any, str] = {}
        cells = {name: models.get(name) for name in self.columns}
        blank = {
            name: np.ones(len(models), bool) if column is None else column.map(is_blank).to_numpy()
            for name, column in cells.items()
        }
        for position, model in enumerate(models.index):
            names = [name for name in self.columns if blank[name][position]]
            if names:
                lacks[model] = "lacks " + ", ".join(names)
        index = pd.Index(list(lacks), name="model", dtype=models.index.dtype)
        return pd.Series(list(lacks.values()), index=index, name="reason", dtype=object)


def _read(formula: str, models: pd.DataFrame) -> tuple[ParsedFormula, tuple[str, ...]]:
    """Return a formula and the columns it needs, all of which there are."""
    try:
        parsed = parse_formula(formula)
        columns = tuple(dict.fromkeys(_LOGS.get(name, name) for name in parsed.variables))
        _check_known(parsed.variables, models)
    except LvkitError as error:
        text, names = in_backticks(str(formula), map(str, models.columns))
        if not names:
            raise
        (problem,) = error.problems
        such = ", ".join(f"`{name}`" for name in names)
        remedy = f"Write {such} in backticks: features={text!r}."
        raise LvkitError(Problem(problem.seen, problem.where, "", remedy)) from error
    return parsed, columns


def _check_known(variables: tuple[str, ...], models: pd.DataFrame) -> None:
    """Refuse names that are neither columns nor logs of columns, and tokens nobody gave."""
    for variable in variables:
        if _LOGS.get(variable, variable) == "tokens_t" and (
            "tokens_t" not in models or models["tokens_t"].isna().all()
        ):
            raise LvkitError(
                f"the formula needs '{variable}', but the panel has no training tokens",
                where="features",
                remedy="Use features='log_params', or add a column tokens_t (trillions).",
            )
        source = _LOGS.get(variable, variable)
        if source not in models:
            held = [*_LOGS, *(as_name(str(column)) for column in models.columns)]
            raise LvkitError(
                f"no column '{source}'"
                + (f", which '{variable}' needs" if source != variable else ""),
                where="features",
                remedy=f"{nearest(variable, held)} There are: {', '.join(held)}.".strip(),
            )


def _ingredients(
    models: pd.DataFrame, variables: tuple[str, ...], texts: Collection[str]
) -> pd.DataFrame:
    """Return the variables of a formula: floats and texts, NaN where missing."""
    data: dict[str, Any] = {}
    for variable in variables:
        source = _LOGS.get(variable, variable)
        if source not in models:
            data[variable] = np.full(len(models), np.nan)
        elif source in texts:
            data[variable] = np.array(as_categories(models[source]), dtype=object)
        else:
            numbers = _numbers(models[source])
            data[variable] = np.log10(numbers) if variable in _LOGS else numbers
    return pd.DataFrame(data, index=models.index)


def _numbers(column: pd.Series) -> npt.NDArray[np.float64]:
    """Return a column as floats; refuse text, and sizes or tokens that are not above zero."""
    numbers = [parse_number(float(c) if isinstance(c, bool | np.bool_) else c) for c in column]
    size = column.name in _LOGS.values()
    for model, cell, number in zip(column.index, column, numbers, strict=True):
        raw = "" if number is None else raw_count(str(column.name), number)
        if number is None or np.isinf(number) or (size and number <= 0) or raw:
            raise LvkitError(
                f"got {cell!r}",
                where=f"model '{model}', column '{column.name}'",
                expected="a positive, finite number" if size else "a finite number",
                remedy=raw,
            )
    return np.array(numbers, dtype=float)


def _check_finite(
    values: npt.NDArray[np.float64], names: tuple[str, ...], models: pd.Index, formula: str
) -> None:
    """Refuse values that are not finite, or so large that sums of their squares would not be."""
    for row, column in np.argwhere(~(np.abs(values) <= _LARGEST))[:1]:
        finite = np.isfinite(values[row, column])
        raise LvkitError(
            f"feature '{names[column]}' is {f'above {_LARGEST:g}' if finite else 'not finite'} "
            f"for model '{models[row]}'",
            where=f"features '{formula}'",
            remedy="Use its logarithm." if finite else _POSITIVE,
        )


def _check_independent(
    centred: npt.NDArray[np.float64],
    means: npt.NDArray[np.float64],
    names: tuple[str, ...],
    formula: str,
) -> None:
    """Refuse features that are constant or combinations of the features before them."""
    length = np.linalg.norm(centred, axis=0)
    scale = np.sqrt(len(centred)) * np.maximum(np.abs(means), 1e-12)
    for constant in np.flatnonzero(length <= 1e-10 * scale):
        raise LvkitError(
            f"feature '{names[constant]}' is the same for all {count(len(centred), 'model')}",
            where=f"features '{formula}'",
            remedy="Leave it out: nothing can be learned from it.",
        )
    unit = centred / length
    for j in range(1, len(names)):
        weights, *_ = np.linalg.lstsq(unit[:, :j], unit[:, j], rcond=None)
        if np.linalg.norm(unit[:, j] - unit[:, :j] @ weights) < _COLLINEAR:
            others = [f"'{n}'" for n, w in zip(names, weights, strict=False) if abs(w) > 1e-6]
            raise LvkitError(
                f"feature '{names[j]}' is a combination of {', '.join(others)}",
                where=f"features '{formula}'",
                expected="features that are not collinear",
                remedy="Leave one of them out.",
            )
