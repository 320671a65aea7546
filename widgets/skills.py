"""Choosing the number of skills: fit with one, two, three and so on, compare, take one.

The search takes seconds to minutes, so it runs beside the notebook: its progress is shown, the
curves grow while it runs, and Stop keeps the numbers of skills that are done. The number that is
picked carries its fit on, in ``widget.fit``.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

import ipywidgets

from lvkit import plots
from lvkit.fit.select_skills import USUAL_RANGE, Selection, select_skills, skill_range
from lvkit.plots.fit import describe_criterion, describe_loadings
from lvkit.plots.phrases import listed

from .number_slider import WholeNumberSlider
from .picture import PictureBox
from .table import TableBox
from .tool import Tool, labelled
from .work import Work

if TYPE_CHECKING:
    import pandas as pd

    from lvkit.data.panel import Panel
    from lvkit.fit.fit import Fit
    from lvkit.fit.latent_skill_model import LatentSkillModel


_FORMATS = dict.fromkeys(
    ["log-likelihood", "AIC", "BIC", "AIC above lowest", "seconds"], ",.1f"
) | {"Akaike weight": ".2f"}
_NOTHING = "Nothing is fitted yet: press Fit."


def choose_skills(
    panel: Panel,
    *,
    model: LatentSkillModel | None = None,
    largest: int = USUAL_RANGE,
    seed: int = 0,
    raise_on_exception: bool = False,
) -> SkillChoice:
    """Return a widget that fits with 1, 2, ... skills and lets you take one of the fits.

    Parameters
    ----------
    panel : Panel
        The data.
    model : LatentSkillModel, optional
        Settings; the default model's if left out. Its anchors serve for the K of their number.
    largest : int
        The largest number of skills that can be tried; fewer if the data cannot bear it.
    seed : int
        Seed of nodes and starts.
    raise_on_exception : bool
        Whether errors of callbacks are raised as well as said in the widget.

    Returns
    -------
    SkillChoice
        With ``selection`` and ``fit`` for the next cell.

    Raises
    ------
    LvkitError
        If the data do not suit the model, or cannot bear a single skill.

    Examples
    --------
    >>> import lvkit as lv
    >>> panel = lv.load_leaderboard().complete().select(benchmarks=["mmlu", "arc"])
    >>> widget = choose_skills(panel, largest=1)
    >>> widget.selection is None, widget.fit is None
    (True, True)
    >>> widget.run()
    >>> list(widget.selection.fits), widget.fit.converged
    ([1], True)
    """
    numbers = skill_range(panel, model, most=largest)
    return SkillChoice(panel, model, max(numbers), seed=seed, raise_on_exception=raise_on_exception)


class SkillChoice(Tool):
    """What :func:`choose_skills` returns.

    Attributes
    ----------
    selection : Selection or None
        The numbers of skills that are done.
    fit : Fit or None
        The fit with the number of skills that is picked.
    work : Work
        The search: its progress and its Stop button.
    largest, fit_button, pick : ipywidgets
        The controls.
    picture : PictureBox
        AIC and BIC against the number of skills.
    table : TableBox
        The criteria, as numbers.
    """

    def __init__(
        self,
        panel: Panel,
        model: LatentSkillModel | None,
        most: int,
        *,
        seed: int = 0,
        raise_on_exception: bool = False,
    ) -> None:
        super().__init__(
            "How many skills?",
            "Fit with one skill, two, three and so on; then take a number where the curves are low "
            "or begin to level off. Stop keeps what is done.",
            raise_on_exception=raise_on_exception,
        )
        self._panel, self._model, self._seed = panel, model, seed
        self._picked: int | None = None
        self.selection: Selection | None = None
        self.fit: Fit | None = None
        self._add_controls(most)
        self.picture, self._words = PictureBox(), ipywidgets.HTML(_paragraph(_NOTHING))
        self.table = TableBox()
        self.work = Work(self, finished=self._finish, locked=[self.fit_button, self.largest])
        self.controls.children = [self.largest, self.fit_button, self.work.view]
        self.body.children = [self.picture, self.pick, self._words, self.table]
        self.on(self.largest, "value", lambda _: None)  # refuses a number outside the range
        self.on_click(self.fit_button, lambda _: self.work.start(self._search))
        self.on(self.pick, "value", lambda change: self._take(change.new))

    def _add_controls(self, most: int) -> None:
        self.largest = labelled(
            WholeNumberSlider, "Largest K", "the largest number of skills to try",
            min=1, max=most, value=most,
        )  # fmt: skip
        self.fit_button = labelled(
            ipywidgets.Button, "Fit", "fit with 1 skill, 2 skills, and so on",
            icon="play", button_style="primary",
        )  # fmt: skip
        self.pick = labelled(
            ipywidgets.Dropdown, "Number of skills K", "whose fit to carry on, as widget.fit",
            options=(), disabled=True,
        )  # fmt: skip

    def run(self, *, wait: bool = True) -> None:
        """Press Fit, as a person would.

        Parameters
        ----------
        wait : bool
            Whether to return only when all is done. A notebook hears no click until then, but
            interrupting the cell stops the search and keeps what is done.

        Raises
        ------
        LvkitError
            If the search is running already.
        """
        self.press(self.fit_button)
        if wait:
            self.wait()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the search to end, up to `timeout` seconds; return whether it is over."""
        try:
            return self.work.wait(timeout)
        except KeyboardInterrupt:
            self.work.stop()
            raise

    def _search(self, progress: Any) -> Selection:
        """Fit with each number of skills; runs beside the notebook."""
        return select_skills(
            self._panel, range(1, self.largest.value + 1), self._model, seed=self._seed,
            progress=progress, report=lambda selection: self.call(self._grow, selection),
        )  # fmt: skip

    def _grow(self, selection: Selection) -> None:
        """Show the selection so far; the pick stays where the user put it."""
        self.selection = selection
        done = list(selection.fits)
        with self.quiet():
            self.pick.options = [(f"K = {k}", k) for k in done]
            self.pick.disabled = False
            best = len(selection.best("aic").skills)
            self.pick.value = self._picked if self._picked in done else best
        self._show(self.pick.value)

    def _take(self, k: int) -> None:
        """Carry on the fit with the number of skills that the user picked."""
        self._picked = k
        self._show(k)

    def _show(self, k: int) -> None:
        """Draw the curves and tell of the fit with K skills."""
        assert self.selection is not None
        selection, self.fit = self.selection, self.selection.fits[k]
        alt = f"{describe_criterion(selection)} Picked: K = {k}."
        shape = tuple(selection.table["aic"])
        self.picture.show(
            lambda ax: plots.plot_criterion(selection, criterion="both", chosen=k, ax=ax),
            alt=alt,
            size=None,
            keep=shape,
        )
        self._words.value = _paragraph(f"widget.fit is {self.fit!r}. {describe_loadings(self.fit)}")
        self.table.show(
            selection.table.reset_index(), read=readable(selection), formats=_FORMATS,
            caption="The criteria for each number of skills K", file="skills.csv",
        )  # fmt: skip
        self._warn_of(selection)

    def _finish(self, work: Work) -> None:
        """Say what the search came to; an error is said by the widget's guard."""
        done = [] if self.selection is None else list(self.selection.fits)
        told = f"done: K = {listed(done)}" if done else "no number of skills is done"
        if work.outcome == "stopped":
            self.notice.say(f"Stopped; {told}. Press Fit to begin again.")
        elif work.outcome == "done":
            self.notice.say(f"The search is {told}. Pick one; its fit is widget.fit.")
        if self.selection is not None:
            self._warn_of(self.selection)

    def _warn_of(self, selection: Selection) -> None:
        """Say which fits are not to be trusted, behind what was said before."""
        if told := doubts(selection):
            self.notice.warn(" ".join(filter(None, [self.notice.text, told])))


def doubts(selection: Selection) -> str:
    """Say which numbers of skills did not converge, why, and what to do; empty if all did."""
    failed = {k: fit for k, fit in selection.fits.items() if not fit.converged}
    told = " ".join(f"K = {k} did not converge ({fit.message})." for k, fit in failed.items())
    advice = "Its numbers are" if len(failed) == 1 else "Their numbers are"
    return f"{told} {advice} not to be trusted: take another K." if failed else ""


def readable(selection: Selection) -> pd.DataFrame:
    """Return the criteria with a row for each K, and columns named as people call them."""
    names = {
        "loglik": "log-likelihood", "n_params": "parameters", "aic": "AIC", "bic": "BIC",
        "delta_aic": "AIC above lowest", "weight": "Akaike weight",
    }  # fmt: skip
    return selection.table.rename(columns=names).reset_index()


def _paragraph(text: str) -> str:
    return f'<p style="line-height: 1.4">{html.escape(text)}</p>'
