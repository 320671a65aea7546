"""Families: taken from the models' names where a table does not say, and each of one lineage.

A family is a recipe: the models that share it differ in size (and perhaps in training tokens) and
in nothing else. Names follow that idea closely, so the simplest rule is also a good one: the family
is the name without its size. Base and chat variants keep different names and so become different
families, which is what the model wants, because a chat variant is another recipe. Families that
are relatives form a lineage. A family has one lineage, or else hold-out tests, which hold lineages
out, would leave half of it where the other half is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lvkit.data.model_names import without_size


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
    ``17B-16E``. :mod:`lvkit.data.model_names` has the rule.
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


def strays(
    families: Sequence[str],
    lineages: Sequence[str],
    names: Sequence[str],
    place: Callable[[int, str], str],
) -> list[tuple[int, str]]:
    """Return the rows whose lineage is not that of their family's first row, with what is seen.

    Parameters
    ----------
    families, lineages, names : sequence of str
        Of each row; the family of a row that has none is "".
    place : callable
        Says where a row stands, from its number and its model's name.

    Returns
    -------
    list of (int, str)

    Examples
    --------
    >>> def at(row, name):
    ...     return f"line {row + 2}, model '{name}'"
    >>> strays(["yi", "yi"], ["yi", "llama"], ["yi-6b", "yi-9b"], at)
    [(1, "got lineage 'llama' for family 'yi', which is of lineage 'yi' in line 2, model 'yi-6b'")]
    """
    first: dict[str, int] = {}
    out = []
    for row, (family, lineage) in enumerate(zip(families, lineages, strict=True)):
        before = first.setdefault(family, row)
        if family and lineage != lineages[before]:
            there = f"which is of lineage '{lineages[before]}' in {place(before, names[before])}"
            out.append((row, f"got lineage '{lineage}' for family '{family}', {there}"))
    return out
