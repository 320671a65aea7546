"""Folds of hold-out tests: which models are kept and which are predicted.

The field's protocol (Sloth, arXiv 2412.06540): one fold for each lineage, since relatives would
give each other away. In a fold, each family of the lineage with more than `keep` models keeps its
`keep` smallest, and is tested on the rest; its smaller families leave the training set. With
``keep = 0`` whole families are held out, as recipes nobody has seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from lvkit.data.panel import Panel


@dataclass(frozen=True)
class Fold:
    """One fold of a hold-out test.

    Attributes
    ----------
    lineage : str
        The lineage that is tested.
    keep : int
        How many models of a family are kept.
    train, test : tuple of str
        Names of models.
    """

    lineage: str
    keep: int
    train: tuple[str, ...]
    test: tuple[str, ...]

    def question(self, panel: Panel) -> pd.DataFrame:
        """Return the tested models without their scores, as a user would ask for them."""
        models = panel.models.loc[list(self.test)]
        if self.keep == 0:
            models = models.assign(family=None)
        return models


def folds(panel: Panel, usable: Sequence[str], keep: int) -> list[Fold]:
    """Return the folds of a panel, by lineage.

    Parameters
    ----------
    panel : Panel
        The data.
    usable : sequence of str
        The models that can be fitted; others are neither kept nor tested.
    keep : int
        How many models each tested family keeps: its smallest, ties by name.

    Returns
    -------
    list of Fold
        Lineages that have nothing to test are left out.

    Examples
    --------
    >>> import lvkit as lv
    >>> panel = lv.load_leaderboard().complete()
    >>> found = folds(panel, panel.models.index, keep=2)
    >>> all(set(fold.train).isdisjoint(fold.test) for fold in found)
    True
    """
    models = panel.models.loc[sorted(usable)]
    order = models.sort_values("params_b", kind="stable")
    rank = order.groupby("family").cumcount().reindex(models.index)
    size = models.groupby("family")["family"].transform("size")
    out = []
    for lineage in sorted(models["lineage"].astype(str).unique()):
        here = models["lineage"].astype(str) == lineage
        tested = here & (size > keep) & (rank >= keep)
        kept = here & (size > keep) & (rank < keep)
        if tested.any() and (~here | kept).any():
            train, test = models.index[~here | kept], models.index[tested]
            out.append(Fold(lineage, keep, tuple(train), tuple(test)))
    return out
