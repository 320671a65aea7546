from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from golden import Message

import lvkit as lv
from lvkit.cli.main import main

Captured = pytest.CaptureFixture[str]


def printed(capsys: Captured, *arguments: str, code: int = 0) -> dict[str, Any]:
    """The one JSON document that a command prints."""
    assert main([*arguments, "--json"]) == code
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def in_a_shell(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lvkit", *arguments], capture_output=True, text=True, cwd=folder
    )


@pytest.fixture
def faulty_file(tmp_path: Path) -> Path:
    path = tmp_path / "faulty.csv"
    path.write_text("model,family,params_b,mmlu\na-1b,a,-1,0.3\na-2b,a,2,0.4\n")
    return path


# -- help, version, usage ---------------------------------------------------------------------


def test_the_version_is_printed(capsys: Captured) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"lvkit {lv.__version__}\n"


def test_without_a_command_the_help_is_shown_and_the_code_is_2(capsys: Captured) -> None:
    assert main([]) == 2
    out = capsys.readouterr().out
    for command in ("check", "fit", "select", "report", "plan", "need", "notebooks", "lab"):
        assert f"\n  {command} " in out


@pytest.mark.parametrize(
    "command", ["check", "fit", "select", "report", "plan", "need", "notebooks", "lab"]
)
def test_every_option_of_every_command_is_explained(command: str, capsys: Captured) -> None:
    assert main([command, "--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    options = [n for n, line in enumerate(lines) if line.startswith("  -")]
    assert options
    for n in options:
        following = lines[n + 1].strip() if n + 1 < len(lines) else ""
        assert len(lines[n].split("  ")) > 2 or following


@pytest.mark.parametrize(
    "arguments",
    [
        ["chekc"],
        ["check"],
        ["fit", "--skills", "many"],
        ["fit", "--floor", "zero"],
        ["fit", "--anchors", "maths"],
        ["fit", "--anchors", "maths=gsm8k,maths=mmlu"],
        ["fit", "--family", "from_name"],
        ["report", "--family", "from_name"],
        ["select", "--min", "3", "--max", "2"],
    ],
)
def test_a_command_line_that_makes_no_sense_ends_with_2(
    arguments: list[str], capsys: Captured, message: Message
) -> None:
    assert main(arguments) == 2
    message(capsys.readouterr().err.splitlines()[-1])


@pytest.mark.parametrize(
    ("arguments", "quoted"),
    [
        (["fit", "--skills", "four"], ["--skills", "four"]),
        (["fit", "--clip=tiny"], ["--clip", "tiny"]),
        (["fit", "--floor", "zero"], ["--floor", "zero"]),
        (["plan", "--target", "mmlu", "--budget", "1e23,1e24"], ["--budget", "1e23,1e24"]),
        (["report", "--jobs", "all"], ["--jobs", "all"]),
    ],
)
def test_a_value_that_is_not_of_its_kind_is_reported_as_typed(
    arguments: list[str], quoted: list[str], capsys: Captured, message: Message
) -> None:
    assert main(arguments) == 2
    err = capsys.readouterr().err
    message(err.splitlines()[0], *quoted)
    message(err.splitlines()[1], arguments[0], "--help")


def test_help_of_the_command_is_named_where_an_option_lacks_its_value(
    capsys: Captured, message: Message
) -> None:
    assert main(["report", "--grid"]) == 2
    message(capsys.readouterr().err.splitlines()[-1], "lvkit report --help")


def test_python_m_lvkit_is_the_same_command(tmp_path: Path) -> None:
    done = in_a_shell("--version", folder=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"lvkit {lv.__version__}\n")


def test_a_reader_who_leaves_early_is_told_nothing(small_file: Path) -> None:
    command = [sys.executable, "-m", "lvkit", "check", str(small_file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert process.returncode == 0


# -- check ------------------------------------------------------------------------------------


def test_check_tells_what_is_in_a_good_file(
    small_file: Path, capsys: Captured, message: Message
) -> None:
    assert main(["check", str(small_file)]) == 0
    out = capsys.readouterr().out
    message(out, "10", "6")


def test_check_tells_what_is_wrong_and_ends_with_1(
    faulty_file: Path, capsys: Captured, message: Message
) -> None:
    assert main(["check", str(faulty_file)]) == 1
    out = capsys.readouterr().out
    message(out, "1", "2", "a-1b", "params_b", "-1")


def test_check_prints_a_document_for_good_and_bad_files(
    small_file: Path, faulty_file: Path, capsys: Captured, message: Message
) -> None:
    good = printed(capsys, "check", str(small_file))
    assert good["ok"] is True
    assert good["panel"]["n_families"] == len(good["panel"]["families"]) == 10
    bad = printed(capsys, "check", str(faulty_file), code=1)
    assert (bad["ok"], bad["panel"]) == (False, None)
    message(bad["problems"][0]["where"], "params_b")


def test_rows_with_an_unusable_cell_can_be_left_out(faulty_file: Path, capsys: Captured) -> None:
    found = printed(capsys, "check", str(faulty_file), "--drop-invalid")
    assert found["panel"]["n_models"] == 1


def test_the_family_may_come_from_the_name_a_column_or_a_file(
    tmp_path: Path, capsys: Captured
) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("model,maker,params_b,mmlu\na-1b,x,1,0.3\na-2b,x,2,0.4\nb-1b,x,1,0.2\n")
    families = tmp_path / "families.csv"
    families.write_text("model,family\na-1b,p\na-2b,q\nb-1b,r\n")
    assert printed(capsys, "check", str(path), code=1)["ok"] is False
    for rule, count in (("from_name", 2), ("maker", 1), (str(families), 3)):
        found = printed(capsys, "check", str(path), "--family", rule)
        assert found["panel"]["n_families"] == count


def test_benchmarks_lvkit_does_not_know_come_from_a_file(tmp_path: Path, capsys: Captured) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("model,family,params_b,ours\na-1b,a,1,0.3\na-2b,a,2,0.4\n")
    extra = tmp_path / "extra.csv"
    extra.write_text("benchmark,chance\nours,0.2\n")
    found = printed(capsys, "check", str(path), "--benchmarks", str(extra))
    assert found["panel"]["benchmarks"] == ["ours"]


# -- advice in options ------------------------------------------------------------------------


@pytest.fixture
def doubtful_file(small_file: Path) -> Path:
    """A benchmark of the user's own, of which lvkit knows no chance level; three that it knows."""
    columns = ["model", "family", "params_b", "tokens_t", "mmlu", "gsm8k", "ifeval", "ours"]
    table = lv.load_leaderboard().complete().to_frame().rename(columns={"arc": "ours"})
    path = small_file.with_name("doubtful.csv")
    table[table["tokens_t"].notna()].iloc[:40][columns].to_csv(path, index=False)
    return path


DOUBT = "column 'ours': numbers from 0 to 1 but no chance level"
SAID = "--benchmarks FILE ('ours,0.25' under 'benchmark,chance')"


def test_check_tells_of_a_benchmark_without_a_chance_level(
    doubtful_file: Path, capsys: Captured, message: Message
) -> None:
    assert main(["check", str(doubtful_file)]) == 0
    out = capsys.readouterr().out
    message(out, DOUBT)
    assert SAID in out


@pytest.mark.parametrize("command", [["fit", "--skills", "1"], ["select", "--max", "1"]])
def test_a_benchmark_without_a_chance_level_is_told_of_in_a_line(
    command: list[str], doubtful_file: Path, capsys: Captured, message: Message
) -> None:
    assert main([command[0], str(doubtful_file), *command[1:]]) == 0
    (line,) = capsys.readouterr().err.splitlines()
    message(line, DOUBT)
    assert SAID in line


def test_a_report_tells_of_it_before_anything_runs(
    doubtful_file: Path, capsys: Captured, message: Message
) -> None:
    assert main(["report", str(doubtful_file), "--skills", "9"]) == 1
    message(capsys.readouterr().err, DOUBT)


@pytest.mark.parametrize("chance", ["0.25", "none"])
def test_who_follows_the_advice_is_told_no_more(
    chance: str, doubtful_file: Path, capsys: Captured
) -> None:
    said = doubtful_file.with_name("said.csv")
    said.write_text(f"benchmark,chance\nours,{chance}\n")
    options = ["--skills", "1", "--benchmarks", str(said)]
    assert main(["fit", str(doubtful_file), *options]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert ("\n  ours " in out) is (chance != "none")


@pytest.mark.parametrize(
    ("options", "quoted"),
    [
        (["--features", "log_params + vintage"], ["--features", "vintage"]),
        (["--family-slopes", "vintage"], ["--family-slopes", "vintage"]),
        (["--clip", "0.7"], ["--clip", "0.7"]),
        (["--anchors", "a=mmlu,b=mmlu"], ["--anchors", "mmlu", "2"]),
        (["--skills", "9"], ["9", "3"]),
    ],
)
def test_what_is_refused_is_told_in_options(
    options: list[str], quoted: list[str], doubtful_file: Path, capsys: Captured, message: Message
) -> None:
    assert main(["fit", str(doubtful_file), *options]) == 1
    message(capsys.readouterr().err, *quoted)


def test_a_document_of_an_error_speaks_of_options_too(
    doubtful_file: Path, capsys: Captured
) -> None:
    told = printed(capsys, "fit", str(doubtful_file), "--clip", "0.7", code=1)
    assert told["error"]["problems"][0]["where"] == "--clip"


# -- as many skills as the data bear ----------------------------------------------------------


def test_fit_without_a_number_takes_no_more_skills_than_benchmarks(
    doubtful_file: Path, capsys: Captured
) -> None:
    assert len(printed(capsys, "fit", str(doubtful_file))["skills"]) == 3


def test_select_without_a_largest_number_stops_at_the_number_of_benchmarks(
    doubtful_file: Path, capsys: Captured
) -> None:
    assert list(printed(capsys, "select", str(doubtful_file))["table"]) == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("option", "quoted"),
    [
        ("--min", ["5"]),
        ("--max", ["4"]),
    ],
)
def test_a_number_that_is_too_large_is_refused_by_select(
    option: str, quoted: list[str], doubtful_file: Path, capsys: Captured, message: Message
) -> None:
    assert main(["select", str(doubtful_file), option, "5"]) == 1
    message(capsys.readouterr().err, "3", *quoted)


# -- fit --------------------------------------------------------------------------------------


def test_fit_prints_how_well_it_fits_and_what_loads_on_what(
    small_file: Path, capsys: Captured
) -> None:
    anchors = "maths=gsm8k,knowledge=mmlu"
    assert main(["fit", str(small_file), "--anchors", anchors]) == 0
    out, err = capsys.readouterr()
    for word in ("Log-likelihood", "AIC", "Converged: yes", "maths", "knowledge", "winogrande"):
        assert word in out
    assert err == ""


def test_fit_saves_the_fit_that_its_document_tells_of(
    small_file: Path, tmp_path: Path, capsys: Captured
) -> None:
    saved = tmp_path / "small.lvkit"
    told = printed(capsys, "fit", str(small_file), "--skills", "1", "--output", str(saved))
    fit = lv.load_fit(saved)
    assert told["output"] == str(saved)
    assert told["loglik"] == pytest.approx(fit.loglik)
    assert told["loadings"]["mmlu"][fit.skills[0]] == pytest.approx(
        fit.loadings.loc["mmlu", fit.skills[0]]
    )
    assert told["dropped"] == {}
    assert told["panel"]["digest"] == lv.read_panel(small_file).digest


def test_fit_uses_the_settings_it_is_given(small_file: Path, capsys: Captured) -> None:
    plain = printed(capsys, "fit", str(small_file), "--skills", "1")
    sizes = printed(capsys, "fit", str(small_file), "--skills", "1", "--features", "log_params")
    clipped = printed(capsys, "fit", str(small_file), "--skills", "1", "--clip", "0.05")
    assert len({plain["loglik"], sizes["loglik"], clipped["loglik"]}) == 3
    assert sizes["n_params"] == plain["n_params"] - 2


def test_fit_tells_which_models_it_left_out_and_why(
    tmp_path: Path, capsys: Captured, message: Message
) -> None:
    panel = lv.load_leaderboard()
    lacking = panel.models.index[panel.models["tokens_t"].isna()][:2]
    some = panel.select(models=[*panel.complete().models.index[:12], *lacking])
    path = tmp_path / "gaps.csv"
    some.select(benchmarks=["mmlu", "arc", "hellaswag"]).write_csv(path)
    told = printed(capsys, "fit", str(path), "--skills", "1")
    assert set(told["dropped"]) == set(lacking)
    assert main(["fit", str(path), "--skills", "1"]) == 0
    message(capsys.readouterr().out.splitlines()[0], "2", "tokens_t")


@pytest.mark.parametrize(
    ("options", "quoted"),
    [
        (["--anchors", "maths=gsm8"], ["gsm8k"]),
        (["--clip", "0.7"], ["0.1"]),
        (["--skills", "0"], ["skills"]),
        (["--skills", "9"], ["benchmarks"]),
        (["--features", "log_parms"], ["log_params"]),
        (["--family", "nowhere.csv"], []),
    ],
)
def test_settings_the_library_refuses_end_with_1_and_its_words(
    options: list[str], quoted: list[str], small_file: Path, capsys: Captured, message: Message
) -> None:
    assert main(["fit", str(small_file), *options]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("lvkit: ")
    message(err, *quoted)


def test_a_fit_that_cannot_be_saved_ends_with_1(small_file: Path, capsys: Captured) -> None:
    nowhere = small_file.parent / "nowhere" / "fit.lvkit"
    arguments = ["fit", str(small_file), "--skills", "1", "--output", str(nowhere)]
    assert main(arguments) == 1
    assert "nowhere" in capsys.readouterr().err


def copies(small_file: Path) -> dict[str, Path]:
    """The scores by other names."""
    folder = small_file.parent
    (folder / "soft.csv").symlink_to(small_file)
    (folder / "hard.csv").hardlink_to(small_file)
    return {
        "itself": small_file,
        "another way": folder / "." / ".." / folder.name / small_file.name,
        "a link": folder / "soft.csv",
        "a hard link": folder / "hard.csv",
    }


@pytest.mark.parametrize("command", [["fit", "--skills", "1"], ["select", "--max", "1"]])
@pytest.mark.parametrize("name", ["itself", "another way", "a link", "a hard link"])
def test_an_output_that_is_an_input_is_refused(
    command: list[str],
    name: str,
    small_file: Path,
    capsys: Captured,
    no_work: None,
    message: Message,
) -> None:
    before, output = small_file.read_bytes(), copies(small_file)[name]
    assert main([*command, str(small_file), "--output", str(output)]) == 1
    message(capsys.readouterr().err, "--output", output)
    assert small_file.read_bytes() == before


@pytest.fixture
def no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever reads a table or begins to fit fails."""

    def run(*_: object, **__: object) -> None:
        raise AssertionError("the work has begun")

    monkeypatch.setattr("lvkit.cli.main.panel_in", run)


@pytest.mark.parametrize("option", ["--family", "--benchmarks"])
@pytest.mark.parametrize("command", ["fit", "select"])
def test_an_output_that_is_a_file_beside_the_scores_is_refused(
    command: str, option: str, small_file: Path, capsys: Captured, no_work: None, message: Message
) -> None:
    beside = small_file.parent / "beside.csv"
    beside.write_text("benchmark,chance\n")
    options = [option, str(beside), "--output", str(beside)]
    assert main([command, str(small_file), *options]) == 1
    message(capsys.readouterr().err)
    assert beside.read_text() == "benchmark,chance\n"


@pytest.mark.parametrize("command", ["fit", "select"])
@pytest.mark.parametrize(
    "output",
    [
        "notes.txt",
        "nowhere/a",
        "notes.txt/a",
        ".",
        "",
        "x" * 300,
    ],
)
def test_an_output_that_cannot_be_is_refused_before_the_work(
    command: str,
    output: str,
    small_file: Path,
    capsys: Captured,
    no_work: None,
    monkeypatch: pytest.MonkeyPatch,
    message: Message,
) -> None:
    monkeypatch.chdir(small_file.parent)
    Path("notes.txt").write_text("mine")
    assert main([command, str(small_file), "--output", output]) == 1
    message(capsys.readouterr().err)
    assert sorted(path.name for path in Path().iterdir()) == ["mine.csv", "notes.txt"]
    assert Path("notes.txt").read_text() == "mine"


def test_a_command_replaces_what_it_wrote_before(
    small_file: Path, capsys: Captured, message: Message
) -> None:
    for command in (["fit", "--skills", "1"], ["select", "--max", "1"]):
        output = small_file.parent / f"out.{command[0]}"
        for _ in range(2):
            assert main([*command, str(small_file), "--output", str(output)]) == 0
    fit, table = (small_file.parent / f"out.{name}" for name in ("fit", "select"))
    for command, other in (("fit", table), ("select", fit)):
        assert main([command, str(small_file), "--output", str(other)]) == 1
        message(capsys.readouterr().err)


# -- select -----------------------------------------------------------------------------------


def test_select_prints_and_writes_one_row_for_each_number_of_skills(
    small_file: Path, tmp_path: Path, capsys: Captured, message: Message
) -> None:
    path = tmp_path / "table.csv"
    assert main(["select", str(small_file), "--max", "2", "--output", str(path)]) == 0
    message(capsys.readouterr().out.partition("\n\n")[2].splitlines()[0])
    written = pd.read_csv(path)
    assert list(written.iloc[:, 0]) == [1, 2]
    assert {"loglik", "aic", "bic"} <= set(written.columns)


def test_select_tells_the_best_number_by_each_criterion(small_file: Path, capsys: Captured) -> None:
    told = printed(capsys, "select", str(small_file), "--max", "2")
    for criterion in ("aic", "bic"):
        values = {int(k): row[criterion] for k, row in told["table"].items()}
        assert told["best"][criterion] == min(values, key=values.__getitem__)


# -- notebooks --------------------------------------------------------------------------------


def test_notebooks_are_copied_once_and_never_overwritten(
    tmp_path: Path, capsys: Captured, message: Message
) -> None:
    folder = tmp_path / "a" / "mine"
    assert main(["notebooks", str(folder)]) == 0
    assert "copied" in capsys.readouterr().out
    report = folder / "report.ipynb"
    shipped = report.read_bytes()
    assert main(["notebooks", str(folder)]) == 0
    assert "unchanged" in capsys.readouterr().out
    report.write_text("mine")
    assert main(["notebooks", str(folder)]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "--force" in line]
    message(line, report)
    assert report.read_text() == "mine"
    assert main(["notebooks", str(folder), "--force"]) == 0
    assert report.read_bytes() == shipped


def test_notebooks_refuse_a_folder_that_is_a_file(
    tmp_path: Path, capsys: Captured, message: Message
) -> None:
    path = tmp_path / "mine"
    path.write_text("a file")
    assert main(["notebooks", str(path)]) == 1
    message(capsys.readouterr().err)


# -- report -----------------------------------------------------------------------------------


@pytest.fixture
def file_without_tokens(small_file: Path) -> Path:
    """A benchmark of the user's own in it, too."""
    table = pd.read_csv(small_file).drop(columns="tokens_t").rename(columns={"arc": "ours"})
    path = small_file.with_name("no-tokens.csv")
    table.to_csv(path, index=False)
    small_file.with_name("extra.csv").write_text("benchmark,chance\nours,0.25\n")
    return path


@pytest.mark.slow
def test_report_writes_a_page_of_the_users_file_with_the_settings_given(
    file_without_tokens: Path, tmp_path: Path, capsys: Captured
) -> None:
    folder = tmp_path / "out"
    options = ["--output", str(folder), "--skills", "2", "--max-skills", "2", "--jobs", "1"]
    options += ["--benchmarks", str(tmp_path / "extra.csv"), "--features", "log_params"]
    told = printed(capsys, "report", str(file_without_tokens), *options, "--floor", "chance")
    page = Path(told["html"])
    assert page.parent == folder
    assert "<html" in page.read_text()[:2000].lower()
    found = json.loads(Path(told["json"]).read_text())
    assert found["fit"]["n_models"] == len(pd.read_csv(file_without_tokens))
    settings = {name: found["parameters"][name] for name in ("features", "floor", "n_jobs")}
    assert settings == {"features": "log_params", "floor": "chance", "n_jobs": 1}


def test_a_report_of_a_file_without_tokens_says_which_features_to_ask_for(
    file_without_tokens: Path, tmp_path: Path, capsys: Captured, message: Message
) -> None:
    options = ["--benchmarks", str(tmp_path / "extra.csv"), "--output", str(tmp_path / "out")]
    assert main(["report", str(file_without_tokens), *options]) == 1
    message(capsys.readouterr().err, "--features", "log_params")
    assert not (tmp_path / "out").exists()


def test_a_report_of_a_faulty_file_ends_with_1(
    faulty_file: Path, tmp_path: Path, capsys: Captured
) -> None:
    assert main(["report", str(faulty_file), "--output", str(tmp_path / "out")]) == 1
    assert "params_b" in capsys.readouterr().err


def test_numbers_agree_with_their_nouns(tmp_path: Path, capsys: Captured, message: Message) -> None:
    file = tmp_path / "one.csv"
    file.write_text("model,family,params_b,tokens_t,mmlu\na,f,1,1,0.5\n")
    assert main(["check", str(file)]) == 0
    message(capsys.readouterr().out, "1")
