"""Names of models: the sizes that they state, and the families that follow from them.

Most names state the number of parameters, and mixtures of experts often state how many of them are
active: ``34b``, ``8x7b``, ``30B-A3B``. One rule reads them all. It is used to find the unit of a
column of sizes (:mod:`lvkit.data.sizes`), to report a size that contradicts the name, and to name
families: models of one recipe that differ only in size (and perhaps in training tokens), so that
the family is the name without its size. Base and chat variants keep different names and so become
different families, as the model wants it: a chat variant is another recipe.
"""

from __future__ import annotations

import math
import re
from typing import NamedTuple

# 34b, 1.5b, 560m, 1.5t, 8x22b, 70bx2, and the unit inside the number: 1b1, 7b1. A number may follow
# a word directly (opt125m), but not a single letter: v2b is none.
_TOTAL = re.compile(
    r"(?P<experts>\d+[xX])?(?P<number>\d+(?:[._]\d+)?)(?P<unit>[bB]\d{1,2}|[bBmMtT])"
    r"(?P<copies>[xX]\d+)?(?![a-zA-Z0-9])"
)
_ACTIVE = re.compile(r"[aAeE](\d+(?:\.\d+)?)([bBmM])(?![a-zA-Z0-9])")
_EXPERTS = re.compile(r"[-_ ]\d+[eE](?![a-zA-Z0-9])")  # 17B-16E: 16 experts
_BILLIONS = {"b": 1.0, "m": 1e-3, "t": 1e3}
_SEPARATORS = "-_ ."
_FEW_MILLIONS = 0.01
_PAIR = 10.0


class NamedSize(NamedTuple):
    """The size that a name states, in billions of parameters.

    Attributes
    ----------
    total : float
        All parameters; NaN where the name does not say.
    active : float
        The active (or effective) parameters of a mixture of experts; NaN where it does not say.
    low, high : float
        The range that agrees with the name, after rounding and with a tolerance of a quarter; NaN
        where the name states no size, or states one that can be read in two ways.
    """

    total: float = math.nan
    active: float = math.nan
    low: float = math.nan
    high: float = math.nan


def size_in_name(name: str) -> NamedSize:
    """Return the size that a model's name states.

    Parameters
    ----------
    name : str
        The model's name; an organisation in front of a slash is not looked at.

    Returns
    -------
    NamedSize
        NaN throughout where the name states no size. Of several sizes the first is the model's: the
        others are numbers of tokens or of context (``1.1b-...-3t``).

    Notes
    -----
    ``30B-A3B`` has 30 billion parameters, 3 of them active; so does a small size followed by a
    larger one (``1B-7B``). In ``A2.7B``, ``E4B`` and ``17B-16E`` (16 experts) only the active or
    effective size is stated. ``8x7b`` counts as at most 56, because experts share parameters.
    After an underscore, ``2_7b`` is read as version 2 with 7 billion, and after anything else as
    2.7 billion (``stablelm-2-1_6b``).

    Examples
    --------
    >>> size_in_name("org/Owl3-30B-A3B-Base")[:2]
    (30.0, 3.0)
    >>> size_in_name("bloom-560m").total, size_in_name("bloom-7b1").total
    (0.56, 7.1)
    >>> size_in_name("phi-3.5-mini-4bit-128k").total
    nan
    """
    return _read(str(name).rpartition("/")[2])[0]


def without_size(name: str) -> str:
    """Return a model's name, or the part behind its slash, without the size; the case stays.

    The number of experts in ``8x7b`` stays as ``8x``. A name that is only a size stays as it is.

    Examples
    --------
    >>> without_size("Owl3-30B-A3B-Base"), without_size("mixtral-8x7b-v0.1"), without_size("7B")
    ('Owl3-Base', 'mixtral-8x-v0.1', '7B')
    """
    short = str(name)
    for start, stop, experts in sorted(_read(short)[1], reverse=True):
        before, after = short[:start], short[stop:]
        joint = before[-1:] if before[-1:] in _SEPARATORS else "-"
        pieces = [before.rstrip(_SEPARATORS), experts, after.lstrip(_SEPARATORS)]
        short = (joint or "-").join(piece for piece in pieces if piece) or short
    return short


def family_from_name(name: str) -> str:
    """Return a model's name without its size, in lower case: its family.

    Parameters
    ----------
    name : str
        The model's name. An organisation in front of a slash stays, because the same name under two
        organisations is two recipes more often than one.

    Returns
    -------
    str
        The family. A name that holds no size is its own family, and so is a name that is nothing
        but a size.

    Notes
    -----
    A size is a part of the name on its own: ``34b``, ``1.5b``, ``1_6b``, ``560m``, ``8x22b`` (the
    number of experts stays: ``8x``), and ``1b5`` for 1.5 billion; the first one is left out. The
    active size of a mixture of experts is left out with it: ``30B-A3B``, ``A2.7B``, ``E4B``,
    ``17B-16E``.

    On the embedded table the rule gives 186 of the 197 models the very family of the table, and 192
    of them the same companions. The five others are GPT-J, GPT-Neo and GPT-NeoX, which the table
    counts as one family and no rule on names could. A size in words (``gpt2-large``) is beyond the
    rule too; for such names give a mapping from model to family.

    Examples
    --------
    >>> family_from_name("yi-1.5-34b-chat")
    'yi-1.5-chat'
    >>> family_from_name("BigScience/bloom-1b1")
    'bigscience/bloom'
    >>> family_from_name("mixtral-8x7b-v0.1")
    'mixtral-8x-v0.1'
    >>> family_from_name("org/Owl3-30B-A3B"), family_from_name("org/Owl3-235B-A22B")
    ('org/owl3', 'org/owl3')
    """
    whole = str(name).strip().lower()
    organisation, slash, short = whole.rpartition("/")
    return organisation + slash + without_size(short)


def _read(short: str) -> tuple[NamedSize, list[tuple[int, int, str]]]:
    """Return the size in a name, and where it stands: start, end, and the experts to keep."""
    active = next((m for m in _ACTIVE.finditer(short) if _begins_a_part(short, m.start())), None)
    first, second = _totals(short)
    if first is None:
        if active is None:
            return NamedSize(), []
        effective = _billions(active[1], active[2])
        return _only_active(effective), [(*active.span(), "")]
    number, start, sure = _number(short, first)
    spans = [(start, first.end(), first["experts"] or "")]
    if first["experts"] or first["copies"]:
        times = float((first["experts"] or first["copies"]).strip("xX"))
        size = NamedSize(times * number, math.nan, *_range(number, times * number, first))
    elif active is not None:
        spans.append((*active.span(), ""))
        effective = _billions(active[1], active[2])
        size = NamedSize(number, effective, *_range(min(number, effective), number, first))
    elif experts := _EXPERTS.match(short, first.end()):
        spans = [(start, experts.end(), "")]
        size = _only_active(number)
    elif second is not None:
        spans = [(start, second.end(), "")]
        larger = _number(short, second)[0]
        size = NamedSize(larger, number, *_range(number, larger, second))
    else:
        size = NamedSize(number, math.nan, *_range(number, number, first))
    return size if sure else NamedSize(), spans


def _totals(short: str) -> tuple[re.Match[str] | None, re.Match[str] | None]:
    """Return the size in a name, and the total size right behind it if that is one (1B-7B)."""
    sizes: list[re.Match[str]] = []
    size = _TOTAL.search(short)
    while size is not None:
        start = size.start()
        after_a_word = start > 1 and short[start - 2 : start].isalpha()
        if whole := after_a_word or _begins_a_part(short, start):
            sizes.append(size)
        size = _TOTAL.search(short, size.end() if whole else start + 1)
    if not sizes:
        return None, None
    if len(sizes) > 1 and _number(short, sizes[0])[0] <= _FEW_MILLIONS:  # of context, of examples
        sizes = [s for s in sizes if s["unit"].lower() != "m"] or sizes
    first, *others = sizes
    if not others or first["experts"] or first["copies"]:
        return first, None
    then = others[0]
    ratio = _number(short, then)[0] / max(_number(short, first)[0], 1e-9)
    adjacent = then.start() == first.end() + 1 and not then["experts"]
    return first, then if adjacent and then["unit"].lower() != "t" and 1 < ratio <= _PAIR else None


def _begins_a_part(short: str, start: int) -> bool:
    """Return whether no letter, digit or decimal point stands before a position of a name."""
    return start == 0 or not (short[start - 1].isalnum() or short[start - 1] == ".")


def _number(short: str, size: re.Match[str]) -> tuple[float, int, bool]:
    """Return a total in billions, where it begins, and whether it can be read in one way only."""
    text, start = size["number"], size.start()
    sure = True
    if "_" in text:
        before = short[start - 1 : start]
        whole, _, rest = text.partition("_")
        if before == "_" or before.isalnum():
            start += len(whole) + 1 if not size["experts"] else 0
            text, sure = rest, len(rest) > 1 or whole == "0"
            if whole == "0":
                text, start = f"0.{rest}", size.start()
        text = text.replace("_", ".")
    elif short[start - 1 : start].isalpha() and start:
        sure = len(text) == 1 or "." in text or size["unit"].lower() == "m"
    value = _billions(text, size["unit"])
    return value, start, sure and value > _FEW_MILLIONS


def _billions(number: str, unit: str) -> float:
    if len(unit) > 1:  # 7b1 is 7.1 billion
        number, unit = f"{number}.{unit[1:]}", unit[0]
    return float(number) * _BILLIONS[unit.lower()]


def _only_active(active: float) -> NamedSize:
    """Return the size of a mixture of experts whose name leaves out the total."""
    return NamedSize(math.nan, active, 0.75 * active, 50.0 * active)


def _range(low: float, high: float, size: re.Match[str]) -> tuple[float, float]:
    """Return the sizes that agree with a name: rounded to its digits, then within a quarter."""
    text, unit = size["number"].replace("_", "."), size["unit"].lower()
    digits = len(text.partition(".")[2]) + len(unit) - 1
    half = 0.5 * 10.0**-digits * _BILLIONS[unit[0]]
    return 0.75 * max(low - half, 0.0), 1.25 * (high + half)
