"""The latent skill model: its settings, and how it is fitted to a panel.

    theta_li = alpha_l + B x_li                 skills of model i in family l
    alpha_l  ~ N(0, Sigma), diag(Sigma) = 1     the family's latent variable
    y_lij    ~ Beta(mu phi_j, (1 - mu) phi_j)   the score on benchmark j
    mu       = c_j + (1 - c_j) sigmoid(lambda_j' theta_li + d_j)

(arXiv 2512.06553; an ancestor with fixed family effects is arXiv 2412.06540.) A model holds
settings and nothing else; :meth:`LatentSkillModel.fit` returns everything that was learned, and
:func:`load_fit` reads it from a file.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lvkit.data.panel import Panel
from lvkit.estimation.estimate import fit_model
from lvkit.estimation.fitted import Fitted
from lvkit.estimation.identifiability import warn_if_unidentified
from lvkit.estimation.settings import Settings
from lvkit.fit.fit import Fit
from lvkit.fit.saved_fit import read_fit
from lvkit.prediction.calibration import Calibration
from lvkit.tools.progress import ProgressChoice


@dataclass(frozen=True, eq=False)
class LatentSkillModel(Settings):
    """Settings of a latent skill model, which can be fitted to a panel.

    Attributes
    ----------
    anchors : mapping of str to str, optional
        Skill name to anchor benchmark, one for each skill. None: lvkit chooses the anchors after
        the fit, and calls a single skill ``general``, each of several after its anchor, such as
        ``mmlu_skill``. They do not change the likelihood, unless there are family slopes.
    n_skills : int, optional
        K, the number of skills; needed only without anchors.
    features : str
        Formula of the features over the columns of ``panel.models``, with ``log_params`` and
        ``log_tokens`` (log10 of billions and of trillions) at hand.
    family_slopes : str, optional
        A feature whose slope on each skill differs between families, ``"log_params"`` say. Its
        standard deviations are tied to the anchors, so that such a fit cannot be re-anchored and
        its likelihood depends on them: give the anchors you want.
    floor : {"none", "chance", "estimate"}
        Lower asymptote of the response: zero, the benchmark's chance level, or estimated between.
    clip : float
        Scores are held within ``[clip, 1 - clip]``; log-likelihoods of different clips cannot be
        compared.

    Examples
    --------
    >>> model = LatentSkillModel(anchors={"maths": "gsm8k", "instruction": "ifeval"})
    >>> model.n_skills is None, model.floor
    (True, 'none')
    >>> LatentSkillModel(n_skills=0)
    Traceback (most recent call last):
    lvkit.errors.LvkitError: n_skills: got 0; expected a whole number from 1.
    """

    def fit(
        self,
        panel: Panel,
        method: str = "mml",
        *,
        seed: int = 0,
        starts: int = 1,
        n_jobs: int | None = 1,
        progress: ProgressChoice = False,
    ) -> Fit:
        """Fit the model to a panel.

        Parameters
        ----------
        panel : Panel
            The data. Models without a score, or without something the features need, are left out
            and listed in ``fit.dropped``.
        method : {"mml", "psga"}
            The estimator: marginal maximum likelihood by Newton's method, or the paper's projected
            stochastic gradient ascent, which agrees with it and takes ten times as long.
        seed : int
            Seed of the nodes and of the further starts.
        starts : int
            How many starting points to try: principal components first, then shaken ones. The
            best is kept; ``fit.starts`` reports all.
        n_jobs : int, optional
            Workers for several starts, by joblib under the backend of your choice
            (``joblib.parallel_config``); with one start, threads for the chunks of a large panel
            (more than 100,000 scores). The numbers do not depend on it.
        progress : bool or tqdm class
            Show a bar over the starts.

        Returns
        -------
        Fit

        Raises
        ------
        LvkitError
            If model and panel do not fit together.

        Examples
        --------
        One skill, recovered from simulated scores:

        >>> import numpy as np
        >>> import lvkit as lv
        >>> truth = lv.Parameters(
        ...     loadings=np.array([[1.0], [0.8], [0.6]]), intercepts=np.zeros(3),
        ...     precisions=np.full(3, 80.0), floors=np.zeros(3),
        ...     slopes=np.array([[1.5]]), correlation=np.eye(1),
        ... )
        >>> models = lv.simulate_models(n_families=150, models_per_family=3, seed=1)
        >>> panel = lv.simulate(truth, models, features="log_params", seed=1)
        >>> model = lv.LatentSkillModel(n_skills=1, features="log_params")
        >>> fit = model.fit(panel)
        >>> fit.converged, bool(np.abs(fit.params.loadings - truth.loadings).max() < 0.15)
        (True, True)
        """
        fitted = fit_model(
            self, panel, method=method, seed=seed, starts=starts, n_jobs=n_jobs, progress=progress
        )
        warn_if_unidentified(fitted)
        return Fit.of(fitted)


def load_fit(path: str | Path) -> Fit:
    """Read a fit that was saved with :meth:`lvkit.fit.fit.Fit.save`.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    Fit

    Raises
    ------
    LvkitError
        If the file is missing, truncated, damaged, not a lvkit fit, or of a newer schema.

    Warns
    -----
    LvkitWarning
        If the file was saved by an earlier version of lvkit, without a checksum.

    Notes
    -----
    A file carries a checksum of its whole content, which reveals accidents: a value edited by
    hand, a failing disk. It does not protect against somebody who means to deceive.
    """
    fitted, calibration = read_fit(path)
    return restored(fitted, calibration)


def restored(fitted: Fitted, calibration: Calibration | None = None) -> Fit:
    """Return a fit that was read from a file, with its methods and those of its model."""
    model = LatentSkillModel(**vars(fitted.model))
    return Fit.of(fitted, model=model, calibration=calibration)
