"""The latent skill model: its settings, and how it is fitted to a panel.

    theta_li = alpha_l + B x_li                 skills of model i in family l
    alpha_l  ~ N(0, Sigma), diag(Sigma) = 1     the family's latent variable
    y_lij    ~ Beta(mu phi_j, (1 - mu) phi_j)   the score on benchmark j
    mu       = c_j + (1 - c_j) sigmoid(lambda_j' theta_li + d_j)

(arXiv 2512.06553; an ancestor with fixed family effects is arXiv 2412.06540.) A model holds
settings and nothing else; :meth:`LatentSkillModel.fit` returns everything that was learned.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from lvkit.checks import check_names, check_whole
from lvkit.data.panel import Panel
from lvkit.errors import LvkitError, count, nearest
from lvkit.formula import DEFAULT_FEATURES
from lvkit.progress import ProgressChoice

if TYPE_CHECKING:
    from lvkit.results import Fit


ANCHORS_EXAMPLE = 'from skill to benchmark, such as {"maths": "gsm8k", "instruction": "ifeval"}'

_FLOORS = ("none", "chance", "estimate")


@dataclass(frozen=True)
class LatentSkillModel:
    """Settings of a latent skill model.

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
        if self.floor not in _FLOORS:
            raise LvkitError(
                f"got {self.floor!r}",
                where="floor",
                expected="one of " + ", ".join(f"'{name}'" for name in _FLOORS),
                remedy=nearest(str(self.floor), _FLOORS).strip(),
            )
        if not (isinstance(self.clip, int | float) and 0.0 < self.clip <= 0.1):
            raise LvkitError(
                f"got {self.clip!r}",
                where="clip",
                expected="a number above 0, at most 0.1",
                remedy="The default of 0.0025 is the middle of what a rounded 0.00 stands for.",
            )

    def __hash__(self) -> int:
        anchors = None if self.anchors is None else tuple(self.anchors.items())
        rest = (self.n_skills, self.features, self.family_slopes, self.floor, self.clip)
        return hash((anchors, *rest))

    @property
    def k(self) -> int | None:
        """K from `n_skills` or the anchors; None if neither says."""
        return len(self.anchors) if self.anchors is not None else self.n_skills

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
        from lvkit.fitting import fit_model
        from lvkit.identifiability import warn_if_unidentified

        fit = fit_model(
            self, panel, method=method, seed=seed, starts=starts, n_jobs=n_jobs, progress=progress
        )
        warn_if_unidentified(fit)
        return fit
