"""The settings of a latent skill model, checked when they are made.

:class:`lvkit.LatentSkillModel` is these settings with a method that fits them to a panel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from lvkit.errors import LvkitError, count
from lvkit.model.formula import DEFAULT_FEATURES
from lvkit.tools.checks import check_choice, check_names, check_whole, is_number

ANCHORS_EXAMPLE = 'from skill to benchmark, such as {"maths": "gsm8k", "instruction": "ifeval"}'

PAPER_ANCHORS = {
    "mathematics": "math_lvl5",
    "instruction": "ifeval",
    "commonsense": "hellaswag",
    "reasoning": "bbh",
}
"""The benchmarks by which arXiv:2512.06553 names its four skills."""

_FLOORS = ("none", "chance", "estimate")


@dataclass(frozen=True)
class Settings:
    """Settings of a latent skill model; :class:`lvkit.LatentSkillModel` explains each."""

    anchors: Mapping[str, str] | None = None
    n_skills: int | None = None
    features: str = DEFAULT_FEATURES
    family_slopes: str | None = None
    floor: Literal["none", "chance", "estimate"] = "none"
    clip: float = 0.0025

    def __post_init__(self) -> None:
        if self.n_skills is not None:
            object.__setattr__(self, "n_skills", check_whole(self.n_skills, "n_skills"))
        if self.anchors is not None:
            anchors = check_names(self.anchors, "anchors", ANCHORS_EXAMPLE)
            object.__setattr__(self, "anchors", anchors)
            if self.n_skills is not None and self.n_skills != len(anchors):
                raise LvkitError(
                    f"got {count(len(anchors), 'anchor')} and n_skills={self.n_skills}",
                    where="anchors",
                    expected="one anchor for each skill",
                    remedy="Leave n_skills out, or give as many anchors.",
                )
        check_choice(self.floor, _FLOORS, "floor")
        if not (is_number(self.clip) and 0.0 < self.clip <= 0.1):
            raise LvkitError(
                f"got {self.clip!r}",
                where="clip",
                expected="a number above 0, at most 0.1",
                remedy="The default of 0.0025 is the middle of what a rounded 0.00 stands for.",
            )
        object.__setattr__(self, "clip", float(self.clip))

    def __hash__(self) -> int:
        anchors = None if self.anchors is None else tuple(self.anchors.items())
        rest = (self.n_skills, self.features, self.family_slopes, self.floor, self.clip)
        return hash((anchors, *rest))

    @property
    def k(self) -> int | None:
        """K from `n_skills` or the anchors; None if neither says."""
        return len(self.anchors) if self.anchors is not None else self.n_skills
