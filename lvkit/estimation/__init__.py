"""Two ways to climb the same hill.

An estimator is an object that takes an :class:`Objective` (scores and the meaning of the free
vector) and a starting vector and returns an :class:`Ascent`: where it got to, and whether it can
prove that this is the top.

* ``mml`` (:mod:`lvkit.estimation.mml`): maximises the marginal likelihood by a Newton method.
* ``psga`` (:mod:`lvkit.estimation.psga`): the paper's projected stochastic gradient ascent.
"""

from __future__ import annotations

from lvkit.estimation.mml import MarginalNewton
from lvkit.estimation.objective import Ascent, Estimator, Objective, Report
from lvkit.estimation.psga import ProjectedStochasticAscent

__all__ = [
    "Ascent",
    "Estimator",
    "MarginalNewton",
    "Objective",
    "ProjectedStochasticAscent",
    "Report",
]
