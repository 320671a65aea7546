from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from golden import Message, refused
from hostile import CHECKSUMS, members, packed, zipped

import lvkit as lv
from lvkit.fit.latent_skill_model import restored
from lvkit.fit.saved_fit import SCHEMA, packed_fit, unpacked_fit


@pytest.fixture(scope="module")
def saved(small_fit: lv.Fit, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("saved") / "small.fit"
    small_fit.save(path)
    return path.read_bytes()


def with_text(saved: bytes, change: Callable[[dict[str, Any]], Any]) -> bytes:
    """The file with its JSON text changed."""
    parts = members(saved)
    text = json.loads(parts["fit.json"])
    change(text)
    return packed(parts | {"fit.json": json.dumps(text).encode()})


def with_arrays(saved: bytes, **changes: Any) -> bytes:
    """The file with some arrays changed; None takes one away."""
    parts = members(saved)
    with np.load(io.BytesIO(parts["arrays.npz"])) as old:
        arrays = {name: old[name] for name in old.files} | changes
    out = io.BytesIO()
    np.savez(out, **{k: v for k, v in arrays.items() if v is not None})
    return packed(parts | {"arrays.npz": out.getvalue()})


def refusal(content: bytes, tmp_path: Path) -> str:
    path = tmp_path / "bad.fit"
    path.write_bytes(content)
    with pytest.raises(lv.LvkitError) as caught:
        lv.load_fit(path)
    assert "bad.fit" in str(caught.value)
    return str(caught.value)


# -- there and back ------------------------------------------------------------------------------


def assert_identical(found: lv.Fit, fit: lv.Fit) -> None:
    for name in ("loglik", "n_params", "converged", "message", "method", "seed", "anchors", "aic"):
        assert getattr(found, name) == getattr(fit, name), name
    for name, value in vars(fit.frame).items():
        np.testing.assert_array_equal(getattr(found.frame, name), value, err_msg=name)
    np.testing.assert_array_equal(found.latent_means, fit.latent_means)
    np.testing.assert_array_equal(found.latent_covariances, fit.latent_covariances)
    assert found.panel == fit.panel
    assert found.model == fit.model
    tables = ("loadings", "family_effects", "fitted_scores", "dropped", "starts", "trace")
    for name in tables:
        first, second = (getattr(f, name) for f in (found, fit))
        assert first.equals(second), name
        assert first.index.names == second.index.names, name
    assert found.summary(level=None).equals(fit.summary(level=None))


def test_a_fit_comes_back_bit_for_bit(small_fit: lv.Fit, tmp_path: Path) -> None:
    small_fit.save(tmp_path / "a.fit")
    assert_identical(lv.load_fit(tmp_path / "a.fit"), small_fit)


def test_a_fit_with_gaps_and_dropped_models_comes_back(paper_fit: lv.Fit, tmp_path: Path) -> None:
    paper_fit.save(str(tmp_path / "a.fit"))
    found = lv.load_fit(str(tmp_path / "a.fit"))
    assert_identical(found, paper_fit)
    assert len(found.dropped) == 13
    assert found.panel.models.dtypes.equals(paper_fit.panel.models.dtypes)


@pytest.mark.parametrize(
    "settings",
    [
        {"n_skills": 2, "features": "log_params", "floor": "estimate"},
        {"n_skills": 1, "features": "log_params", "family_slopes": "log_params"},
        {"anchors": {"größe": "mmlu"}, "features": "log_params + instruct", "clip": 0.01},
    ],
    ids=["floors", "slopes", "names and flags"],
)
def test_every_kind_of_model_comes_back(
    settings: dict[str, Any], small_panel: lv.Panel, tmp_path: Path
) -> None:
    fit = lv.LatentSkillModel(**settings).fit(small_panel)
    fit.save(tmp_path / "a.fit")
    assert_identical(lv.load_fit(tmp_path / "a.fit"), fit)


def test_a_users_own_columns_come_back(small_panel: lv.Panel, tmp_path: Path) -> None:
    n = small_panel.n_models
    table = small_panel.to_frame().assign(
        note=["a", None] * (n // 2), flag=[True, False] * (n // 2), number=range(n)
    )
    panel = lv.Panel.from_frame(table, benchmarks=small_panel.benchmarks)
    fit = lv.LatentSkillModel(n_skills=1, features="log_params + flag").fit(panel)
    fit.save(tmp_path / "a.fit")
    assert_identical(lv.load_fit(tmp_path / "a.fit"), fit)


def test_a_loaded_fit_can_do_what_the_fit_could(small_fit: lv.Fit, tmp_path: Path) -> None:
    small_fit.save(tmp_path / "a.fit")
    found = lv.load_fit(tmp_path / "a.fit")
    assert found.suggest_anchors().best == small_fit.suggest_anchors().best
    best = small_fit.suggest_anchors().best
    assert found.reanchor(best).loadings.equals(small_fit.reanchor(best).loadings)
    assert found.summary().equals(small_fit.summary())
    assert lv.compare([found, small_fit])["weight"].tolist() == [0.5, 0.5]
    found.save(tmp_path / "b.fit")
    assert_identical(lv.load_fit(tmp_path / "b.fit"), small_fit)


@pytest.fixture(scope="module")
def calibrated(small_panel: lv.Panel) -> lv.Fit:
    """A fit to four families that knows how far its predictions err."""
    few = small_panel.select(families=["yi", "pythia", "qwen2", "olmo"])
    fit = lv.LatentSkillModel(anchors={"general": "mmlu"}, features="log_params").fit(few)
    return fit.calibrate(keep=(0, 2))


def test_a_calibration_comes_back(calibrated: lv.Fit, tmp_path: Path) -> None:
    calibrated.save(tmp_path / "a.fit")
    found = lv.load_fit(tmp_path / "a.fit")
    assert_identical(found, calibrated)
    assert found.calibration is not None
    assert calibrated.calibration is not None
    pd.testing.assert_frame_equal(
        found.calibration.records, calibrated.calibration.records, check_exact=True
    )
    rows = pd.DataFrame({"model": ["x", "y"], "family": ["yi", None], "params_b": [60.0, 7.0]})
    first, second = (fit.predict(rows, draws=200, level=0.75) for fit in (found, calibrated))
    assert first.intervals == "calibrated"
    pd.testing.assert_frame_equal(first.table, second.table, check_exact=True)


def test_a_fit_without_a_calibration_comes_back_without_one(saved: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.fit"
    path.write_bytes(saved)
    assert lv.load_fit(path).calibration is None


def test_a_fit_of_an_earlier_lvkit_has_no_calibration(saved: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.fit"
    path.write_bytes(with_text(saved, lambda text: text.pop("calibration")))
    assert lv.load_fit(path).calibration is None


@pytest.mark.parametrize("column", ["z", "keep", "lineage"])
def test_a_damaged_calibration_is_refused(
    column: str, calibrated: lv.Fit, tmp_path: Path, message: Message
) -> None:
    def rename(text: dict[str, Any]) -> None:
        for each in text["calibration"]["columns"]:
            each["name"] = "?" if each["name"] == column else each["name"]

    def retype(text: dict[str, Any]) -> None:
        for each in text["calibration"]["columns"]:
            if each["name"] == column:
                each.update(values=["high"] * len(each["values"]), dtype="object")

    calibrated.save(tmp_path / "a.fit")
    content = (tmp_path / "a.fit").read_bytes()
    for change in [rename] if column == "lineage" else [rename, retype]:
        text = refusal(with_text(content, change), tmp_path)
        message(text)


def test_a_fit_replaces_an_older_one_even_if_that_is_damaged(
    small_fit: lv.Fit, tmp_path: Path
) -> None:
    path = tmp_path / "a.fit"
    for content in (b"", (OLD / "schema-1.lvkit").read_bytes(), packed_fit(small_fit)[:500]):
        path.write_bytes(content)
        small_fit.save(path)
        assert lv.load_fit(path).loglik == small_fit.loglik
        assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("content", [b"model,mmlu\n", b"PK\x03\x04 another archive", b"x"])
def test_a_fit_does_not_replace_another_file(
    content: bytes, small_fit: lv.Fit, tmp_path: Path, message: Message
) -> None:
    path = tmp_path / "scores.csv"
    path.write_bytes(content)
    with refused() as error:
        small_fit.save(path)
    message(error)
    assert path.read_bytes() == content


OLD = Path(__file__).parents[1] / "saved"


@pytest.mark.parametrize("name", ["schema-1", "schema-1-calibrated"])
def test_a_file_of_an_earlier_version_loads_with_a_warning_and_gets_its_checksum_when_saved(
    name: str, tmp_path: Path, message: Message
) -> None:
    with pytest.warns(lv.LvkitWarning) as caught:
        fit = lv.load_fit(OLD / f"{name}.lvkit")
    text = str(caught[0].message)
    assert f"{name}.lvkit" in text
    message(text.rpartition("'")[2])
    assert fit.n_models == 15
    assert (fit.calibration is not None) == name.endswith("calibrated")
    fit.save(tmp_path / "new.lvkit")
    assert_identical(lv.load_fit(tmp_path / "new.lvkit"), fit)


@pytest.mark.parametrize("name", ["message", "seed", "loglik", "lvkit", "converged"])
def test_a_field_changed_after_saving_is_refused(
    name: str, saved: bytes, tmp_path: Path, message: Message
) -> None:
    """Even to a value that it might have had: the checksum gives it away."""
    changed = {"message": "converged: 0", "seed": 1, "loglik": 1.5, "lvkit": "", "converged": True}
    text = json.loads(members(saved)["fit.json"]) | {name: changed[name]}
    with zipfile.ZipFile(io.BytesIO(saved)) as file:
        sums = {CHECKSUMS: file.read(CHECKSUMS)}
    parts = {"fit.json": json.dumps(text, indent=1).encode()}
    content = zipped(members(saved) | parts | sums)
    message(refusal(content, tmp_path))


def test_a_file_without_its_checksums_is_refused(
    saved: bytes, tmp_path: Path, message: Message
) -> None:
    message(refusal(zipped(members(saved)), tmp_path))


def test_checksums_that_an_old_file_never_had_are_refused(tmp_path: Path, message: Message) -> None:
    old = members((OLD / "schema-1.lvkit").read_bytes())
    message(refusal(packed(old), tmp_path))


def test_the_file_holds_text_and_numbers_and_nothing_else(saved: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(saved)) as file:
        assert file.namelist() == ["fit.json", "arrays.npz", CHECKSUMS]
    parts = members(saved)
    assert json.loads(parts["fit.json"])["schema"] == SCHEMA
    with np.load(io.BytesIO(parts["arrays.npz"]), allow_pickle=False) as arrays:
        assert all(arrays[name].dtype == float for name in arrays.files)


def test_a_fit_cannot_be_saved_where_there_is_no_folder(small_fit: lv.Fit, tmp_path: Path) -> None:
    with pytest.raises(lv.LvkitError, match="nowhere"):
        small_fit.save(tmp_path / "nowhere" / "a.fit")


# -- files that are refused ----------------------------------------------------------------------


def test_a_missing_file_is_refused(tmp_path: Path, message: Message) -> None:
    with refused() as error:
        lv.load_fit(tmp_path / "no.fit")
    message(error, "no.fit")


def test_a_folder_is_refused(tmp_path: Path, message: Message) -> None:
    with refused() as error:
        lv.load_fit(tmp_path)
    message(error)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(
    share: float, saved: bytes, tmp_path: Path, message: Message
) -> None:
    text = refusal(saved[: int(share * len(saved))], tmp_path)
    message(text)


@pytest.mark.parametrize("content", [b"model,family\n", b"{}", b"\x80\x04N.", b"PK\x05\x06"])
def test_what_is_no_archive_is_refused(content: bytes, tmp_path: Path, message: Message) -> None:
    message(refusal(content, tmp_path))


def test_a_flipped_bit_is_refused_or_harmless(
    saved: bytes, small_fit: lv.Fit, tmp_path: Path
) -> None:
    rng, path = np.random.default_rng(0), tmp_path / "flipped.fit"
    for position in rng.integers(len(saved), size=60):
        content = bytearray(saved)
        content[position] ^= 1 << int(rng.integers(8))
        path.write_bytes(content)
        try:
            found = lv.load_fit(path)
        except lv.LvkitError:
            continue
        assert_identical(found, small_fit)


@pytest.mark.parametrize("schema", [SCHEMA + 1, 0, None, "1", True, 2.0])
def test_another_schema_is_refused_with_who_wrote_it(
    schema: Any, saved: bytes, tmp_path: Path, message: Message
) -> None:
    content = with_text(saved, lambda text: text.update(schema=schema, lvkit="9.9"))
    text = refusal(content, tmp_path)
    message(text, schema, "9.9", SCHEMA)
    assert "newer" in text


@pytest.mark.parametrize("member", ["fit.json", "arrays.npz"])
def test_a_missing_member_is_refused(
    member: str, saved: bytes, tmp_path: Path, message: Message
) -> None:
    parts = members(saved)
    del parts[member]
    message(refusal(packed(parts), tmp_path))


@pytest.mark.parametrize("text", [b"[]", b"not json", b"\xff\xfe", b"3", b'"fit"'])
def test_a_text_that_is_none_is_refused(
    text: bytes, saved: bytes, tmp_path: Path, message: Message
) -> None:
    message(refusal(packed(members(saved) | {"fit.json": text}), tmp_path))


def test_arrays_that_are_none_are_refused(saved: bytes, tmp_path: Path, message: Message) -> None:
    content = packed(members(saved) | {"arrays.npz": b"not an archive"})
    message(refusal(content, tmp_path))


def test_a_pickle_among_the_arrays_is_refused(
    saved: bytes, tmp_path: Path, message: Message
) -> None:
    content = with_arrays(saved, loadings=np.array([{"run": "me"}], dtype=object))
    message(refusal(content, tmp_path), "64")


@pytest.mark.parametrize("name", ["loadings", "factor", "log_precisions", "latent_means"])
def test_a_missing_array_is_refused(
    name: str, saved: bytes, tmp_path: Path, message: Message
) -> None:
    message(refusal(with_arrays(saved, **{name: None}), tmp_path))


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("loadings", (5, 2)),
        ("factor", (1, 3, 3)),
        ("slopes", (2, 7)),
        ("intercepts", (6, 1)),
        ("latent_means", (3, 2)),
        ("latent_covariances", (12, 2)),
    ],
)
def test_an_array_of_another_shape_is_refused(
    name: str, shape: tuple[int, ...], saved: bytes, tmp_path: Path, message: Message
) -> None:
    message(refusal(with_arrays(saved, **{name: np.ones(shape)}), tmp_path))


def test_numbers_that_are_none_are_refused(saved: bytes, tmp_path: Path, message: Message) -> None:
    content = with_arrays(saved, loadings=np.full((6, 2), np.nan))
    message(refusal(content, tmp_path))


def changed_score(text: dict[str, Any]) -> None:
    text["panel"]["scores"]["columns"][0]["values"][0] += 0.001


def test_scores_that_do_not_match_their_checksum_are_refused(
    saved: bytes, tmp_path: Path, message: Message
) -> None:
    message(refusal(with_text(saved, changed_score), tmp_path))


@pytest.mark.parametrize(
    "name", ["model", "panel", "anchors", "starts", "trace", "loglik", "digest"]
)
def test_a_text_that_lacks_something_is_refused(name: str, saved: bytes, tmp_path: Path) -> None:
    refusal(with_text(saved, lambda text: text.pop(name)), tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("panel", []),
        ("panel", {"scores": 3}),
        ("model", {"n_skills": 0}),
        ("model", {"colour": "blue"}),
        ("model", None),
        ("anchors", ["mmlu"]),
        ("anchors", {"general": "zebra", "instruction": "ifeval"}),
        ("starts", "none"),
        ("loglik", "high"),
    ],
)
def test_a_text_that_says_nonsense_is_refused(
    name: str, value: Any, saved: bytes, tmp_path: Path
) -> None:
    refusal(with_text(saved, lambda text: text.update({name: value})), tmp_path)


# -- for a cache ---------------------------------------------------------------------------------


def test_for_a_cache_the_panel_stays_out_and_the_curvature_goes_along(small_fit: lv.Fit) -> None:
    expected = small_fit.summary()
    content = packed_fit(small_fit, cached=True)
    assert json.loads(members(content)["fit.json"])["panel"] is None
    found = restored(unpacked_fit(content, "here", small_fit.panel))
    assert found.panel is small_fit.panel
    assert "curvature" in found.memo
    assert_identical(found, small_fit)
    assert found.summary().equals(expected)


def test_a_curvature_handed_over_from_other_anchors_is_kept(small_fit: lv.Fit) -> None:
    _ = small_fit.curvature
    again = small_fit.reanchor({"maths": "gsm8k", "language": "hellaswag"})
    expected = again.summary()
    found = restored(unpacked_fit(packed_fit(again, cached=True), "here", small_fit.panel))
    assert found.summary().equals(expected)


@pytest.mark.parametrize("anchors", [*combinations(["mmlu", "ifeval", "gsm8k", "hellaswag"], 2)])
def test_a_fit_through_other_anchors_has_the_same_draws_after_saving(
    anchors: tuple[str, str], small_fit: lv.Fit, tmp_path: Path
) -> None:
    _ = small_fit.curvature
    again = small_fit.reanchor(dict(zip(("one", "other"), anchors, strict=True)))
    again.save(tmp_path / "a.fit")
    draws = (fit.curvature.draws(2, 5) for fit in (again, lv.load_fit(tmp_path / "a.fit")))
    for here, there in zip(*draws, strict=True):
        np.testing.assert_allclose(there.loadings, here.loadings, atol=1e-7)
        np.testing.assert_allclose(there.slopes, here.slopes, atol=1e-7)


def test_a_file_of_a_fit_has_its_panel_and_measures_the_curvature_anew(
    small_fit: lv.Fit, tmp_path: Path
) -> None:
    _ = small_fit.curvature
    small_fit.save(tmp_path / "a.fit")
    assert "curvature" not in lv.load_fit(tmp_path / "a.fit").memo


def test_the_fit_of_a_cache_is_refused_with_other_data(small_fit: lv.Fit, message: Message) -> None:
    other = small_fit.panel.select(families=small_fit.panel.families[1:])
    content = packed_fit(small_fit, cached=True)
    with refused("'here'") as error:
        unpacked_fit(content, "here", other)
    message(error)


@pytest.mark.parametrize(
    "damage",
    [
        {"curvature_scores": np.zeros((1, 2))},
        {"curvature_information": None},
    ],
    ids=["shape", "absent"],
)
def test_a_curvature_of_another_shape_is_refused(
    damage: Any, small_fit: lv.Fit, message: Message
) -> None:
    _ = small_fit.curvature
    content = with_arrays(packed_fit(small_fit, cached=True), **damage)
    with refused("'here'") as error:
        unpacked_fit(content, "here", small_fit.panel)
    message(error)


@pytest.mark.parametrize("path", [None, [], {}, 1.5, "\0"])
def test_what_is_no_path_is_refused(path: Any, message: Message) -> None:
    with refused() as error:
        lv.load_fit(path)
    message(error)
