"""The target of a plan: a skill, a benchmark's expected score, or a weighted mix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lvkit.errors import LvkitError, nearest
from lvkit.fit.fit import Fit
from lvkit.tools.checks import is_number

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Target:
    """What a plan aims at.

    Attributes
    ----------
    label : str
        In words; a name that is both a skill's and a benchmark's says which.
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
        A name, or names and weights. A name that is both a skill's and a benchmark's needs
        ``"skill:..."`` or ``"benchmark:..."``. Weights are scaled to add up to one.

    Returns
    -------
    Target
        Without the names whose weight is zero.

    Raises
    ------
    LvkitError
        For unknown names, names that could be a skill's or a benchmark's, names given twice, skills
        mixed with benchmarks, and weights that are negative, not finite or all zero.
    """
    if isinstance(target, str):
        target = {target: 1.0}
    elif hasattr(target, "to_dict") and not isinstance(target, Mapping):  # a pandas Series
        target = target.to_dict()
    if not isinstance(target, Mapping) or not target:
        raise LvkitError(
            f"got {target!r}",
            where="target",
            expected="a skill, a benchmark, or a mapping of such names to weights",
        )
    weights = _weights(target)
    meant = _each_once([find_name(name, fit.skills, fit.benchmarks) for name in target])
    kinds = {kind for kind, _ in meant}
    if len(kinds) > 1:
        raise LvkitError(
            "got skills together with benchmarks",
            where="target",
            expected="weights of skills, or weights of benchmarks: they have different units",
        )
    names = tuple(name for (_, name), weight in zip(meant, weights, strict=True) if weight > 0.0)
    weights = weights[weights > 0.0]
    kind = kinds.pop()
    known = fit.skills if kind == "skill" else fit.benchmarks
    other = fit.benchmarks if kind == "skill" else fit.skills
    shown = tuple(f"{name} ({kind})" if name in other else name for name in names)
    label = shown[0] if len(shown) == 1 else _mix(shown, weights)
    positions = np.array([known.index(name) for name in names], dtype=np.intp)
    return Target(label, kind, names, positions, weights)


def find_name(
    name: object, skills: Sequence[str], benchmarks: Sequence[str], where: str = "target"
) -> tuple[str, str]:
    """Return whether a name is a skill's or a benchmark's, and the name.

    Parameters
    ----------
    name : object
        What the user wrote, ``"skill:"`` or ``"benchmark:"`` before it or not.
    skills, benchmarks : sequence of str
        The names that there are.
    where : str
        What the name was given for, for the error.

    Returns
    -------
    (str, str)
        ``"skill"`` or ``"benchmark"``, and the name without what stood before it.

    Raises
    ------
    LvkitError
        For an unknown name, and for one that is both a skill's and a benchmark's.

    Examples
    --------
    >>> find_name("benchmark:mmlu", ["mmlu"], ["mmlu", "arc"])
    ('benchmark', 'mmlu')
    >>> find_name("mmlu", ["mmlu"], ["mmlu", "arc"])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    lvkit.errors.LvkitError: target: got 'mmlu', which is both a skill and a benchmark; expected ...
    """
    text = str(name)
    prefix, colon, rest = text.partition(":")
    known = {"skill": skills, "benchmark": benchmarks}
    kind = prefix.strip()
    if colon and rest.strip() in known.get(kind, ()):
        return kind, rest.strip()
    kinds = [kind for kind, names in known.items() if text in names]
    if len(kinds) == 1:
        return kinds[0], text
    if kinds:
        raise LvkitError(
            f"got '{text}', which is both a skill and a benchmark",
            where=where,
            expected=f"'skill:{text}' or 'benchmark:{text}'",
            remedy="A skill is measured in standard deviations among families, a benchmark in "
            "scores from 0 to 1.",
        )
    raise LvkitError(
        f"got {name!r}",
        where=where,
        expected=f"a skill ({', '.join(skills)}) or a benchmark ({', '.join(benchmarks)})",
        remedy=nearest(text, (*skills, *benchmarks)).strip(),
    )


def _each_once(names: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Refuse what is named twice, as ``"mmlu"`` and as ``"benchmark:mmlu"``."""
    for at, (kind, name) in enumerate(names):
        if (kind, name) in names[:at]:
            raise LvkitError(
                f"got the {kind} '{name}' twice", where="target", expected="each name once"
            )
    return names


def _weights(target: Mapping[str, float]) -> Array:
    for name, weight in target.items():
        if not (is_number(weight) and weight >= 0.0):
            raise LvkitError(
                f"got {weight!r}", where=f"target, weight of '{name}'", expected="0 or more"
            )
    total = float(sum(target.values()))
    if not np.isfinite(total):
        raise LvkitError("got weights that add up to infinity", where="target", expected="less")
    if total <= 0.0:
        raise LvkitError(
            "got weights that add up to zero", where="target", expected="a weight above zero"
        )
    return np.array([weight / total for weight in target.values()])


def _mix(names: tuple[str, ...], weights: Array) -> str:
    parts = [f"{weight:.0%} {name}" for name, weight in zip(names, weights, strict=True)]
    return " + ".join(parts)
