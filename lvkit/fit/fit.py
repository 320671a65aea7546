"""The methods of a fit: summaries, predictions, calibration, re-anchoring and saving.

A :class:`Fit` keeps the data it was fitted to, the parameters, and each family's posterior, so that
tables, pictures, predictions and plans need nothing else. It can be saved to a file and read back.
Its attributes are those of :class:`lvkit.estimation.fitted.Fitted`; its methods are functions of
the modules below, which take a :class:`~lvkit.estimation.fitted.Fitted`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from lvkit.data.panel import Panel
from lvkit.errors import LvkitError, count
from lvkit.estimation.anchor_choice import AnchorSuggestions, anchor_reliability, suggest_anchors
from lvkit.estimation.family_posterior import FamilyPosterior, sample_families
from lvkit.estimation.fitted import Fitted
from lvkit.estimation.identifiability import Unidentified, unidentified
from lvkit.estimation.settings import ANCHORS_EXAMPLE, Settings
from lvkit.estimation.standard_errors import (
    Covariance,
    Curvature,
    cov_params,
    curvature_of,
    delta,
    share_curvature,
    summary,
)
from lvkit.fit.saved_fit import save_fit
from lvkit.model.parameters import Parameters, anchor, check_anchors, warn_if_alike
from lvkit.prediction.calibration import Calibration, calibrate
from lvkit.prediction.extrapolation import warn_if_far
from lvkit.prediction.predict import Prediction, predict, predict_skills
from lvkit.tools.checks import check_level, check_names, check_whole
from lvkit.tools.progress import ProgressChoice


@dataclass(frozen=True, eq=False)
class Fit(Fitted):
    """A fitted latent skill model, and all that can be asked of it.

    Attributes
    ----------
    calibration : Calibration, optional
        What held-out scores taught about predictions; see :meth:`calibrate`.

    All others are those of :class:`lvkit.estimation.fitted.Fitted`: ``model``, ``panel``,
    ``anchors``, ``loglik``, ``converged``, ``params``, ``loadings``, ``slopes``, ``correlation``,
    ``aic`` and so on.
    """

    calibration: Calibration | None = field(repr=False, default=None)

    @classmethod
    def of(
        cls,
        fitted: Fitted,
        *,
        model: Settings | None = None,
        calibration: Calibration | None = None,
    ) -> Fit:
        """Return the fit of an estimate, which shares what was computed from it.

        Parameters
        ----------
        fitted : Fitted
            The estimate.
        model : Settings, optional
            The same settings as another class; those of the estimate if left out.
        calibration : Calibration, optional
            What is known of its predictions.
        """
        given = {each.name: getattr(fitted, each.name) for each in fields(fitted) if each.init}
        given |= {"model": model or fitted.model, "calibration": calibration}
        fit = cls(**given)
        object.__setattr__(fit, "memo", fitted.memo)
        return fit

    def _changed(self, **changes: Any) -> Fit:
        """Return the same estimate with other attributes; its curvature is not measured again."""
        again = replace(self, **changes)
        share_curvature(self, again)
        return again

    # -- uncertainty ----------------------------------------------------------------------------

    @property
    def curvature(self) -> Curvature:
        """The shape of the log-likelihood at the estimate, measured once, when first asked for."""
        return curvature_of(self)

    @property
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
        learned = calibrate(self, keep=keep, seed=seed, n_jobs=n_jobs, progress=progress)
        return self._changed(calibration=learned)

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
        found = predict(
            self,
            models,
            level=level,
            intervals=intervals,
            new_family=new_family,
            draws=draws,
            seed=seed,
            calibration=self.calibration,
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
        return predict_skills(
            self, models, level=level, new_family=new_family, draws=draws, seed=seed
        )

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
        return self._changed(model=model, anchors=anchors, frame=frame)

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
        save_fit(self, path, self.calibration)

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
