from __future__ import annotations

from pathlib import Path

import pytest

from lvkit.data.header import asked_benchmarks, asked_features, benchmark_table
from lvkit.data.side_files import family_rule, read_benchmarks, read_families
from lvkit.errors import LvkitError


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "side.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_families_are_read_by_model_whatever_the_other_columns(tmp_path: Path) -> None:
    path = written(tmp_path, "note,model, family \nx, a-1b ,a\ny,b-1b,b\n")
    assert read_families(path) == {"a-1b": "a", "b-1b": "b"}


def test_the_mark_that_spreadsheets_put_first_is_no_part_of_the_header(tmp_path: Path) -> None:
    path = written(tmp_path, "\ufeffmodel,family\r\na-1b,a\r\n")
    assert read_families(path) == {"a-1b": "a"}


def test_a_model_named_twice_with_one_family_is_no_contradiction(tmp_path: Path) -> None:
    path = written(tmp_path, "model,family\na-1b,a\na-1b,a\n")
    assert read_families(path) == {"a-1b": "a"}


def test_all_faults_of_a_file_of_families_are_told_with_their_lines(tmp_path: Path) -> None:
    path = written(tmp_path, "model,family\na-1b,a\n,b\na-1b,c\nd-1b,\n")
    with pytest.raises(LvkitError) as refused:
        read_families(path)
    told = [str(problem) for problem in refused.value.problems]
    assert len(told) == 3
    assert "row 3: a blank cell" in told[0]
    assert "row 4: 'a-1b' is given the families 'a' and 'c'" in told[1]
    assert "row 5: a blank cell" in told[2]


def test_a_missing_column_is_named_with_the_one_most_like_it(tmp_path: Path) -> None:
    path = written(tmp_path, "model,familly\na-1b,a\n")
    with pytest.raises(LvkitError, match="no column 'family'.*Did you mean 'familly'"):
        read_families(path)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "the file is empty"),
        ("model,family\n", "a header and no rows"),
        (b"model,family\n\xff\xfe,a\n", "line 2: byte 0xff is not UTF-8"),
        ("model,family\n" + "x" * 200_000 + ",a\n", "line 2: not a CSV file: field larger"),
    ],
)
def test_a_file_that_is_no_table_is_refused(
    content: str | bytes, told: str, tmp_path: Path
) -> None:
    with pytest.raises(LvkitError, match=told):
        read_families(written(tmp_path, content))


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LvkitError, match="there is no such file"):
        read_families(tmp_path / "nowhere.csv")
    with pytest.raises(LvkitError, match="that is a folder"):
        read_families(tmp_path)


def test_numbers_of_benchmarks_are_read_and_blanks_say_nothing(tmp_path: Path) -> None:
    path = written(tmp_path, "benchmark,chance,n_items,label\nours,0.5,,Ours\nmore,0.25,10,\n")
    table = read_benchmarks(path)
    assert list(table["benchmark"]) == ["ours", "more"]
    assert asked_benchmarks(table) == {
        "ours": {"chance": "0.5", "label": "Ours"},
        "more": {"chance": "0.25", "n_items": "10"},
    }
    assert benchmark_table(asked_benchmarks(table)).loc["more", "n_items"] == 10


def test_a_column_without_a_chance_level_is_a_feature(tmp_path: Path) -> None:
    table = read_benchmarks(written(tmp_path, "benchmark,chance\nours,0.5\ndose,none\n"))
    assert asked_features(table) == ("dose",)


def test_a_chance_level_that_is_no_number_is_told_with_its_place(tmp_path: Path) -> None:
    path = written(tmp_path, "benchmark,chance\nours,0.5\nmore,half\n")
    with pytest.raises(LvkitError, match="row 3, column 'chance': got 'half'"):
        read_benchmarks(path)


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000])
def test_a_text_that_no_file_can_be_called_is_a_rule_or_refused(name: str) -> None:
    assert family_rule(name) == name
    for read in (read_families, read_benchmarks):
        with pytest.raises(LvkitError, match="cannot be read"):
            read(name)


@pytest.mark.parametrize(
    ("content", "where", "seen", "advice"),
    [
        ("benchmark,chance\nour,0.5\nchess,0,25\n", "row 3", "3 cells", "write 0.25"),
        ("benchmark,chance,n_items\nchess,0.25,1,319\n", "row 2", "4 cells", "write 1319"),
        ("benchmark,chance,n_items\nchess,0.25\n", "row 2", "2 cells", "each blank cell"),
        ("benchmark;chance\nchess;0,25\n", "header", "semicolons", "points in the numbers"),
        ("benchmark|chance\nchess|0.25\n", "header", "separated by |", "as CSV"),
        ("benchmark chance\nchess 0.25\n", "header", "separated by spaces", "as CSV"),
        ('benchmark,chance\nchess,"0,25"\n', "row 2", "got '0,25'", "with a point"),
        ("benchmark,chance,chance\nchess,0.25,0\n", "header", "appears 2 times", ""),
    ],
)
def test_a_slip_in_a_number_is_refused_with_its_line(
    content: str, where: str, seen: str, advice: str, tmp_path: Path
) -> None:
    path = written(tmp_path, content)
    with pytest.raises(LvkitError) as refused:
        read_benchmarks(path)
    (problem,) = refused.value.problems
    assert problem.where.startswith(f"'{path}', {where}")
    assert seen in problem.seen
    assert advice in problem.remedy


def test_a_family_with_a_comma_in_its_name_needs_quotes(tmp_path: Path) -> None:
    with pytest.raises(LvkitError, match="row 2: 3 cells; expected 2.*quotes"):
        read_families(written(tmp_path, "model,family\na-1b,a, the first\n"))
    path = written(tmp_path, 'model,family,\na-1b,"a, the first",\n')
    assert read_families(path) == {"a-1b": "a, the first"}


def test_names_of_digits_and_with_invisible_characters_are_names(tmp_path: Path) -> None:
    path = written(tmp_path, "model\u200b,family\n0010,1.10\nant\u00a01b,ant\n")
    assert read_families(path) == {"0010": "1.10", "ant 1b": "ant"}
