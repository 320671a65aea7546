"""What a plan aims at: a skill, a benchmark's expected score, or a weighted mix of either."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lvkit.errors import LvkitError, nearest

if TYPE_CHECKING:
    from lvkit.results import Fit

__all__ = ["Target", "read_target"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Target:
    """What a plan aims at.

    Attributes
    ----------
    label : str
        In words.
    kind : {"skill", "benchmark"}
        Skills are measured in standard deviations among families, scores from 0 to 1.
    names : tuple of str
        The skills or benchmarks.
    positions : ndarray of int
        Where the fit has them.
    weights : ndarray
        Their weights, which add up to one.
    """

    label: str
    kind: str
    names: tuple[str, ...]
    positions: npt.NDArray[np.intp]
    weights: Array

    @property
    def unit(self) -> str:
        """What its values are measured in."""
        return "standard deviations among families" if self.kind == "skill" else "expected score"


def read_target(fit: Fit, target: str | Mapping[str, float]) -> Target:
    """Return what a user's target means.

    Parameters
    ----------
    fit : Fit
        The fit, whose skills and benchmarks are meant.
    target : str or mapping of str to float
        A name, or names and weights. ``"skill:..."`` and ``"benchmark:..."`` tell apart what has
        the same name; without them a skill comes first. Weights are scaled to add up to one.

    Returns
    -------
    Target
        Without the names whose weight is zero.

    Raises
    ------
    LvkitError
        For unknown names, names given twice, skills mixed with benchmarks, and weights that are
        negative, not finite or all zero.
    """
    if isinstance(target, str):
        target = {target: 1.0}
    elif hasattr(target, "to_dict") and not isinstance(target, Mapping):  # a pandas Series
        target = target.to_dict()
    if not isinstance(target, Mapping) or not target:
        raise LvkitError(
            f"saw {target!r}",
            where="target",
            expected="a skill, a benchmark, or a mapping of such names to weights",
        )
    weights = _weights(target)
    found = _each_once([_find(fit, name) for name in target])
    kinds = {kind for kind, _ in found}
    if len(kinds) > 1:
        raise LvkitError(
            "saw skills together with benchmarks",
            where="target",
            expected="weights of skills, or weights of benchmarks: they have different units",
            remedy='"benchmark:" before a name that is both makes it a benchmark.',
        )
    names = tuple(name for (_, name), weight in zip(found, weights, strict=True) if weight > 0.0)
    weights = weights[weights > 0.0]
    kind = kinds.pop()
    known = fit.skills if kind == "skill" else fit.benchmarks
    label = names[0] if len(names) == 1 else _mix(names, weights)
    positions = np.array([known.index(name) for name in names], dtype=np.intp)
    return Target(label, kind, names, positions, weights)


def _find(fit: Fit, name: object) -> tuple[str, str]:
    """Return whether a name is a skill's or a benchmark's, and the name."""
    text = str(name)
    prefix, colon, rest = text.partition(":")
    for kind, known in (("skill", fit.skills), ("benchmark", fit.benchmarks)):
        if text in known:
            return kind, text
        if colon and prefix.strip() == kind and rest.strip() in known:
            return kind, rest.strip()
    choices = (*fit.skills, *fit.benchmarks)
    raise LvkitError(
        f"saw {name!r}",
        where="target",
        expected=f"a skill ({', '.join(fit.skills)}) or a benchmark ({', '.join(fit.benchmarks)})",
        remedy=nearest(text, choices).strip(),
    )


def _each_once(found: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Refuse what is named twice, as ``"mmlu"`` and as ``"benchmark:mmlu"``."""
    for at, (kind, name) in enumerate(found):
        if (kind, name) in found[:at]:
            raise LvkitError(
                f"saw the {kind} '{name}' twice", where="target", expected="each name once"
            )
    return found


def _weights(target: Mapping[str, float]) -> Array:
    for name, weight in target.items():
        number = isinstance(weight, int | float | np.number) and not isinstance(weight, bool)
        if not number or not 0.0 <= weight < np.inf:
            raise LvkitError(
                f"saw {weight!r}", where=f"target, weight of '{name}'", expected="0 or more"
            )
    total = float(sum(target.values()))
    if not np.isfinite(total):
        raise LvkitError("saw weights that add up to infinity", where="target", expected="less")
    if total <= 0.0:
        raise LvkitError(
            "saw weights that add up to zero", where="target", expected="a weight above zero"
        )
    return np.array([weight / total for weight in target.values()])


def _mix(names: tuple[str, ...], weights: Array) -> str:
    parts = [f"{weight:.0%} {name}" for name, weight in zip(names, weights, strict=True)]
    return " + ".join(parts)
