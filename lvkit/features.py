"""Features: from what is known about a model to the numbers its skills are regressed on.

A formula such as ``log_params * log_tokens`` says which columns enter and how they are combined.
The map learns the formula on the models of a fit: which categories there are, which columns come
out and what their means are. Centred on those means, a feature of zero is the average fitted model.
The same map then serves any other model, with the same columns in the same order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lvkit.errors import LvkitError, nearest
from lvkit.formula import DEFAULT_FEATURES, first_line, parse_formula
from lvkit.reading.cells import is_blank, parse_number
from lvkit.reading.doubts import raw_count

__all__ = ["DEFAULT_FEATURES", "FeatureMap"]

_LOGS = {"log_params": "params_b", "log_tokens": "tokens_t"}
_CONTEXT = {"sqrt": np.sqrt, "log1p": np.log1p, "abs": np.abs}
_COLLINEAR = 1e-7


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
    _variables: tuple[str, ...] = field(repr=False)
    _levels: Mapping[str, tuple[str, ...]] = field(repr=False)
    _spec: Any = field(repr=False)

    @classmethod
    def learn(cls, formula: str, models: pd.DataFrame) -> FeatureMap:
        """Return the map that a formula gives on some models.

        Parameters
        ----------
        formula : str
            The right-hand side of a formula as formulaic reads it: names of columns, joined by
            ``+``, ``*`` and ``:``. ``log_params`` is log10 of ``params_b`` and ``log_tokens`` log10
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
        Formulas are evaluated by formulaic, which would run any Python expression; here only
        arithmetic, comparisons and the functions above are let through. True and false count as 1
        and 0. Products are formed first and centred afterwards.

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
        parsed, variables = parse_formula(formula)
        columns = tuple(dict.fromkeys(_LOGS.get(name, name) for name in variables))
        _check_known(variables, columns, models)
        levels = {name: _levels_of(models[name]) for name in columns if _is_text(models[name])}
        data = _ingredients(models, variables, levels)
        complete = data.notna().all(axis=1).to_numpy()
        if not complete.any():
            raise LvkitError(
                f"no model has all of {', '.join(columns)}",
                where=f"features '{formula}'",
                remedy="Use a formula with fewer columns.",
            )
        matrix = _evaluate(parsed, data[complete], formula)
        names = tuple(str(n) for n in matrix.columns if n != "Intercept")
        values = matrix[list(names)].to_numpy(dtype=float)
        _check_finite(values, names, data.index[complete], formula)
        means = values.mean(axis=0)
        _check_independent(values - means, means, names, formula)
        means.flags.writeable = False
        return cls(formula, names, means, columns, variables, levels, matrix.model_spec)

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
        data = _ingredients(models, self._variables, self._levels)
        complete = data.notna().all(axis=1).to_numpy()
        out = np.full((len(data), len(self.names)), np.nan)
        if complete.any():
            matrix = _evaluate(self._spec, data[complete], self.formula)
            out[complete] = matrix[list(self.names)].to_numpy(dtype=float) - self.means
            _check_finite(out[complete], self.names, data.index[complete], self.formula)
        return out

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
        sources = {name: _LOGS.get(name, name) for name in self._variables}
        fixed = tuple(name for name, source in sources.items() if source not in logs)
        row = pd.DataFrame([dict(attributes or {})], index=["as planned"])
        data: dict[str, Any] = dict(_ingredients(row, fixed, self._levels).iloc[0])
        for name in sources.keys() - data.keys():
            data[name] = logs[sources[name]] if name in _LOGS else 10.0 ** logs[sources[name]]
        frame = pd.DataFrame(data, index=pd.RangeIndex(len(s)))[list(self._variables)]
        matrix = _evaluate(self._spec, frame, self.formula)
        out = matrix[list(self.names)].to_numpy(dtype=float) - self.means
        _check_finite(out, self.names, frame.index, self.formula)
        return np.asarray(out)

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


def _check_known(
    variables: tuple[str, ...], columns: tuple[str, ...], models: pd.DataFrame
) -> None:
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
            held = [*_LOGS, *map(str, models.columns)]
            raise LvkitError(
                f"no column '{source}'"
                + (f", which '{variable}' needs" if source != variable else ""),
                where="features",
                remedy=f"{nearest(variable, held)} There are: {', '.join(held)}.".strip(),
            )


def _is_text(column: pd.Series) -> bool:
    return not (pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column))


def _levels_of(column: pd.Series) -> tuple[str, ...]:
    return tuple(sorted({str(cell) for cell in column if not is_blank(cell)}))


def _ingredients(
    models: pd.DataFrame, variables: tuple[str, ...], levels: Mapping[str, tuple[str, ...]]
) -> pd.DataFrame:
    """Return the variables of a formula: floats and texts, NaN where missing."""
    data: dict[str, Any] = {}
    for variable in variables:
        source = _LOGS.get(variable, variable)
        if source not in models:
            data[variable] = np.full(len(models), np.nan)
        elif source in levels:
            data[variable] = _categories(models[source], levels[source])
        else:
            numbers = _numbers(models[source])
            data[variable] = np.log10(numbers) if variable in _LOGS else numbers
    return pd.DataFrame(data, index=models.index)


def _categories(column: pd.Series, levels: tuple[str, ...]) -> npt.NDArray[np.object_]:
    out = np.array([np.nan if is_blank(cell) else str(cell) for cell in column], dtype=object)
    for model, cell in zip(column.index, out, strict=True):
        if isinstance(cell, str) and cell not in levels:
            raise LvkitError(
                f"saw '{cell}', which no fitted model has",
                where=f"model '{model}', column '{column.name}'",
                expected="one of " + ", ".join(levels[:12]) + (", …" if len(levels) > 12 else ""),
                remedy=nearest(cell, levels).strip(),
            )
    return out


def _numbers(column: pd.Series) -> npt.NDArray[np.float64]:
    """Return a column as floats; refuse text, and sizes or tokens that are not above zero."""
    numbers = [parse_number(float(c) if isinstance(c, bool | np.bool_) else c) for c in column]
    size = column.name in _LOGS.values()
    for model, cell, number in zip(column.index, column, numbers, strict=True):
        raw = "" if number is None else raw_count(str(column.name), number)
        if number is None or np.isinf(number) or (size and number <= 0) or raw:
            raise LvkitError(
                f"saw {cell!r}",
                where=f"model '{model}', column '{column.name}'",
                expected="a positive, finite number" if size else "a finite number",
                remedy=raw,
            )
    return np.array(numbers, dtype=float)


def _evaluate(formula_or_spec: Any, data: pd.DataFrame, formula: str) -> pd.DataFrame:
    """Return the model matrix, intercept included, for data without gaps."""
    try:
        with np.errstate(all="ignore"):
            matrix: pd.DataFrame = formula_or_spec.get_model_matrix(
                data, context=_CONTEXT, na_action="ignore", output="pandas"
            )
    except Exception as error:  # formulaic passes on whatever its transforms raise
        raise LvkitError(
            f"the formula cannot be computed: {first_line(error)}",
            where=f"features '{formula}'",
            remedy="Check the columns and functions it uses.",
        ) from error
    return matrix


def _check_finite(
    values: npt.NDArray[np.float64], names: tuple[str, ...], models: pd.Index, formula: str
) -> None:
    for row, column in np.argwhere(~np.isfinite(values))[:1]:
        raise LvkitError(
            f"feature '{names[column]}' is not finite for model '{models[row]}'",
            where=f"features '{formula}'",
            remedy="Take logs and roots of positive numbers only.",
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
            f"feature '{names[constant]}' is the same for all {len(centred)} models",
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
