"""Progress bars of long computations.

Long work takes ``progress=``. False shows nothing; True shows a bar that suits the place, text in a
terminal and a widget in a notebook; and a flavour of tqdm (a class such as ``tqdm.notebook.tqdm``,
or anything with its first arguments) shows that. The work itself does not know which: it asks for
`progress_bar` and calls ``update`` on what it gets.
"""

from __future__ import annotations

import warnings
from types import TracebackType
from typing import Any, Protocol

from lvkit.errors import LvkitError


class Progress(Protocol):
    """What a progress bar has to do; every flavour of tqdm does it."""

    def update(self, n: int = 1) -> Any:
        """Move on by `n` steps."""

    def set_postfix_str(self, s: str = "") -> Any:
        """Show a few words behind the bar."""

    def close(self) -> Any:
        """Leave the bar as it stands."""

    def __enter__(self) -> Any: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> Any: ...


class ProgressFlavour(Protocol):
    """Anything that makes a bar from tqdm's first arguments."""

    def __call__(self, *, total: int | None, desc: str) -> Progress:
        """Make a bar of `total` steps, with `desc` before it."""


ProgressChoice = bool | ProgressFlavour


class NoProgress:
    """The bar that shows nothing.

    Examples
    --------
    >>> with NoProgress() as bar:
    ...     bar.update(3)
    """

    def update(self, n: int = 1) -> None:
        """Show nothing."""

    def set_postfix_str(self, s: str = "") -> None:
        """Show nothing."""

    def close(self) -> None:
        """Show nothing."""

    def __enter__(self) -> NoProgress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def progress_bar(
    progress: ProgressChoice, *, total: int | None = None, label: str = ""
) -> Progress:
    """Make the bar that the user's ``progress=`` asks for.

    Parameters
    ----------
    progress : bool or tqdm class
        False: nothing is shown. True: the bar that suits a terminal or a notebook. A class: that.
    total : int, optional
        Number of steps; None when it is not known.
    label : str
        What is being done, shown before the bar.

    Returns
    -------
    Progress
        To be used in a ``with`` block, which closes it also when the work fails.

    Raises
    ------
    LvkitError
        If `progress` is none of these.

    Examples
    --------
    >>> with progress_bar(False, total=2, label="Fitting") as bar:
    ...     for _ in range(2):
    ...         bar.update()
    """
    if progress is False:
        return NoProgress()
    if progress is True:
        return _suitable_flavour()(total=total, desc=label)
    if not callable(progress):
        raise LvkitError(
            f"got {progress!r}",
            where="argument 'progress'",
            expected="False, True or a tqdm class",
            remedy="Use progress=True for a bar that suits the place.",
        )
    return progress(total=total, desc=label)


def _suitable_flavour() -> ProgressFlavour:
    """Return tqdm's choice for this place, without its advice to install widgets."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tqdm.auto import tqdm

    flavour: ProgressFlavour = tqdm
    return flavour
