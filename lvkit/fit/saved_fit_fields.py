"""The fields of a saved fit: what each may hold.

This module declares every field once: its type, its range, the columns of its tables and the
shapes of its arrays. :func:`check_agreement` then compares the parts of a fit with each other.
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lvkit.data.panel import Panel
from lvkit.estimation.fitted import Fitted
from lvkit.model.parameters import check_anchors
from lvkit.prediction.calibration import Calibration
from lvkit.tools.json_tables import Cells, Maybe, Record, Table, Value

Array = npt.NDArray[np.float64]

_LEAST = math.ulp(0.0)
"""The smallest positive number."""

_LARGEST_LOG = 700.0
"""Logarithms of precisions that do not overflow are smaller."""

_CLOSE = 1e-6
"""Rounding errors that numbers which must agree may differ by."""


def _is_number(value: Any) -> bool:
    return type(value) is float and math.isfinite(value)


def _is_name(value: Any) -> bool:
    return type(value) is str and bool(value.strip())


def _is_names(value: Any) -> bool:
    return type(value) is dict and bool(value) and all(map(_is_name, [*value, *value.values()]))


_TEXT = Value("a text", lambda value: type(value) is str)
_FLAG = Value("true or false", lambda value: type(value) is bool)
_NUMBER = Value("a finite number", _is_number)
_COUNT = Value("a whole number from 1", lambda value: type(value) is int and value >= 1)
_SEED = Value("a whole number from 0", lambda value: type(value) is int and value >= 0)
_NAMES = Value("a mapping from names to names", _is_names)
_DIGEST = Value("64 digits", lambda value: type(value) is str and len(value) == 64)
_METHOD = Value("'mml' or 'psga'", lambda value: value in ("mml", "psga"))

_LABEL = Cells(str)
_ANYTHING = Cells(missing=True)
_WHOLE = Cells(int, low=0)
_REAL = Cells(float)
_LOGGED = Cells(float, missing=True, finite=False)
"""What a search notes on its way, which may be no number where it went astray."""

_PANEL = Record(
    {
        "scores": Table(
            "model", "benchmark", _LABEL, others=Cells(float, missing=True, low=0.0, high=1.0)
        ),
        "models": Table(
            "model",
            None,
            _LABEL,
            {"family": _LABEL, "lineage": _LABEL, "params_b": Cells(float, low=_LEAST)},
            {"tokens_t": Cells(float, missing=True, low=_LEAST)},
            _ANYTHING,
        ),
        "benchmarks": Table(
            "benchmark",
            None,
            _LABEL,
            {
                "label": Cells(str, missing=True),
                "chance": Cells(float, low=0.0, high=math.nextafter(1.0, 0.0)),
                "n_items": Cells(float, missing=True, low=0.0),
                "leaderboard": Cells(str, missing=True),
                "what": Cells(str, missing=True),
            },
        ),
    }
)

_STARTS = Table(
    "start",
    None,
    _LABEL,
    {
        "loglik": _LOGGED,
        "converged": Cells(bool),
        "steps": Cells(int, low=1),
        "seconds": Cells(float, low=0.0),
        "behind": _LOGGED,
    },
)

_TRACE = Table("iteration", None, _WHOLE, {"loglik": _LOGGED, "expected_gain": _LOGGED})

_CALIBRATION = Table(
    None,
    None,
    _WHOLE,
    {name: _LABEL for name in ("lineage", "family", "model", "benchmark")}
    | {"keep": _WHOLE, "z": _REAL, "own": _REAL, "distance": Cells(float, missing=True, low=0.0)},
)

_MODEL = Record(
    {
        "anchors": Maybe(_NAMES),
        "n_skills": Maybe(_COUNT),
        "features": _TEXT,
        "family_slopes": Maybe(_TEXT),
        "floor": _TEXT,
        "clip": _NUMBER,
    }
)

FIT = Record(
    {
        "schema": _COUNT,
        "lvkit": _TEXT,
        "model": _MODEL,
        "anchors": _NAMES,
        "loglik": _NUMBER,
        "n_params": _COUNT,
        "converged": _FLAG,
        "message": _TEXT,
        "method": _METHOD,
        "seed": _SEED,
        "starts": _STARTS,
        "trace": _TRACE,
        "calibration": Maybe(_CALIBRATION),
        "panel": Maybe(_PANEL),
        "digest": _DIGEST,
    },
    frozenset({"calibration"}),
)
"""The text of a saved fit."""

SELECTION = Table(
    "K",
    None,
    Cells(int, low=1),
    {name: _REAL for name in ("loglik", "aic", "bic", "delta_aic", "weight", "seconds")}
    | {"n_params": Cells(int, low=1), "converged": Cells(bool)},
)
"""The table of a selection, as the cache keeps it."""

_ARRAYS = {
    "loadings": "JK",
    "factor": "mKq",
    "slopes": "Kp",
    "intercepts": "J",
    "log_precisions": "J",
    "floors": "J",
    "latent_means": "Lq",
    "latent_covariances": "Lqq",
}
_CURVATURE = {
    "curvature_vector": "n",
    "curvature_information": "nn",
    "curvature_complete": "nn",
    "curvature_scores": "Ln",
}


def check_shapes(shapes: Mapping[str, Sequence[int]], sizes: Mapping[str, range]) -> None:
    """Refuse arrays that are missing, unknown or of shapes that cannot be right together.

    Parameters
    ----------
    shapes : mapping of str to sequence of int
        Shapes by name.
    sizes : mapping of str to range
        Which numbers of benchmarks J, skills K, families L, features p, parameters n and columns of
        the latent design m there may be. There are ``q = m K`` latent variables.

    Raises
    ------
    ValueError
        If they do not agree.
    """
    expected = _ARRAYS | (_CURVATURE if shapes.keys() & _CURVATURE.keys() else {})
    if shapes.keys() != expected.keys():
        other = sorted(shapes.keys() ^ expected.keys())
        raise ValueError(f"the arrays {reprlib.repr(other)} are missing or unknown")
    known: dict[str, int] = {}
    for name, letters in expected.items():
        shape = tuple(shapes[name])
        agrees = len(shape) == len(letters) and all(
            known.setdefault(letter, length) == length
            for letter, length in zip(letters, shape, strict=True)
        )
        if not agrees or any(known[c] not in sizes[c] for c in letters if c in sizes):
            raise ValueError(f"{name}: its shape is {shape}")
    if known["q"] != known["m"] * known["K"]:
        raise ValueError(f"factor: its shape is {tuple(shapes['factor'])}")


def check_agreement(fit: Fitted, calibration: Calibration | None = None) -> None:
    """Refuse a fit whose parts do not agree with each other, by a ValueError that names them."""
    table, k, m = fit.prepared.table, len(fit.anchors), fit.prepared.table.design.shape[1]
    exact = {"J": table.n_benchmarks, "L": table.n_families, "p": table.features.shape[1], "m": m}
    parts = vars(fit.frame) | vars(fit)
    check_shapes(
        {name: parts[name].shape for name in _ARRAYS},
        {letter: range(size, size + 1) for letter, size in exact.items()},
    )
    positions = check_anchors(fit.anchors, fit.benchmarks)
    own = fit.model.anchors
    with np.errstate(over="ignore", invalid="ignore"):  # of numbers that no fit has
        agree = {
            "model": fit.model.k == k and (own is None or [*own.items()] == [*fit.anchors.items()]),
            "n_params": fit.n_params == len(fit.free_parameters.names),
            "loadings": _are_anchored(fit, list(positions)),
            "log_precisions": bool((np.abs(fit.frame.log_precisions) < _LARGEST_LOG).all()),
            "floors": _are_floors(fit),
            "latent_covariances": _are_covariances(fit.latent_covariances),
            "starts": _are_starts(fit),
            "calibration": calibration is None or _is_of(calibration.records, fit.panel),
        }
    wrong = [name for name, agrees in agree.items() if not agrees]
    if wrong:
        raise ValueError(f"{', '.join(wrong)}: at odds with the rest of the fit")


def _are_anchored(fit: Fitted, anchors: list[int]) -> bool:
    """Tell whether each anchor loads on its own skill alone, and skills have unit variance."""
    loadings, variance = fit.frame.loadings[anchors], np.square(fit.frame.factor[0]).sum(axis=1)
    alone = np.array_equal(loadings, np.diag(np.diag(loadings))) and (np.diag(loadings) > 0.0).all()
    return bool(alone and np.allclose(variance, 1.0, atol=_CLOSE))


def _are_floors(fit: Fitted) -> bool:
    """Tell whether the floors are those that the model's setting allows."""
    highest = (
        np.zeros_like(fit.prepared.chance) if fit.model.floor == "none" else fit.prepared.chance
    )
    lowest = highest if fit.model.floor == "chance" else np.zeros_like(highest)
    return bool(((lowest <= fit.frame.floors) & (fit.frame.floors <= highest)).all())


def _are_covariances(covariances: Array) -> bool:
    """Tell whether matrices are symmetric, without negative variances."""
    variances = np.diagonal(covariances, axis1=1, axis2=2)
    close = np.allclose(covariances, covariances.swapaxes(1, 2), rtol=_CLOSE, atol=_CLOSE)
    return bool(close and (variances >= 0.0).all())


def _are_starts(fit: Fitted) -> bool:
    """Tell whether one of the starts ended as the fit did, after as many steps as its trace has."""
    starts = fit.starts
    best = (starts["converged"] == fit.converged) & (starts["steps"] == len(fit.trace))
    behind = starts["loglik"].max() - starts["loglik"]
    close = np.allclose(starts["behind"], behind, rtol=_CLOSE, atol=_CLOSE, equal_nan=True)
    return bool(best.any() and close and [*fit.trace.index] == [*range(len(fit.trace))])


def _is_of(records: pd.DataFrame, panel: Panel) -> bool:
    """Tell whether the records of a calibration are of models and benchmarks of a panel."""
    known = records["model"].isin(panel.models.index) & records["benchmark"].isin(
        panel.benchmarks.index
    )
    return len(records) > 0 and bool(known.all())
