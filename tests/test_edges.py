"""Parameters at the edge of their range, and what leans on them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lvkit as lv
from lvkit.edges import at_edge, lean
from lvkit.freeparams import FreeParameters

CEILING = np.array([0.25, 0.2])
FREE = FreeParameters.of(
    {"maths": "gsm8k", "chat": "ifeval"}, ["gsm8k", "ifeval"], ["size"], free_floors=[0, 1],
    slope_sd=True,
)  # fmt: skip
INSIDE = lv.Parameters(
    loadings=np.diag([0.9, 0.8]), intercepts=np.zeros(2), precisions=np.full(2, 20.0),
    floors=np.array([0.1, 0.1]), slopes=np.ones((2, 1)),
    correlation=np.array([[1.0, 0.3], [0.3, 1.0]]), slope_sd=np.array([0.6, 0.7]),
)  # fmt: skip
NAMES = ["floor[gsm8k]", "floor[ifeval]", "correlation[maths, chat]", "slope_sd[chat]"]


def params(**at: float) -> lv.Parameters:
    """Parameters well inside their range, but for those named."""
    values = dict(zip(FREE.names, FREE.values(INSIDE), strict=True)) | at
    return FREE.placed(INSIDE, np.array(list(values.values())))


def errors(**at: float) -> Any:
    return np.array([at.get(name, 0.01) for name in FREE.names])


def named(estimate: lv.Parameters, error: Any = None) -> list[str]:
    mask = at_edge(FREE, estimate, CEILING, errors() if error is None else error)
    return [name for name, at in zip(FREE.names, mask, strict=True) if at]


def varies(estimate: lv.Parameters, function: Any, error: Any = None) -> list[float]:
    error = errors() if error is None else error
    return [float(v) for v in lean(FREE, estimate, CEILING, error, function)]


def test_parameters_within_their_range_are_not_at_its_edge() -> None:
    assert named(params()) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("floor[gsm8k]", 0.0),
        ("floor[gsm8k]", 0.2499),
        ("correlation[maths, chat]", 0.999),
        ("correlation[maths, chat]", -0.999),
        ("slope_sd[chat]", 0.001),
    ],
)
def test_a_parameter_within_half_an_error_of_its_bound_is_at_the_edge(
    name: str, value: float
) -> None:
    assert named(params(**{name: value})) == [name]


def test_what_has_no_bounds_and_what_has_no_error_is_at_no_edge() -> None:
    wide = errors(**{"slope[maths, size]": 100.0, "intercept[gsm8k]": np.nan})
    assert named(params(**{"intercept[gsm8k]": 0.0}), wide) == []


@pytest.mark.parametrize(
    ("name", "value", "far"),
    [
        ("floor[gsm8k]", 0.0, 0.125),
        ("floor[gsm8k]", 0.25, 0.125),
        ("correlation[maths, chat]", 1.0, 1.0),
        ("correlation[maths, chat]", -1.0, 1.0),
        ("slope_sd[chat]", 0.001, 0.05),
    ],
)
def test_a_function_varies_as_far_as_the_parameter_might_be_from_the_edge(
    name: str, value: float, far: float
) -> None:
    at = FREE.names.index(name)
    error = errors(**{"slope_sd[chat]": 0.05})
    estimate = params(**{name: value})
    found = varies(estimate, lambda p: 3.0 * FREE.values(p), error)
    assert found[at] == pytest.approx(9.0 * far**2, rel=1e-4)
    assert sum(found) == pytest.approx(found[at], rel=1e-6)


def test_the_parameter_is_moved_into_its_range() -> None:
    seen: list[Any] = []

    def values(p: lv.Parameters) -> Any:
        seen.append(FREE.values(p))
        return p.floors

    high = {"floor[ifeval]": 0.2, "correlation[maths, chat]": -1.0}
    varies(params(**{"floor[gsm8k]": 0.0, "slope_sd[chat]": 0.0} | high), values)
    moved = np.array(seen[1:]) - seen[0]
    signs = {FREE.names[at]: np.sign(row[at]) for row in moved for at in np.flatnonzero(row)}
    assert signs == dict(zip(NAMES, [1.0, -1.0, 1.0, 1.0], strict=True))


@pytest.mark.filterwarnings("ignore:invalid value")
def test_what_cannot_be_computed_beside_the_estimate_varies_without_bound() -> None:
    def broken(p: lv.Parameters) -> Any:
        if p.floors[0] > 0.0:
            raise np.linalg.LinAlgError("not positive definite")
        return p.floors

    at_zero = params(**{"floor[gsm8k]": 0.0})
    assert varies(at_zero, broken) == [np.inf, np.inf]
    assert varies(at_zero, lambda p: np.sqrt(-p.floors[:1])) == [np.inf]
