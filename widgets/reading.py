"""Interpreting skills: what they are, by which anchors they are read, where families stand.

The likelihood does not depend on the anchors, so that they can be changed at once: nothing is
fitted again, the same fit is read in other words. What takes a moment is made when it is asked for:
standard errors when error bars are, draws from the posterior when two families are compared. Errors
are measured once, whatever the anchors; the first time the loadings are shown at once and their
errors right after.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import ipywidgets

from lvkit.data.panel import benchmark_labels
from lvkit.errors import LvkitError
from lvkit.estimation.anchor_choice import automatic_names
from lvkit.fit.standings import TOP_FAMILIES, known_families
from lvkit.plots.phrases import listed
from lvkit.tools.checks import checked_names

from . import views
from .number_slider import WholeNumberSlider
from .picture import PictureBox
from .table import TableBox
from .tool import Tool, labelled

if TYPE_CHECKING:
    from lvkit.estimation.family_posterior import FamilyPosterior
    from lvkit.fit.fit import Fit


_TABS = ("Loadings", "Correlations", "Families", "Two families")


def interpret_skills(
    fit: Fit, *, families: Sequence[str] | None = None, raise_on_exception: bool = False
) -> SkillReading:
    """Return a widget that shows what the skills of a fit are, and lets you change the anchors.

    Parameters
    ----------
    fit : Fit
        The fitted model.
    families : sequence of two str, optional
        The families that are marked and compared at first; None takes the two with most scores.
    raise_on_exception : bool
        Whether errors of callbacks are raised as well as said in the widget.

    Returns
    -------
    SkillReading
        With ``fit``, read through the anchors chosen, and ``posterior`` for the next cell.

    Raises
    ------
    LvkitError
        If this is no fit, or a family was not fitted.

    Examples
    --------
    >>> import lvkit as lv
    >>> panel = lv.load_leaderboard().complete().select(benchmarks=["mmlu", "arc", "gsm8k"])
    >>> anchors = {"knowledge": "mmlu", "maths": "gsm8k"}
    >>> fit = lv.LatentSkillModel(anchors=anchors, features="log_params").fit(panel)
    >>> widget = interpret_skills(fit)
    >>> widget.anchors[0].value = "arc"
    >>> widget.fit.anchors, bool(widget.fit.loglik == fit.loglik)
    ({'arc_skill': 'arc', 'maths': 'gsm8k'}, True)
    """
    from lvkit.fit.fit import Fit

    if not isinstance(fit, Fit):
        raise LvkitError(
            f"got a {type(fit).__name__}", where="argument 'fit'", expected="a Fit",
            remedy="Make one with LatentSkillModel(...).fit(panel), or take widget.fit of "
            "choose_skills when it is there.",
        )  # fmt: skip
    first = list(known_families(fit, 2).index) if families is None else list(families)
    return SkillReading(fit, checked_names(first, fit.families), raise_on_exception)


class SkillReading(Tool):
    """What :func:`interpret_skills` returns.

    Attributes
    ----------
    fit : Fit
        The fit, read through the anchors that are chosen.
    anchors : list of ipywidgets.Dropdown
        A menu of benchmarks for each skill.
    suggest_button, restore_button : ipywidgets.Button
        Take the anchors that lvkit suggests; take those that the fit came with.
    tab : ipywidgets.Tab
        Loadings, correlations, families, two families; only the one that is open is drawn.
    errors, skill : ipywidgets
        Whether to show error bars of the loadings, and of which skill.
    across, up, marked, top : ipywidgets
        Skills along the axes, families to mark, and how many to draw.
    one, other : ipywidgets.Dropdown
        The two families that are compared.
    pictures : list of PictureBox
        One for each tab.
    table : TableBox
        The comparison of two families.
    """

    def __init__(self, fit: Fit, families: Sequence[str], raise_on_exception: bool) -> None:
        super().__init__(
            "What are the skills?",
            "A skill is read by its anchor, the benchmark that rests on it alone. Choose other "
            "anchors: nothing is fitted again, the likelihood stays as it is.",
            raise_on_exception=raise_on_exception,
        )
        self.fit = self._first = fit
        self._errors_shown = False
        self._posteriors: dict[tuple[tuple[str, str], ...], FamilyPosterior] = {}
        self.pictures, self.table = [PictureBox() for _ in _TABS], TableBox()
        self._add_anchor_menus()
        self._add_loading_controls()
        self._add_family_controls(families)
        self._arrange()
        self._listen()
        self._name_skills()
        self._draw()
        self._say_limits()

    @property
    def posterior(self) -> FamilyPosterior | None:
        """Draws from the families' posterior through these anchors; None if not asked for yet."""
        return self._posteriors.get(tuple(self.fit.anchors.items()))

    # -- controls -------------------------------------------------------------------------------

    def _add_anchor_menus(self) -> None:
        labels = benchmark_labels(self.fit.panel)
        options = [(labels[name], name) for name in self.fit.benchmarks]
        self.anchors = [
            labelled(
                ipywidgets.Dropdown, f"Anchor {number}", f"the benchmark by which skill {number} "
                "is read", options=options, value=benchmark, layout={"width": "auto"},
            )
            for number, benchmark in enumerate(self.fit.anchors.values(), start=1)
        ]  # fmt: skip
        self.suggest_button = labelled(
            ipywidgets.Button, "Suggest anchors", "take the anchors that make skills most readable",
            icon="lightbulb-o",
        )  # fmt: skip
        self.restore_button = labelled(
            ipywidgets.Button, "First anchors", "take the anchors that the fit came with",
            icon="undo",
        )  # fmt: skip
        self.controls.children = [*self.anchors, self.suggest_button, self.restore_button]

    def _add_loading_controls(self) -> None:
        self.errors = labelled(
            ipywidgets.Checkbox, "Error bars",
            "show standard errors, or one skill's intervals; the first time takes a moment",
            indent=False,
        )  # fmt: skip
        self.skill = labelled(
            ipywidgets.Dropdown, "Of", "whose error bars to show", options=[("all skills", "")],
            disabled=True,
        )  # fmt: skip

    def _add_family_controls(self, families: Sequence[str]) -> None:
        known = [str(name) for name in known_families(self._first).index]
        names = sorted(known)
        menu = ipywidgets.Dropdown
        self.across = labelled(menu, "Across", "the skill from left to right")
        self.up = labelled(menu, "Up", "the skill from bottom to top")
        self.marked = labelled(
            ipywidgets.SelectMultiple, "Mark", "families to mark, several with Ctrl or Shift",
            options=names, value=list(families), rows=5,
        )  # fmt: skip
        self.top = labelled(
            WholeNumberSlider, "How many", "how many families, those with the most scores",
            min=1, max=len(names), value=min(TOP_FAMILIES, len(names)),
        )  # fmt: skip
        pair = [*families, *(name for name in known if name not in families)][:2]
        self.one = labelled(menu, "Compare", "a family", options=names, value=pair[0])
        self.other = labelled(menu, "with", "another family", options=names, value=pair[-1])

    def _arrange(self) -> None:
        loadings, correlations, families, two = self.pictures
        tabs = [
            [_row(self.errors, self.skill), loadings],
            [correlations],
            [_row(self.across, self.up, self.top, self.marked), families],
            [_row(self.one, self.other, self.across, self.up), two, self.table],
        ]
        self.tab = ipywidgets.Tab([ipywidgets.VBox(each) for each in tabs], titles=_TABS)
        self.body.children = [self.tab]

    def _listen(self) -> None:
        for menu in self.anchors:
            self.on(menu, "value", lambda _: self._reanchor())
        self.on_click(self.suggest_button, lambda _: self._suggest())
        self.on_click(self.restore_button, lambda _: self._choose(self._first.anchors.values()))
        drawn = [self.errors, self.skill, self.across, self.up, self.marked, self.top]
        for control in [*drawn, self.one, self.other]:
            self.on(control, "value", lambda _: self._draw())
        self.on(self.tab, "selected_index", lambda _: self._draw())

    def _say_limits(self) -> None:
        """Disable what this fit cannot answer, and say why."""
        told = []
        if not self.fit.converged:
            self.errors.disabled = True
            told.append(f"The fit did not converge ({self.fit.message}): it has no error bars.")
        if self.fit.model.family_slopes is not None:
            for control in (*self.anchors, self.suggest_button, self.restore_button):
                control.disabled = True
            told.append("Its family slopes are tied to the anchors: to change them, fit again.")
        if told:
            self.notice.warn(" ".join(told))

    # -- anchors --------------------------------------------------------------------------------

    def _reanchor(self) -> None:
        """Show the fit through the anchors in the menus."""
        self._read()
        self._name_skills()
        self._draw()

    def _read(self) -> None:
        """Read the fit through the anchors in the menus; where they are refused nothing changes."""
        chosen = [menu.value for menu in self.anchors]
        anchors = named_anchors(self._first.anchors, chosen, self._first.benchmarks)
        same = anchors == self._first.anchors
        self.fit = self._first if same else self._first.reanchor(anchors)

    def _choose(self, benchmarks: Any) -> None:
        """Set the menus, then read the fit through them."""
        with self.quiet():
            for menu, benchmark in zip(self.anchors, benchmarks, strict=True):
                menu.value = benchmark
        self._reanchor()

    def _suggest(self) -> None:
        """Take the anchors that lvkit suggests, and say why."""
        suggested = self._first.suggest_anchors(1)
        self._choose(suggested.best.values())
        labels = benchmark_labels(self.fit.panel)
        names = listed(labels[name] for name in suggested.best.values())
        self.notice.say(f"lvkit suggests {names}: {suggested.table['reason'].iloc[0]}.")

    def _name_skills(self) -> None:
        """Offer the skills by their names in the menus, each chosen one in its place."""
        skills = list(self.fit.skills)
        last = min(1, len(skills) - 1)
        with self.quiet():
            for menu, begin in ((self.skill, 0), (self.across, 0), (self.up, last)):
                place = begin if menu.index is None else menu.index
                first = [("all skills", "")] if menu is self.skill else []
                menu.options = [*first, *((skill, skill) for skill in skills)]
                menu.index = place

    # -- pictures -------------------------------------------------------------------------------

    def _draw(self) -> None:
        """Draw the tab that is open."""
        place = self.tab.selected_index or 0
        self.skill.disabled = not self.errors.value
        view = (self._loadings, self._correlations, self._families, self._pair)[place]()
        if view is None:
            self.pictures[place].clear()
        else:
            self._show(place, view)

    def _show(self, place: int, view: views.View) -> None:
        self.pictures[place].show(
            view.paint, alt=view.alt, size=None, keep=view.keep, room=view.room
        )

    def _loadings(self) -> views.View:
        if not self.errors.value:
            return views.loadings_view(self.fit)
        if not self._errors_shown:
            first = views.loadings_view(self.fit)
            if self.pictures[0].alt != first.alt:
                self._show(0, first)
            _ = self._first.curvature  # measured once, and handed over to other anchors
            self._read()
            self._errors_shown = True
        return views.loadings_view(self.fit, errors=True, skill=self.skill.value or None)

    def _correlations(self) -> views.View:
        return views.correlation_view(self.fit)

    def _families(self) -> views.View:
        skills = (self.across.value, self.up.value)
        return views.map_view(self.fit, skills, families=self.marked.value, top=self.top.value)

    def _pair(self) -> views.View | None:
        """Compare two families in the table and, on two skills, in a picture."""
        one, other, skills = self.one.value, self.other.value, (self.across.value, self.up.value)
        post = self._drawn_posterior()
        frame = views.compared(post, one, other)
        self.table.show(
            frame, caption="Differences in standard deviations among families, with 95 % intervals",
            file="comparison.csv", formats=dict.fromkeys(frame.columns[1:], ".2f"),
        )  # fmt: skip
        return views.pair_view(post, one, other, skills) if len(post.skills) > 1 else None

    def _drawn_posterior(self) -> FamilyPosterior:
        """Return draws through these anchors, made once."""
        key = tuple(self.fit.anchors.items())
        if key not in self._posteriors:
            self._posteriors[key] = self.fit.sample_families()
        return self._posteriors[key]


def named_anchors(
    first: Mapping[str, str], benchmarks: Sequence[str], taken: Sequence[str]
) -> dict[str, str]:
    """Name the skills of chosen anchors: as the fit had them, or by lvkit's automatic names.

    Parameters
    ----------
    first : mapping of str to str
        Skill name to anchor benchmark, as the fit came.
    benchmarks : sequence of str
        The anchors that are chosen.
    taken : sequence of str
        Names that no further skill may have: those of all benchmarks.

    Raises
    ------
    LvkitError
        If a benchmark is chosen twice.

    Examples
    --------
    >>> first, taken = {"maths": "gsm8k", "reading": "race"}, ["gsm8k", "mmlu", "race"]
    >>> named_anchors(first, ["mmlu", "gsm8k"], taken)
    {'mmlu_skill': 'mmlu', 'maths': 'gsm8k'}
    """
    twice = [name for name in dict.fromkeys(benchmarks) if list(benchmarks).count(name) > 1]
    if twice:
        raise LvkitError(
            f"'{twice[0]}' anchors {list(benchmarks).count(twice[0])} skills", where="anchors",
            expected="a different benchmark for each skill",
        )  # fmt: skip
    old = {benchmark: skill for skill, benchmark in first.items()}
    kept = {old[benchmark] for benchmark in benchmarks if benchmark in old}
    automatic = automatic_names(benchmarks, {*taken, *kept})
    return {old.get(benchmark, name): benchmark for name, benchmark in automatic.items()}


def _row(*controls: Any) -> Any:
    return ipywidgets.Box(controls, layout={"flex_flow": "row wrap", "align_items": "center"})
