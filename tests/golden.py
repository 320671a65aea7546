"""The wording of errors, warnings and sentences, in one file that a reviewer reads as a diff.

Tests check fields, names and numbers. Where the sentence itself matters, a test calls the fixture
`message` with it, and the sentence is compared with the test's entry in `tests/messages.yaml`::

    def test_a_level_is_a_probability(message):
        with refused("level", 95) as error:  # its place, and a value that it quotes
            check_level(95)
        message(error)

After the wording has changed, write the file anew and read its diff::

    pytest --update-messages             # without -n; or only some of the tests
    git diff tests/messages.yaml

An entry belongs to a test by the name of its file, without the folder, and the name of the test
with its parameters; where a file has been renamed, the test's name alone finds it. A test may
call `message` several times: its messages are kept in order. Values after the text are those it
must quote: ``message(text, f"{low:.2f}", "mmlu")``. Decimals and numbers from 100 may differ a
little, as between versions of numpy. The path of `tmp_path` is written as ``<folder>``, a table
in HTML as ``<table>``, a long hash as ``<hash>``. Whatever else differs from run to run (times,
versions, the words of another library) must not be part of a message.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from itertools import zip_longest
from pathlib import Path

import pytest

import lvkit as lv

Message = Callable[..., None]  # the fixture: message(text, *values that it quotes)
FILE = Path(__file__).with_name("messages.yaml")
HEADER = "# The wording that tests compare: see golden.py for how it is written.\n"


def read_messages(file: Path = FILE) -> dict[str, dict[str, list[str]]]:
    """The messages of each test of each file of tests."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast
    return yaml.load(file.read_text(encoding="utf-8"), loader) or {} if file.exists() else {}


class Name(str):
    """A key: the name of a test or of its file, on one line."""


def write_messages(messages: dict[str, dict[str, list[str]]], file: Path = FILE) -> None:
    """Write all messages in order of their tests' names, a line for each line, long ones folded."""
    import yaml

    class Dumper(yaml.SafeDumper):
        pass

    def block(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
        fold = len(text) > 90 and not re.search(r"^ |  | $|\n", text)
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=">" if fold else "|")

    Dumper.add_representer(str, block)
    Dumper.add_representer(Name, yaml.SafeDumper.represent_str)
    named = {}
    for path, tests in messages.items():
        if some := {Name(test): texts for test, texts in tests.items() if texts}:
            named[Name(path)] = some
    body = yaml.dump(named, Dumper=Dumper, allow_unicode=True, width=100) if named else ""
    file.write_text(HEADER + body, encoding="utf-8")


def defined_tests(folder: Path) -> dict[str, set[str]]:
    """The functions that each file of tests defines, by the file's name without its folder."""
    tests: dict[str, set[str]] = {}
    for path in sorted(folder.rglob("test_*.py")):
        names = re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.M)
        tests.setdefault(path.name, set()).update(names)
    return tests


def check_quoted(text: str, quoted: Iterable[object]) -> None:
    """Assert that a text quotes some values, each as a word or number of its own."""
    for value in quoted:
        assert re.search(rf"(?<!\w){re.escape(str(value))}(?!\w)", text), (value, text)


def parts(node_id: str) -> tuple[str, str]:
    """The name of the file, without its folder, and the name of the test in it."""
    path, _, test = node_id.partition("::")
    return Path(path).name, test


NUMBER = r"\d[\d,]*\.\d+(?:e\+?\d+)?|\d[\d,]{2,}"
SINGULAR = r"(?<=condition number )(?:inf|\d\.\d+e\+1\d)"  # of a matrix without an inverse
TINY = r"\d(?:\.\d+)?e-\d+"  # the last step of a search, for one: never the same twice


def same(before: str, now: str) -> bool:
    """Whether two texts are alike but for rounding: by 2% or one in the last digit at most.

    Decimals and whole numbers from 100 may differ, as they do between versions of numpy.
    """
    before, now = (re.sub(SINGULAR, "huge", text) for text in (before, now))
    before, now = (re.sub(TINY, "tiny", text) for text in (before, now))
    pairs = zip_longest(*(re.findall(NUMBER, text) for text in (before, now)), fillvalue="")
    return re.sub(NUMBER, "#", before) == re.sub(NUMBER, "#", now) and all(
        old == new or near(old.replace(",", ""), new.replace(",", "")) for old, new in pairs
    )


def near(old: str, new: str) -> bool:
    """Whether two numbers with as many decimals are the same but for rounding."""
    digits = [len(number.partition("e")[0].partition(".")[2]) for number in (old, new)]
    unit = 10.0 ** -digits[0] * float(f"1e{old.partition('e')[2] or 0}")
    close = abs(float(old) - float(new)) <= 0.02 * abs(float(old)) + 1.001 * unit
    return digits[0] == digits[1] and close


class Messages:
    """A plugin for pytest: the fixture `message`, and the messages written anew on demand."""

    def __init__(self, update: bool, file: Path = FILE) -> None:
        self.update, self.file = update, file
        self.heard: dict[str, list[str]] = {}  # by node id
        self.collected: list[str] = []
        self.whole = True  # no test of the files that run was left out

    @cached_property
    def stored(self) -> dict[str, dict[str, list[str]]]:
        """The messages of tests that exist, by the name that a test's file has now."""
        stored: dict[str, dict[str, list[str]]] = {}
        tests = defined_tests(self.file.parent)
        for path, entries in read_messages(self.file).items():
            for test, texts in entries.items():
                now = [new for new in tests if test.partition("[")[0] in tests[new]]
                if path in now or len(now) == 1:  # else it is gone
                    stored.setdefault(path if path in now else now[0], {})[test] = texts
        return stored

    @pytest.fixture
    def message(self, request: pytest.FixtureRequest) -> Message:
        """Compare an error, warnings or a text with the golden entry, and the values it quotes."""
        heard = self.heard[request.node.nodeid] = []

        def compare(text: object, *quoted: object) -> None:
            if isinstance(text, pytest.WarningsRecorder):
                text = "\n".join(dict.fromkeys(str(warning.message) for warning in text))
            text = text.value if isinstance(text, pytest.ExceptionInfo) else text
            shown = str(getattr(text, "message", text))  # of a recorded warning
            check_quoted(shown, quoted)
            shown = shown.encode("utf-8", "backslashreplace").decode("utf-8")  # half a character
            if "tmp_path" in request.fixturenames:
                shown = shown.replace(str(request.getfixturevalue("tmp_path")), "<folder>")
            shown = re.sub(r"(?s)(<style.*?</style>\s*)?<table.*?</table>", "<table>", shown)
            shown = re.sub(r"\b[0-9a-f]{32,}\b", "<hash>", shown)  # of versions, among others
            heard.append(shown)
            if not self.update:
                self.compare(request.node.nodeid, len(heard), shown)

        return compare

    def compare(self, node_id: str, number: int, shown: str) -> None:
        """Fail, with a diff, where a text is not the stored one."""
        __tracebackhide__ = True
        path, test = parts(node_id)
        stored = self.stored.get(path, {}).get(test, [])
        before = stored[number - 1] if number <= len(stored) else None
        if before is None or not same(before, shown):
            lines = difflib.ndiff((before or "").splitlines(), shown.splitlines())
            what = "has changed" if before is not None else "is not in messages.yaml"
            diff = "\n".join(line.rstrip("\n") for line in lines)
            pytest.fail(f"message {number} {what} (pytest --update-messages writes it):\n{diff}")

    def pytest_configure(self, config: pytest.Config) -> None:
        if self.update and config.getoption("numprocesses", None):
            raise pytest.UsageError("--update-messages runs in one process: leave out -n")
        self.whole = not any("::" in argument for argument in config.args)

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        self.whole = self.whole and not items

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.collected = [item.nodeid for item in session.items]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if not report.passed and self.update:  # a test that failed or was skipped keeps its entry
            self.heard.pop(report.nodeid, None)
        elif self.update and report.when == "call":
            self.heard.setdefault(report.nodeid, [])  # and one that calls `message` no more, none

    def pytest_sessionfinish(self) -> None:
        if self.update:
            write_messages(self.updated(), self.file)

    def updated(self) -> dict[str, dict[str, list[str]]]:
        """What was stored, with the messages of the tests that ran and without those gone."""
        files = Counter(path.name for path in self.file.parent.rglob("test_*.py"))
        ran = Counter(Path(path).name for path in {i.partition("::")[0] for i in self.collected})
        names = {parts(node_id) for node_id in self.collected}
        kept = {path: dict(tests) for path, tests in self.stored.items()}
        for path in kept:
            if self.whole and ran[path] == files[path]:
                kept[path] = {test: t for test, t in kept[path].items() if (path, test) in names}
        owner: dict[tuple[str, str], str] = {}
        for node_id, heard in sorted(self.heard.items(), key=lambda item: len(item[1])):
            path, test = parts(node_id)
            if heard and owner.setdefault((path, test), node_id) != node_id:
                raise pytest.UsageError(f"{node_id} and {owner[path, test]} need different names")
            before = kept.setdefault(path, {}).get(test, [])
            if heard or ran[path] == files[path]:  # else it may be a test of another file
                pairs = zip_longest(before[: len(heard)], heard, fillvalue="")
                kept[path][test] = [old if same(old, new) else new for old, new in pairs]
        return kept


@contextmanager
def refused(
    where: str | None = None, *quoted: object, kind: type[ValueError] = lv.LvkitError
) -> Iterator[pytest.ExceptionInfo]:
    """Expect an error at a place (the `where` of its first problem) that quotes some values."""
    with pytest.raises(kind) as error:
        yield error
    if where is not None:
        assert error.value.problems[0].where == where
    check_quoted(str(error.value), quoted)
