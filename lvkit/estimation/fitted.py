"""What was estimated: the parameters of a fitted model with the data they were estimated from.

A :class:`Fitted` says what a fit is: its parameters, its names and sizes, its criteria. What can be
done with it, such as predicting, is in the modules above this one, each of which takes a
:class:`Fitted`; :class:`lvkit.Fit` offers all of that as methods.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from lvkit.data.panel import Panel
from lvkit.estimation.settings import Settings
from lvkit.model.beta import response
from lvkit.model.coordinates import Frame
from lvkit.model.free_parameters import FreeParameters
from lvkit.model.parameters import Parameters
from lvkit.model.prepared import Prepared

Array = npt.NDArray[np.float64]

T = TypeVar("T")

_POINTS = 15
"""Gauss-Hermite points for the mean of the curve."""

_PICKLED = ("measured", "curvature", "unidentified")
"""Kinds of values that go with a fit to another process."""

_MOST = 8
"""Values of each kind that are kept; draws for planning take about 2 MB each."""


class Memo:
    """What was computed from a fit, so that it is computed once.

    The values used last are kept, up to eight of each kind, until the fit itself is gone. They are
    never changed, so that results are the same with them and without. Threads may share a memo:
    all of them get the same value.

    Examples
    --------
    >>> memo = Memo()
    >>> first = memo.get("a list", lambda: [1, 2, 3])
    >>> memo.get("a list", lambda: [1, 2, 3]) is first
    True
    >>> "a list" in memo, "a table" in memo
    (True, False)
    """

    def __init__(self) -> None:
        self._values: dict[str, OrderedDict[Hashable, Any]] = {}
        self._lock = threading.Lock()

    def get(self, kind: str, make: Callable[[], T], *, key: Hashable = None) -> T:
        """Return the value of a kind and key, which is made where it is not there.

        Parameters
        ----------
        kind : str
            What it is.
        make : callable
            Makes it; nothing is kept where it raises.
        key : hashable, optional
            What the value depends on besides the fit.
        """
        with self._lock:
            values = self._values.setdefault(kind, OrderedDict())
            if key in values:
                values.move_to_end(key)
                found: T = values[key]
                return found
        made = make()  # without the lock: it takes long, and may need other values
        with self._lock:
            made = values.setdefault(key, made)  # another thread may have been faster
            while len(values) > _MOST:
                values.popitem(last=False)
        return made

    def __contains__(self, kind: object) -> bool:
        with self._lock:
            return bool(self._values.get(str(kind)))

    def __getstate__(self) -> dict[str, Any]:
        with self._lock:  # which cannot be pickled; draws of plans are large, and quickly made
            return {k: values.copy() for k, values in self._values.items() if k in _PICKLED}

    def __setstate__(self, values: dict[str, Any]) -> None:
        self._values, self._lock = values, threading.Lock()


@dataclass(frozen=True, eq=False)
class Fitted:
    """A fitted latent skill model: what was estimated, and from what.

    Attributes
    ----------
    model : Settings
        The settings.
    panel : Panel
        The data it was fitted to.
    anchors : dict of str to str
        Skill name to anchor benchmark, in the order of the skills.
    loglik : float
        Marginal log-likelihood at the optimum.
    n_params : int
        Number of free parameters.
    converged : bool
        Whether the top is reached by the method's own criterion, which ``message`` reports: for
        mml, the log-likelihood that the local quadratic model still expects to gain within three
        standard errors is below 1e-5; for psga, with its random draws, below 0.25.
    message : str
        Why the estimator stopped.
    method : str
        Which estimator.
    seed : int
        Seed of nodes and starts.
    starts : DataFrame
        A row for each start: ``loglik``, ``converged``, ``steps``, ``seconds``, ``behind`` (how far
        it ended below the best).
    trace : DataFrame
        The way of the best start: index ``iteration``; columns ``loglik`` (by the nodes of the
        search; NaN where a step looked at a part of a large panel) and ``expected_gain``.
    frame : Frame
        The parameters in the anchored frame; :attr:`params` shows them in the field's terms.
    prepared : Prepared
        The arranged data.
    latent_means, latent_covariances : ndarray, shapes (L, q) and (L, q, q)
        Posterior mean and covariance of each family's whitened latent vector.
    memo : Memo
        What was computed from the estimate; a changed copy (:func:`dataclasses.replace`) begins
        with nothing.
    """

    model: Settings
    panel: Panel
    anchors: dict[str, str]
    loglik: float
    n_params: int
    converged: bool
    message: str
    method: str
    seed: int
    starts: pd.DataFrame
    trace: pd.DataFrame = field(repr=False)
    frame: Frame = field(repr=False)
    prepared: Prepared = field(repr=False)
    latent_means: Array = field(repr=False)
    latent_covariances: Array = field(repr=False)
    memo: Memo = field(init=False, repr=False, compare=False, default_factory=Memo)

    # -- sizes and criteria ---------------------------------------------------------------------

    @property
    def n_scores(self) -> int:
        """Number of scores in the likelihood."""
        return self.prepared.table.n_scores

    @property
    def n_models(self) -> int:
        """Number of fitted models."""
        return len(self.prepared.models)

    @property
    def n_families(self) -> int:
        """Number of fitted families."""
        return len(self.prepared.families)

    @property
    def aic(self) -> float:
        """Akaike's information criterion, ``-2 loglik + 2 n_params``."""
        return -2.0 * self.loglik + 2.0 * self.n_params

    @property
    def bic(self) -> float:
        """Schwarz's criterion, ``-2 loglik + log(n_scores) n_params``."""
        return float(-2.0 * self.loglik + np.log(self.n_scores) * self.n_params)

    # -- names ----------------------------------------------------------------------------------

    @property
    def benchmarks(self) -> tuple[str, ...]:
        """The fitted benchmarks, in the order of the loadings' rows."""
        return self.prepared.benchmarks

    @property
    def skills(self) -> tuple[str, ...]:
        """The skills, in the order of the loadings' columns."""
        return tuple(self.anchors)

    @property
    def families(self) -> tuple[str, ...]:
        """The fitted families."""
        return self.prepared.families

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The features, in the order of the slopes' columns."""
        return self.prepared.features.names

    @property
    def feature_means(self) -> Array:
        """What was subtracted from each feature: its mean over the fitted models, shape (p,)."""
        return self.prepared.features.means

    @property
    def dropped(self) -> pd.DataFrame:
        """Models that were left out: index ``model``, column ``reason``."""
        return self.prepared.dropped.copy()

    # -- parameters -----------------------------------------------------------------------------

    @cached_property
    def params(self) -> Parameters:
        """The parameters as read-only arrays."""
        return Parameters.of(self.frame).read_only()

    @property
    def loadings(self) -> pd.DataFrame:
        """Loadings, benchmarks x skills: logits per standard deviation among families."""
        return pd.DataFrame(
            self.params.loadings,
            pd.Index(self.benchmarks, name="benchmark"),
            pd.Index(self.skills, name="skill"),
            copy=True,
        )

    @property
    def slopes(self) -> pd.DataFrame:
        """Slopes, skills x features: standard deviations of a skill per unit of a feature."""
        return pd.DataFrame(
            self.params.slopes,
            pd.Index(self.skills, name="skill"),
            pd.Index(self.feature_names, name="feature"),
            copy=True,
        )

    @property
    def correlation(self) -> pd.DataFrame:
        """Correlation of the families' latent variables, skills x skills."""
        skills = pd.Index(self.skills, name="skill")
        return pd.DataFrame(self.params.correlation, skills, skills.rename("with"), copy=True)

    @cached_property
    def free_parameters(self) -> FreeParameters:
        """Names and order of the free parameters, ``n_params`` of them."""
        estimated = self.prepared.chance > 0.0 if self.model.floor == "estimate" else np.array([])
        return FreeParameters.of(
            self.anchors,
            self.benchmarks,
            self.feature_names,
            free_floors=[int(j) for j in np.flatnonzero(estimated)],
            slope_sd=self.params.slope_sd is not None,
        )

    # -- families and models --------------------------------------------------------------------

    @property
    def family_effects(self) -> pd.DataFrame:
        """Posterior means of the families' latent variables, families x skills."""
        return pd.DataFrame(
            self.latent_means @ self.frame.factor[0].T,
            pd.Index(self.families, name="family"),
            pd.Index(self.skills, name="skill"),
        )

    @property
    def skill_scores(self) -> pd.DataFrame:
        """Posterior means of the fitted models' skills, models x skills."""
        family, features = self._of_models()
        latent = np.einsum("ikq,iq->ik", self._latent_weights(), self.latent_means[family])
        return pd.DataFrame(
            latent + features @ self.frame.slopes.T,
            pd.Index(self.prepared.models, name="model"),
            pd.Index(self.skills, name="skill"),
        )

    @property
    def fitted_scores(self) -> pd.DataFrame:
        """Expected scores of the fitted models, models x benchmarks.

        The curve from skills to scores bends, so that an expected score is not the curve at the
        mean of the skills: the response is averaged over a normal approximation of the family's
        posterior.
        """
        family, _ = self._of_models()
        loadings = self.frame.loadings
        centre = self.skill_scores.to_numpy() @ loadings.T + self.frame.intercepts
        weights = np.einsum("jk,ikq->ijq", loadings, self._latent_weights())
        spread = np.einsum("ijq,iqh,ijh->ij", weights, self.latent_covariances[family], weights)
        points, mass = np.polynomial.hermite_e.hermegauss(_POINTS)
        eta = centre[:, :, None] + np.sqrt(spread)[:, :, None] * points
        mean = response(eta, self.frame.floors[:, None]) @ (mass / mass.sum())
        return pd.DataFrame(
            mean,
            pd.Index(self.prepared.models, name="model"),
            pd.Index(self.benchmarks, name="benchmark"),
        )

    def _latent_weights(self) -> Array:
        """How the whitened latent vector enters each fitted model's skills, shape (I, K, q)."""
        table = self.prepared.table
        design = np.zeros((self.n_models, table.design.shape[1]))
        design[table.model] = table.design
        return np.asarray(np.einsum("ir,rkq->ikq", design, self.frame.factor))

    def _of_models(self) -> tuple[npt.NDArray[np.intp], Array]:
        """Family and centred features of each fitted model, shapes (I,) and (I, p)."""
        table = self.prepared.table
        family = np.zeros(self.n_models, dtype=np.intp)
        features = np.zeros((self.n_models, table.features.shape[1]))
        family[table.model], features[table.model] = table.family, table.features
        return family, features
