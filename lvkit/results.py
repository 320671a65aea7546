"""What a fit found: one immutable object that answers questions about it.

A :class:`Fit` keeps the data it was fitted to, the parameters, and each family's posterior, so that
tables, pictures, predictions and plans need nothing else. It can be saved to a file and read back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lvkit import expected
from lvkit.checks import check_level, check_names, check_whole
from lvkit.data.panel import Panel
from lvkit.errors import LvkitError, count
from lvkit.freeparams import FreeParameters
from lvkit.model import ANCHORS_EXAMPLE, LatentSkillModel
from lvkit.parameters import Parameters, anchor, check_anchors, warn_if_alike
from lvkit.preparation import Prepared
from lvkit.progress import ProgressChoice
from lvkit.structure import Frame

if TYPE_CHECKING:
    from lvkit.anchors import AnchorSuggestions
    from lvkit.calibration import Calibration
    from lvkit.identifiability import Unidentified
    from lvkit.inference import Covariance, Curvature
    from lvkit.posterior import FamilyPosterior
    from lvkit.predict import Prediction


Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Fit:
    """A fitted latent skill model.

    Attributes
    ----------
    model : LatentSkillModel
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
    calibration : Calibration, optional
        What held-out scores taught about predictions; see :meth:`calibrate`.
    """

    model: LatentSkillModel
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
    calibration: Calibration | None = field(repr=False, default=None)

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

    # -- uncertainty ----------------------------------------------------------------------------

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

    @cached_property
    def curvature(self) -> Curvature:
        """The shape of the log-likelihood at the estimate, measured once, when first asked for."""
        from lvkit.inference import survey

        return survey(self)

    @cached_property
    def _measured(self) -> Curvature:
        """What is measured of the likelihood: :attr:`curvature` before its doubts are told."""
        from lvkit.inference import measure

        return measure(self)

    @cached_property
    def unidentified(self) -> tuple[Unidentified, ...]:
        """What the fit reports although the data do not determine it; empty where all is well.

        Each record has a ``kind``, the ``names`` concerned, a ``value`` and a ``sentence``:

        ``family_variance``: families do not differ on a skill beyond its features, so that its
        unit, one standard deviation among families, is undefined;
        ``correlation``: two skills that the data do not distinguish;
        ``covariance``: one skill follows from several others;
        ``few_families``: fewer families than variances and correlations;
        ``family_slopes``: families' own slopes on a feature that hardly varies within families.

        :meth:`lvkit.LatentSkillModel.fit` warns of each. Flat directions of the likelihood need its
        curvature: :meth:`summary` and ``lvkit fit`` report them.
        """
        from lvkit.identifiability import unidentified

        return unidentified(self)

    def summary(
        self, level: float | None = 0.95, *, kind: Covariance = "information"
    ) -> pd.DataFrame:
        """Return all free parameters in one table.

        Parameters
        ----------
        level : float, optional
            Level of the confidence intervals; None lists the estimates alone.
        kind : {"information", "sandwich"}
            Standard errors from the observed information, or robust ones clustered by family.

        Returns
        -------
        DataFrame
            Index ``parameter``, such as ``loading[mmlu, reasoning]``; columns ``estimate``,
            ``std_error``, ``ci_lower``, ``ci_upper`` and ``determined``, which is False where the
            data do not determine a parameter: its standard error is NaN. Fixed entries (an
            anchor's loadings on other skills, fixed floors) are not listed, so that there are
            ``n_params`` rows.

        Raises
        ------
        LvkitError
            For a level outside (0, 1), and for a fit that did not converge.

        Notes
        -----
        Intervals are symmetric where a parameter can take any value, and on the scale of its
        logarithm (precisions, anchors' loadings, slopes' standard deviations), of Fisher's z
        (correlations) or of its logit (floors) where it cannot, so that no interval leaves the
        parameter's range.
        """
        from lvkit.inference import summary

        return summary(self, level, kind)

    def conf_int(self, level: float = 0.95, *, kind: Covariance = "information") -> pd.DataFrame:
        """Return the confidence intervals of :meth:`summary`: ``ci_lower`` and ``ci_upper``."""
        return self.summary(check_level(level), kind=kind)[["ci_lower", "ci_upper"]]

    def cov_params(self, *, kind: Covariance = "information") -> pd.DataFrame:
        """Return the covariance matrix of the free parameters' estimates.

        Parameters
        ----------
        kind : {"information", "sandwich"}
            As in :meth:`summary`. The sandwich is singular with fewer families than parameters.

        Returns
        -------
        DataFrame
            Parameters x parameters, NaN where the data do not determine a parameter.
        """
        from lvkit.inference import cov_params

        return cov_params(self, kind)

    def delta(
        self,
        function: Callable[[Parameters], Any],
        level: float = 0.95,
        *,
        kind: Covariance = "information",
    ) -> pd.DataFrame:
        """Return anything that follows from the parameters, with its standard error.

        Parameters
        ----------
        function : callable
            From :class:`~lvkit.Parameters` to a number, an array, a Series or a DataFrame.
        level, kind
            As in :meth:`summary`.

        Returns
        -------
        DataFrame
            A row for each number; columns ``estimate``, ``std_error``, ``ci_lower``, ``ci_upper``.
            The last three are NaN for what varies with directions that the data do not determine,
            or with a parameter at the edge of its range (a floor of zero, a correlation of one).

        Examples
        --------
        >>> import lvkit as lv
        >>> model = lv.LatentSkillModel(n_skills=1, features="log_params")
        >>> fit = model.fit(lv.load_leaderboard().complete())
        >>> ratio = fit.delta(lambda params: params.loadings[0] / params.loadings[1])
        >>> ratio.shape, bool(ratio["std_error"].iloc[0] > 0.0)
        ((1, 4), True)
        """
        from lvkit.inference import delta

        return delta(self, function, level, kind)

    def sample_families(self, draws: int = 2_000, *, seed: int = 0) -> FamilyPosterior:
        """Draw the families' latent variables from their posterior, by Markov chains.

        Parameters
        ----------
        draws : int
            Draws kept of each family.
        seed : int
            Seed of the chains.

        Returns
        -------
        FamilyPosterior
            Draws, their summary with R-hat and effective sample size, and comparisons of families.
        """
        from lvkit.posterior import sample_families

        return sample_families(self, draws=draws, seed=seed)

    # -- prediction -----------------------------------------------------------------------------

    def calibrate(
        self,
        *,
        keep: Iterable[int] = (0, 1, 2),
        seed: int = 0,
        n_jobs: int | None = 1,
        progress: ProgressChoice = False,
    ) -> Fit:
        """Return the fit with a calibration, learned by holding out parts of its own data.

        Parameters
        ----------
        keep : iterable of int
            How many models the families of a held-out lineage keep: 0 teaches about unknown
            recipes, 1, 2, ... about larger models of families with a few known ones.
        seed : int
            Seed of the draws.
        n_jobs : int, optional
            Workers, by joblib under the backend of your choice. The numbers do not depend on it.
        progress : bool or tqdm class
            Show a bar over the hold-outs.

        Returns
        -------
        Fit
            The same fit with ``calibration``; it is saved with the fit, and :meth:`predict` uses
            it from now on.

        Raises
        ------
        LvkitError
            If there is nothing to hold out, and for a fit that did not converge.
        """
        from lvkit.calibration import calibrate

        return calibrate(self, keep=keep, seed=seed, n_jobs=n_jobs, progress=progress)

    def predict(
        self,
        models: pd.DataFrame | Panel,
        *,
        level: float = 0.95,
        intervals: str | None = None,
        new_family: str = "error",
        draws: int = 4_000,
        seed: int = 0,
    ) -> Prediction:
        """Predict the scores of models nobody has evaluated.

        Parameters
        ----------
        models : DataFrame or Panel
            A row for each model: ``model``, ``family``, ``params_b``, ``tokens_t`` and whatever
            else the features need; columns named after benchmarks hold known scores, which are
            conditioned on. A blank family is an unknown recipe; a family that is not in the fit
            but has scores is a new one.
        level : float
            Level of the intervals.
        intervals : {"calibrated", "model", "plugin"}, optional
            Calibrated ones need :meth:`calibrate` and are the default after it; ``"model"`` takes
            the parameters' errors into account, ``"plugin"`` does not. Directions that the data do
            not determine, which a warning names, are held where the fit found them.
        new_family : {"error", "population"}
            What to do with a family that is not in the fit and has no scores: refuse it, or draw
            its recipe from the population.
        draws : int
            Draws of the predictive distributions.
        seed : int
            Seed; a model's numbers do not depend on the other rows or their order.

        Returns
        -------
        Prediction
            With ``table`` (mean, median, interval) and ``quantiles``.

        Raises
        ------
        LvkitError
            For unknown families and benchmarks, missing features and scores out of range.

        Warns
        -----
        LvkitWarning
            If the level is higher than the lineages of the calibration can vouch for, and for
            sizes, tokens or other numbers that lie outside those of the fitted models by a factor
            above 5.
        """
        from lvkit.extrapolation import warn_if_far
        from lvkit.predict import predict

        found = predict(
            self,
            models,
            level=level,
            intervals=intervals,
            new_family=new_family,
            draws=draws,
            seed=seed,
        )
        warn_if_far(found.request.beyond)
        if self.calibration is not None and found.intervals == "calibrated":
            self.calibration.warn_beyond(found.level, found.request)
        return found

    def predict_skills(
        self,
        models: pd.DataFrame | Panel,
        *,
        level: float = 0.95,
        new_family: str = "error",
        draws: int = 4_000,
        seed: int = 0,
    ) -> pd.DataFrame:
        """Predict the skills of models, with intervals; arguments as in :meth:`predict`.

        Returns
        -------
        DataFrame
            A row for each model and skill: ``mean``, ``median``, ``lower``, ``upper``,
            ``family_kind``. A skill on which families do not differ (:attr:`unidentified`) has no
            unit: ``mean`` and ``median`` are NaN and the interval is unbounded.
        """
        from lvkit.predict import predict_skills

        return predict_skills(
            self, models, level=level, new_family=new_family, draws=draws, seed=seed
        )

    # -- families and models --------------------------------------------------------------------

    @property
    def family_effects(self) -> pd.DataFrame:
        """Posterior means of the families' latent variables, families x skills."""
        return expected.family_effects(self)

    @property
    def skill_scores(self) -> pd.DataFrame:
        """Posterior means of the fitted models' skills, models x skills."""
        return expected.skill_scores(self)

    @property
    def fitted_scores(self) -> pd.DataFrame:
        """Expected scores of the fitted models, models x benchmarks.

        The response is averaged over a normal approximation of the family's posterior.
        """
        return expected.fitted_scores(self)

    # -- anchors --------------------------------------------------------------------------------

    def reanchor(self, anchors: Mapping[str, str]) -> Fit:
        """Return the same fit read through other anchors.

        Parameters
        ----------
        anchors : mapping of str to str
            Skill name to anchor benchmark, as many as there are skills.

        Returns
        -------
        Fit
            Same likelihood, other loadings, slopes and correlations: nothing is fitted again.

        Raises
        ------
        LvkitError
            For unknown or too few anchors, for anchors that do not tell the skills apart, and for a
            fit with family slopes.
        """
        from lvkit.inference import hand_over

        if self.model.family_slopes is not None:
            raise LvkitError(
                "the family slopes' standard deviations are tied to the anchors",
                where="reanchor",
                remedy="Fit again with the anchors you want: LatentSkillModel(anchors=...).",
            )
        anchors = check_names(anchors, "reanchor", ANCHORS_EXAMPLE)
        if len(anchors) != len(self.skills):
            raise LvkitError(
                f"got {count(len(anchors), 'anchor')}",
                where="reanchor",
                expected=f"{len(self.skills)}, one for each skill",
            )
        model = replace(self.model, anchors=anchors, n_skills=None)
        positions = check_anchors(anchors, self.benchmarks)
        frame = anchor(self.frame, positions, list(anchors.values())).read_only()
        warn_if_alike(frame, tuple(anchors), stacklevel=3)
        return hand_over(self, replace(self, model=model, anchors=anchors, frame=frame))

    def suggest_anchors(self, most: int = 20) -> AnchorSuggestions:
        """Rank sets of anchors by how well they measure the skills and how readable these become.

        Parameters
        ----------
        most : int
            How many sets to return.

        Returns
        -------
        AnchorSuggestions
            With the reason for each set's rank.
        """
        from lvkit.anchors import anchor_reliability, suggest_anchors

        reliability = anchor_reliability(self.frame, self.prepared.table)
        return suggest_anchors(self.frame, self.benchmarks, reliability, check_whole(most, "most"))

    # -- files and display ----------------------------------------------------------------------

    def save(self, path: str | Path) -> None:
        """Save the fit, data included, to one file; :func:`lvkit.load_fit` reads it.

        Parameters
        ----------
        path : str or Path
            The file; written whole or not at all. An older saved fit is replaced.

        Raises
        ------
        LvkitError
            If the file cannot be written, or exists and is not a saved fit.
        """
        from lvkit.storage import save_fit

        save_fit(self, path)

    def __repr__(self) -> str:
        state = "converged" if self.converged else "NOT converged"
        return (
            f"Fit({count(len(self.skills), 'skill')}, {count(self.n_models, 'model')}, "
            f"{count(self.n_families, 'family')}, {count(self.n_scores, 'score')}: "
            f"log-likelihood {self.loglik:.2f}, AIC {self.aic:.1f}, {state})"
        )

    def _repr_html_(self) -> str:
        text = self.loadings.to_html(float_format="{:.2f}".format)
        return f"<p>{escape(repr(self))}</p>{text}"
