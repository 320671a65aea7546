"""The panel explored: read a file, see what is in it and what is wrong, filter it, look at it.

The embedded leaderboard, the user's panel and files that are uploaded stand in one menu. A file
that cannot be used is reported with all its problems, and the panel before stays. The options for
reading belong to one file: the next upload starts without them. What the filters leave is
``widget.panel``, for the next cell.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import ipywidgets

from lvkit import plots
from lvkit.data.panel import Panel, benchmark_labels
from lvkit.data.read import CheckReport, check_file, check_panel, load_leaderboard
from lvkit.errors import LvkitError
from lvkit.plots.panel import describe_missing, describe_scores

from .picture import PictureBox
from .tool import Tool, labelled, paragraph

_EMBEDDED = "embedded leaderboard"
_YOURS = "your panel"
_VIEWS = (
    ("score against size", "params_b"),
    ("score against tokens", "tokens_t"),
    ("missing scores", "missing"),
)
_SCORES_SIZE = (7.8, 4.2)
_MISSING_WIDTH = 8.4
_COLOURED = 6  # families; each takes its share of the time to draw
_WIDE = {"width": "auto", "flex": "1 1 240px", "min_width": "230px"}


class _Options(NamedTuple):
    """How a file is read: where its families are, chance levels as text, and whether rows drop."""

    rule: str | None = None
    chances: str = ""
    drop: bool = False


class _Upload(NamedTuple):
    """A file as it came."""

    name: str
    content: bytes


class PanelTool(Tool):
    """The widget that :func:`explore_panel` returns.

    Attributes
    ----------
    panel : Panel or None
        What the filters leave of the data; None where they leave nothing.
    report : CheckReport
        What was read last, and what is wrong with it.
    picture : PictureBox
        The picture.
    """

    def __init__(self, panel: Panel | None, raise_on_exception: bool) -> None:
        super().__init__(
            "Explore scores",
            "Choose data or upload a file (CSV or Parquet), keep some families and benchmarks, and "
            "look at the scores: against size, against training tokens, or where there are none.",
            raise_on_exception=raise_on_exception,
        )
        self._held: dict[str, CheckReport] = {} if panel is None else {_YOURS: _report(panel)}
        self._upload: _Upload | None = None
        self._uploads: dict[str, tuple[_Upload, _Options]] = {}
        self.panel: Panel | None = None
        self.picture = PictureBox()
        self._words = ipywidgets.HTML()
        self._found = ipywidgets.HTML(layout={"max_height": "300px", "overflow": "auto"})
        self._make_controls()
        self.call(self._take, next(iter(self._held), _EMBEDDED))

    def _make_controls(self) -> None:
        sources = [*self._held, _EMBEDDED]
        self._source = labelled(
            ipywidgets.Dropdown, "Data", "which scores to look at", options=sources
        )
        self._file = labelled(
            ipywidgets.FileUpload, "Upload", "a CSV or Parquet file of yours, one row per model",
            accept=".csv,.parquet,.pq", multiple=False,
        )  # fmt: skip
        self._rule = labelled(
            ipywidgets.Dropdown, "Families from", "where an uploaded file says a model's family",
            options=[("the column 'family'", None), ("the model's name", "from_name")],
        )  # fmt: skip
        self._chances = labelled(
            ipywidgets.Text, "New benchmarks",
            "benchmarks lvkit does not know, with the score of guessing: chess = 0.25, essay = 0",
            placeholder="chess = 0.25, essay = 0", continuous_update=False,
        )  # fmt: skip
        self._drop = labelled(
            ipywidgets.Checkbox, "Leave out rows that cannot be used",
            "read an uploaded file without its faulty rows", indent=False,
        )  # fmt: skip
        self._make_filters()
        self.controls.children = (self._source, self._file)
        reading = ipywidgets.Box(
            [self._rule, self._chances, self._drop], layout={"flex_flow": "row wrap"}
        )
        filters = ipywidgets.Box(
            [self._families, self._benchmarks], layout={"flex_flow": "row wrap"}
        )
        rest = ipywidgets.Box([self._complete, self._all], layout={"flex_flow": "row wrap"})
        look = ipywidgets.Box([self._view, self._score], layout={"flex_flow": "row wrap"})
        self.body.children = (
            reading, self._found, filters, rest, look, self.picture, self._words,
        )  # fmt: skip
        self._connect()

    def _make_filters(self) -> None:
        keep = "; Ctrl or Shift with the arrow keys or the mouse for several"
        self._families = labelled(
            ipywidgets.SelectMultiple, "Families", f"families to keep{keep}", rows=7, layout=_WIDE
        )
        self._benchmarks = labelled(
            ipywidgets.SelectMultiple, "Benchmarks", f"benchmarks to keep{keep}", rows=7,
            layout=_WIDE,
        )  # fmt: skip
        self._complete = labelled(
            ipywidgets.Checkbox, "Complete models only", "keep models with every score measured",
            indent=False,
        )  # fmt: skip
        self._all = labelled(ipywidgets.Button, "Keep all", "take all filters away", icon="undo")
        self._view = labelled(ipywidgets.ToggleButtons, "Show", "what to draw", options=_VIEWS)
        self._view.style.button_width = "auto"
        self._score = labelled(ipywidgets.Dropdown, "Benchmark", "whose scores to draw")

    def _connect(self) -> None:
        self.on(self._source, "value", lambda change: self._choose(change.new))
        self.on(self._file, "value", lambda change: self._receive(change.new))
        for control in (self._rule, self._chances, self._drop):
            self.on(control, "value", lambda _: self._read())
        for control in (self._families, self._benchmarks, self._complete):
            self.on(control, "value", lambda _: self._filter())
        for control in (self._view, self._score):
            self.on(control, "value", lambda _: self._draw())
        self.on_click(self._all, lambda _: self._keep_all())

    def _receive(self, files: Sequence[Any]) -> None:
        """Take the file that was uploaded; options that were set for the one before are reset."""
        if not files:
            return
        stale = self._upload is not None and self._options != _Options()
        if stale:
            self._set_options(_Options())
        self._upload = _Upload(files[0]["name"], bytes(files[0]["content"]))
        reset = "The options of the previous upload were reset." if stale else ""
        self._read(reset)

    def _choose(self, name: str) -> None:
        """Explore other data; the options are those of the file that is chosen."""
        self._upload, options = self._uploads.get(name, (None, _Options()))
        self._set_options(options)
        self._take(name)

    @property
    def _options(self) -> _Options:
        """The options for reading, as the controls stand."""
        return _Options(self._rule.value, self._chances.value, self._drop.value)

    def _set_options(self, options: _Options) -> None:
        with self.quiet():
            self._rule.value, self._chances.value, self._drop.value = options

    def _read(self, reset: str = "") -> None:
        """Read the upload as the controls say; a file with problems changes nothing else."""
        if self._upload is None:
            self.notice.say("This option applies only to uploaded files. Upload a file first.")
            return
        name, content = self._upload
        report = check_file(
            name, family=self._rule.value, benchmarks=told_chances(self._chances.value),
            drop_invalid=self._drop.value, content=content,
        )  # fmt: skip
        self._tell(report)
        if not report.ok:
            remedy = "Fix them and upload the file again; your previous data are kept."
            raise LvkitError(
                f"the file cannot be used; {_problems_listed(report)} listed below",
                where=name, remedy=f"{remedy} {reset}".strip(),
            )  # fmt: skip
        self._held = {**self._held, name: report}
        self._uploads = {**self._uploads, name: (self._upload, self._options)}
        with self.quiet():
            self._source.options = [*self._held, *([] if _EMBEDDED in self._held else [_EMBEDDED])]
            self._source.value = name
        if reset:
            self.notice.say(reset)
        self._take(name)

    def _take(self, name: str) -> None:
        """Explore the data of that name, without filters."""
        if name not in self._held:
            self._held = {**self._held, name: _report(load_leaderboard(), name)}
        self._tell(self._held[name])
        self._take_possible_view()
        self._keep_all()

    def _tell(self, report: CheckReport) -> None:
        self.report = report
        self._found.value = paragraph(str(report))

    def _take_possible_view(self) -> None:
        """Show sizes where the picture of the data before cannot be drawn of these data."""
        view = self._view.value
        if not any(_can_draw(self._whole, view, name) for name in self._whole.scores):
            label = next(label for label, value in _VIEWS if value == view)
            with self.quiet():
                self._view.value = "params_b"
            self.notice.say(f"{self.notice.text} These data cannot show '{label}'.".strip())

    @property
    def _whole(self) -> Panel:
        """The data that are chosen, before any filter."""
        panel = self._held[self._source.value].panel
        assert panel is not None  # only good files are held
        return panel

    def _keep_all(self) -> None:
        """Take all filters away."""
        whole, labels = self._whole, benchmark_labels(self._whole)
        names = [(label, name) for name, label in labels.items()]
        with self.quiet():
            # Unselect first: a browser that has the old choice for the new options stumbles.
            self._families.value, self._benchmarks.value = (), ()
            self._families.options = whole.families
            self._families.value = whole.families
            self._benchmarks.options = names
            self._benchmarks.value = tuple(labels)
            self._complete.value = False
        self._filter()

    def _filter(self) -> None:
        """Keep what the filters say, and draw it."""
        self.panel = None
        self.picture.clear()
        self._words.value = ""
        self.panel = filtered(
            self._whole, self._families.value, self._benchmarks.value, self._complete.value
        )
        labels, chosen = benchmark_labels(self.panel), self._score.value
        with self.quiet():
            self._score.options = [(label, name) for name, label in labels.items()]
            drawn = [n for n in (chosen, *labels) if _can_draw(self.panel, self._view.value, n)]
            self._score.value = next(iter([*drawn, *labels]))
        self._draw()

    def _draw(self) -> None:
        """Draw what the filters leave."""
        if self.panel is None:
            raise LvkitError("there is nothing to draw", remedy="Press 'Keep all'.")
        view, score = self._view.value, self._score.value
        self._score.disabled = view == "missing"
        try:
            words, paint, size, room = _picture(self.panel, view, score)
            kind = "missing" if view == "missing" else "scores"
            self.picture.show(paint, alt=words, size=size, keep=kind, room=room)
        except LvkitError:
            self.picture.clear()
            self._words.value = ""
            raise
        self._words.value = paragraph(words)


def explore_panel(panel: Panel | None = None, *, raise_on_exception: bool = False) -> PanelTool:
    """Return the widget that reads, filters and shows scores.

    Parameters
    ----------
    panel : Panel, optional
        Scores to begin with; None begins with the embedded leaderboard. Files can be uploaded.
    raise_on_exception : bool
        Whether errors of callbacks are raised as well as shown.

    Returns
    -------
    PanelTool
        With ``panel``, what the filters leave, and ``report``, what was read last.

    Raises
    ------
    LvkitError
        If `panel` is no panel.

    Examples
    --------
    >>> widget = explore_panel()
    >>> widget.panel
    <Panel: 197 models in 71 families, 12 benchmarks, 1,680 scores>
    >>> widget.picture.alt.startswith("Scores of 163 models on MMLU")
    True
    """
    if not isinstance(panel, Panel | None):
        raise LvkitError(
            f"got a {type(panel).__name__}", where="explore_panel", expected="a Panel or None",
            remedy="Read files with lvkit.read_panel, or upload them in the widget.",
        )  # fmt: skip
    return PanelTool(panel, raise_on_exception)


def filtered(
    panel: Panel, families: Sequence[str], benchmarks: Sequence[str], complete: bool
) -> Panel:
    """Return what filters leave of a panel.

    Raises
    ------
    LvkitError
        If nothing is left, with what to do.

    Examples
    --------
    >>> filtered(load_leaderboard(), ["qwen2"], ["mmlu", "bbh"], complete=False)
    <Panel: 4 models in 1 family, 2 benchmarks, 8 scores>
    """
    for names, what in ((families, "family"), (benchmarks, "benchmark")):
        if not names:
            raise LvkitError(
                f"no {what} is chosen, so nothing is left",
                remedy=f"Choose at least one {what}, or press 'Keep all'.",
            )
    some = panel.select(families=families, benchmarks=benchmarks)
    return some.complete() if complete else some


def told_chances(text: str) -> dict[str, float] | None:
    """Return what a line of text says about benchmarks: their names and chance levels.

    Raises
    ------
    LvkitError
        For a part that is not a name, an equals sign and a number.

    Examples
    --------
    >>> told_chances("chess = 0.25, essay=0")
    {'chess': 0.25, 'essay': 0.0}
    >>> told_chances(" ") is None
    True
    """
    chances = {}
    for part in filter(None, map(str.strip, text.split(","))):
        name, _, number = part.rpartition("=")
        try:
            chances[name.strip()] = float(number)
        except ValueError:
            name = ""
        if not name.strip():
            raise LvkitError(
                f"got '{part}'", where="New benchmarks",
                expected="a name and the score of guessing, such as chess = 0.25",
            )  # fmt: skip
    return chances or None


def _report(panel: Panel, name: str = _YOURS) -> CheckReport:
    return check_panel(panel, name)


def _problems_listed(report: CheckReport) -> str:
    count = len(report.problems)
    return "its problem is" if count == 1 else f"its {count} problems are"


def _can_draw(panel: Panel, view: str, benchmark: Any) -> bool:
    """Return whether a view of a benchmark has a score to show."""
    if benchmark not in panel.scores or view == "missing":
        return benchmark in panel.scores
    return view in panel.models and bool(
        (panel.scores[benchmark].notna() & panel.models[view].notna()).any()
    )


def _picture(
    panel: Panel, view: str, benchmark: str
) -> tuple[str, Callable[[Any], object], tuple[float, float], object]:
    """Return the words, the drawing and the size of a view, and what its names take room for."""
    if view == "missing":
        size = (_MISSING_WIDTH, 1.6 + 0.24 * panel.n_benchmarks)
        return (
            describe_missing(panel),
            lambda ax: plots.plot_missing(panel, ax=ax),
            size,
            panel.digest,
        )
    bright = _largest(panel)
    return (
        describe_scores(panel, benchmark, against=view),
        lambda ax: plots.plot_scores(panel, benchmark, against=view, families=bright, ax=ax),
        _SCORES_SIZE,
        bright,
    )


def _largest(panel: Panel) -> tuple[str, ...]:
    """Return the families with most scores, to be coloured for whatever benchmark is drawn."""
    scores = panel.scores.notna().sum(axis=1).groupby(panel.models["family"], sort=False).sum()
    return tuple(map(str, scores.nlargest(_COLOURED).index))
