"""Formulas that try to run code: no way in, through any of the two checks and any entry point."""

from __future__ import annotations

import ast
import builtins
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from golden import Message, refused
from hypothesis import given, settings
from hypothesis import strategies as st

import lvkit as lv
from lvkit.cli.main import main
from lvkit.errors import LvkitError
from lvkit.fit import cache
from lvkit.model import design_matrix, formula
from lvkit.model.features import FeatureMap
from lvkit.model.formula import Code, as_name

CANARY = "__import__('pathlib').Path('CANARY').touch()"
TOUCH = "__import__('os').system('touch CANARY')"
EXPRESSIONS = (
    CANARY,
    TOUCH,
    "open('CANARY', 'w')",
    "exec('open(\"CANARY\", \"w\")')",
    f"log(a)({CANARY})",
    f"{CANARY}(1)(a)",
    "a.to_csv('CANARY')",
    "np.save('CANARY', a)",
    "np.lib.npyio.os.system('touch CANARY')",
    "a.__class__.__init__.__globals__['os'].system('touch CANARY')",
    "().__class__.__base__.__subclasses__()",
    "log.__self__",
    "[b for b in [open('CANARY', 'w')]]",
    "(lambda: open('CANARY', 'w'))()",
    "f'{open(\"CANARY\", \"w\")}'",
    "(b := open('CANARY', 'w'))",
    "a if open('CANARY', 'w') else a",
    "a == ('`' + str(open('CANARY', 'w')) + '`')",
    "a + 0 * log(1 + scale(a - a + ('`' + str(open('CANARY', 'w')) + '`' == 1)))",
    'a == ("`" + str(open("CANARY", "w")) + "`")',
    "poly(a, degree=open('CANARY', 'w'))",
    "poly(a, 2, _state=open('CANARY', 'w'))",
    "C(a, contrasts=open('CANARY', 'w'))",
    "Q(open('CANARY', 'w'))",
    "I(*[open('CANARY', 'w')])",
    "I(**{'data': open('CANARY', 'w')})",
    "ｏｐｅｎ('CANARY', 'w')",
    "`open`('CANARY', 'w')",
    "`a`.to_csv('CANARY')",
)  # fmt: skip
FORMULAS = (
    *(f"a + I({code})" for code in EXPRESSIONS),
    *("{" + code + "}" for code in EXPRESSIONS[:10]),
    f"{{{CANARY}(1)}} ~ a",  # formulaic would evaluate these two while it reads them
    f"Q({CANARY}) ~ a",
    f"a ~ {{{CANARY}}}",
    f"[{{{CANARY}(1)}} ~ a]",
    f"a | {{{CANARY}}}",
    f"a ** {{{CANARY}}}",
    f"`a` + I('`' + str({CANARY}) + '`')",
)

_RNG = np.random.default_rng(0)
MODELS = pd.DataFrame(
    {
        "params_b": _RNG.uniform(1, 9, 18),
        "a": _RNG.uniform(1, 9, 18),
        "b": _RNG.uniform(1, 9, 18),
        "log": _RNG.uniform(1, 9, 18),
        "my a": _RNG.uniform(1, 9, 18),
        "kind": ["dense", "moe", "other"] * 6,
    },
    index=[f"m{i}" for i in range(18)],
)

_ARMED: list[list[str]] = []
_EVENTS = ("exec", "import", "open", "os.", "subprocess.", "shutil.", "socket.", "ctypes.")


def _listen(event: str, arguments: tuple[Any, ...]) -> None:
    if _ARMED and event.startswith(_EVENTS):
        _ARMED[-1].append(f"{event} {arguments!r}"[:200])


@pytest.fixture(scope="module", autouse=True)
def ears() -> None:
    """Python tells of every eval, import, file and process; modules are imported before."""
    sys.addaudithook(_listen)
    warm = "poly(a, 2) + bs(a, 5) + C(kind) + cr(b, df=3, constraints='center') + scale(log)"
    for text in (warm, "a + open(b)"):
        with suppress(LvkitError):
            FeatureMap.learn(text, MODELS).values(MODELS)


@contextmanager
def nothing_runs() -> Iterator[None]:
    """Fail where the block evaluates code, imports a module, or touches a file or process."""
    heard: list[str] = []
    _ARMED.append(heard)
    try:
        yield
    finally:
        _ARMED.pop()
    assert not heard


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_ears_hear_what_python_evaluates(here: Path) -> None:
    for attack in (lambda: eval("1"), lambda: Path("CANARY").touch(), lambda: eval(TOUCH)):
        with pytest.raises(AssertionError), nothing_runs():
            attack()


@pytest.mark.parametrize("text", FORMULAS)
def test_hostile_formulas_are_refused_and_run_nothing(text: str, here: Path) -> None:
    with nothing_runs(), pytest.raises(LvkitError):
        FeatureMap.learn(text, MODELS)
    assert not Path("CANARY").exists()


def _careless(code: Code, data: pd.DataFrame, state: Any, text: str) -> Any:
    return eval(code.text, vars(builtins) | {"np": np, "I": lambda x: x}, data)


@pytest.mark.parametrize("text", FORMULAS)
def test_the_check_alone_is_enough(text: str, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(design_matrix, "evaluate", _careless)
    with nothing_runs(), pytest.raises(LvkitError):
        FeatureMap.learn(text, MODELS)


def test_the_careless_evaluation_would_run_code(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the test above could not fail."""
    monkeypatch.setattr(design_matrix, "evaluate", _careless)
    monkeypatch.setattr(formula, "check_code", lambda *_: ("a",))
    FeatureMap.learn(f"a + I({CANARY})", MODELS)
    assert Path("CANARY").exists()


def _unchecked(text: str, _: str) -> Code:
    """Read any Python, with every name a column."""
    tree = ast.parse(text.strip().replace("`", ""), mode="eval").body
    names = {node.id: node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return Code(ast.unparse(tree), tree, {name: name for name in names if name in MODELS})


@pytest.mark.parametrize("text", FORMULAS)
def test_the_evaluation_alone_is_enough(
    text: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(formula, "read_code", _unchecked)
    monkeypatch.setattr(design_matrix, "read_code", _unchecked)
    with nothing_runs(), suppress(LvkitError):
        FeatureMap.learn(text, MODELS)
    assert not Path("CANARY").exists()


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_the_evaluation_refuses_what_the_check_did_not_see(text: str, here: Path) -> None:
    try:
        code = _unchecked(text, text)
    except SyntaxError:
        return
    with nothing_runs(), pytest.raises(LvkitError):
        design_matrix.evaluate(code, MODELS, {}, text)


# -- the five entry points ------------------------------------------------------------------------

EVIL = f"log_params + I(log_params**2 + 0*(log_params == ('`' + str({CANARY}) + '`')))"


def _evil(fit: lv.Fit) -> lv.Fit:
    return replace(fit, model=replace(fit.model, features=EVIL))


@pytest.fixture
def saved(small_fit: lv.Fit, here: Path) -> Path:
    """A fit that somebody prepared, whole and consistent but for its formula."""
    _evil(small_fit).save("evil.lvkit")
    return Path("evil.lvkit")


def test_the_argument_and_the_option_are_refused(
    small_panel: lv.Panel,
    small_file: Path,
    here: Path,
    capsys: pytest.CaptureFixture[str],
    message: Message,
) -> None:
    with refused(f"features '{EVIL}'") as error:
        lv.LatentSkillModel(n_skills=1, features=EVIL).fit(small_panel)
    message(error)
    assert main(["fit", str(small_file), "--skills", "1", "--features", EVIL]) == 1
    message(capsys.readouterr().err)
    assert not Path("CANARY").exists()


def test_a_saved_fit_is_refused_when_it_is_read(
    saved: Path, capsys: pytest.CaptureFixture[str], message: Message
) -> None:
    with refused("'evil.lvkit'") as error:
        lv.load_fit(saved)
    message(error)
    assert main(["plan", str(saved), "--target", "mmlu"]) == 1
    message(capsys.readouterr().err)
    assert not Path("CANARY").exists()


@pytest.mark.parametrize("template", ["report", "family"])
def test_the_features_of_a_plan_file_are_refused(
    template: str,
    small_file: Path,
    here: Path,
    capsys: pytest.CaptureFixture[str],
    message: Message,
) -> None:
    text = (
        f'template = "{template}"\n[parameters]\ndata = "{small_file}"\nfeatures = """{EVIL}"""\n'
    )
    Path("plan.toml").write_text(text)
    assert main(["report", "--plan", "plan.toml", "--output", "out"]) == 1
    message(capsys.readouterr().err)
    assert not Path("CANARY").exists()
    assert not Path("out").exists()


def test_the_fit_of_a_plan_file_is_refused(
    saved: Path, here: Path, capsys: pytest.CaptureFixture[str], message: Message
) -> None:
    text = f'template = "family"\n[parameters]\nfit = "{saved}"\nfamily = "qwen2"\n'
    Path("plan.toml").write_text(text)
    assert main(["report", "--plan", "plan.toml", "--output", "out"]) == 1
    message(capsys.readouterr().err)
    assert not Path("CANARY").exists()


def test_an_entry_of_a_shared_cache_is_refused_and_made_again(
    small_panel: lv.Panel, here: Path, monkeypatch: pytest.MonkeyPatch, message: Message
) -> None:
    model = lv.LatentSkillModel(n_skills=1, features="log_params")
    packed: Callable[..., bytes] = cache.packed_fit
    with monkeypatch.context() as patch:
        patch.setattr(cache, "packed_fit", lambda fit, **how: packed(_evil(fit), **how))
        first = lv.FitCache("shared").fit(model, small_panel)
    with pytest.warns(lv.LvkitWarning) as caught:
        again = lv.FitCache("shared").fit(model, small_panel)
    message(caught)
    assert again.loglik == pytest.approx(first.loglik)
    assert not Path("CANARY").exists()


# -- formulas and names at random ----------------------------------------------------------------

COLUMNS = ("a", "b", "log", "kind", "params_b", "log_params", "`my a`", "`kind`", "my a", "c")
PIECES = ("1", "2", "0", "-1", "0.5", "1e5", "9999999999", "'moe'", "\"x\"", "np", "I", "True",
          ".", "", "`", "'", "\\", "#", "\n", "_quoted_0_", "__builtins__", "µ", "\0")  # fmt: skip
FUNCTIONS = (*formula.OPTIONS, "np.log", "np.save", "open", "eval", "exec", "__import__",
             "Q", "lag", "contr", "a.to_csv", "str", "", "np")  # fmt: skip
OPTIONS = ("2", "3", "degree=2", "df=4", "df=100000", "degree=1e5", "raw=True", "_state=a",
           "knots=[2, 3]", "extrapolation='clip'", "out=a", "*[1]", "**{}",
           "'CANARY', 'w'")  # fmt: skip
BINARY = ("+", "*", ":", "-", "/", "**", "^", "|", "~", "%in%", " in ", "==", "<", "!=", "&", "//",
          "%", "@", "<<", ",", " and ", " is ", ":=", " ", ".")  # fmt: skip
WRAPS = ("({})", "{{{}}}", "[{}]", "`{}`", "'{}'", '"{}"', "I({})", "-{}", "~{}", "({})**9",
         "({})**2", "lambda: {}", "f'{{{}}}'", "[{} for a in b]", "a[{}]", "{}.values",
         "{}.__class__", "{} if a else b", "not {}", "({})(a)", "{} #",
         "'`' + {} + '`'")  # fmt: skip


def _grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(inner, st.sampled_from(BINARY), inner).map("".join),
        st.builds("{}({})".format, st.sampled_from(FUNCTIONS), inner),
        st.builds("{}({}, {})".format, st.sampled_from(FUNCTIONS), inner, st.sampled_from(OPTIONS)),
        st.builds(str.format, st.sampled_from(WRAPS), inner),
        st.tuples(st.sampled_from(COLUMNS), st.just(" + "), inner).map("".join),
    )


ATOMS = st.one_of(st.sampled_from(COLUMNS), st.sampled_from(PIECES), st.sampled_from(EXPRESSIONS))
TAME = st.recursive(
    st.sampled_from(COLUMNS[:8]),
    lambda inner: st.one_of(
        st.builds("{}{}{}".format, inner, st.sampled_from("+*:-/"), inner),
        st.builds("{}({})".format, st.sampled_from(["log", "I", "C", "scale", "np.exp"]), inner),
        st.builds("({})**{}".format, inner, st.integers(1, 3)),
        st.builds("{}({}, {})".format, st.sampled_from(["poly", "bs"]), inner, st.integers(2, 5)),
    ),
    max_leaves=5,
)
EXAMPLES = settings.default.max_examples  # 100, and 1,000 in a nightly run


def _outcome(text: str, models: pd.DataFrame) -> FeatureMap | None:
    """Return what a formula gives, which is an LvkitError or a design matrix; nothing runs."""
    with nothing_runs():
        try:
            features = FeatureMap.learn(text, models)
            values, again = features.values(models), features.values(models.iloc[3:7])
        except LvkitError:
            return None
    assert values.shape == (len(models), len(features.names))
    assert len(features.names) > 0
    assert np.isfinite(values).all()
    np.testing.assert_allclose(again, values[3:7], rtol=1e-9, atol=1e-9 * np.abs(values).max())
    return features


@settings(max_examples=2 * EXAMPLES)
@given(st.one_of(st.recursive(ATOMS, _grow, max_leaves=6), TAME))
def test_any_formula_gives_features_or_an_error_and_runs_no_code(text: str) -> None:
    _outcome(text, MODELS)
    assert not Path("CANARY").exists()


NAMES = st.one_of(
    st.sampled_from((*EXPRESSIONS, *FORMULAS, *PIECES, *FUNCTIONS, *formula.OPTIONS)),
    st.text(max_size=12),
    st.text("ab`'\"\\(){}[]+-*:~|.,# \n_0µ", max_size=8),
).filter(lambda name: name not in MODELS and name not in ("log_params", "log_tokens", "tokens_t"))


@settings(max_examples=EXAMPLES // 2)
@given(NAMES, st.sampled_from(["{}", "log({})", "a + {}", "{}:a", "I({} + a)", "center({})"]))
def test_any_name_of_a_column_is_that_column_or_refused(name: str, form: str) -> None:
    models = MODELS.assign(**{name: _RNG.permutation(np.linspace(1, 5, len(MODELS)))})
    features = _outcome(form.format(as_name(name)), models)
    column = models[name].to_numpy()
    expected = {
        "log({})": np.log(column), "{}:a": column * models["a"], "I({} + a)": column + models["a"],
    }.get(form, column)  # fmt: skip
    if features is not None:
        assert name in features.columns
        np.testing.assert_allclose(features.values(models)[:, -1], expected - expected.mean())
    else:  # quotes in the name, the intercept's own name, a number outside code
        assert set(name) & {"`", "\\"} or re.fullmatch(r"[\d.]*|Intercept", name)
    _outcome(form.format(name), models)
    assert not Path("CANARY").exists()
