from __future__ import annotations

import io
import json
import zipfile

import numpy as np
import pytest
from golden import Message, refused
from hostile import array_file, bomb, zipped

from lvkit.tools.archive import CHECKSUMS, pack, pack_arrays, parse_json, unpack, unpack_arrays

PARTS = {"a.json": b'{"x": 1}', "b.npz": b"numbers"}
NAMES = r"[ab][.](json|npz)"


def test_members_come_back_and_their_checksums_vouch_for_them() -> None:
    assert unpack(io.BytesIO(pack(PARTS)), NAMES) == (PARTS, True)


def test_an_archive_without_checksums_is_read_and_says_so() -> None:
    assert unpack(io.BytesIO(zipped(PARTS)), NAMES) == (PARTS, False)


def test_the_checksums_are_those_of_sha256sum() -> None:
    with zipfile.ZipFile(io.BytesIO(pack({"a.json": b""}))) as file:
        listed = file.read(CHECKSUMS).decode()
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert listed == f"{empty}  a.json\n"


@pytest.mark.parametrize(
    "change",
    [
        {"a.json": b'{"x": 2}'},
        {"a.npz": b""},
        {CHECKSUMS: b"\xff"},
        {"run.py": b""},
        {"../a.json": b""},
    ],
)
def test_changed_and_added_members_are_refused(change: dict[str, bytes], message: Message) -> None:
    with zipfile.ZipFile(io.BytesIO(pack(PARTS))) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    with refused(kind=ValueError) as error:
        unpack(io.BytesIO(zipped(parts | change)), NAMES)
    message(error)


def test_a_member_that_is_gone_is_missed() -> None:
    with zipfile.ZipFile(io.BytesIO(pack(PARTS))) as file:
        sums = file.read(CHECKSUMS)
    with pytest.raises(ValueError, match="checksum"):
        unpack(io.BytesIO(zipped({"a.json": PARTS["a.json"], CHECKSUMS: sums})), NAMES)


def test_a_member_that_expands_without_measure_is_refused_before_it_does(message: Message) -> None:
    with refused(kind=ValueError) as error:
        unpack(io.BytesIO(bomb(PARTS, "a.json", b" ")), NAMES)
    message(error)


def test_a_member_that_claims_to_be_small_is_read_no_further_than_it_claims() -> None:
    with pytest.raises(ValueError, match="CRC"):
        unpack(io.BytesIO(bomb(PARTS, "a.json", b" ", claimed=10)), NAMES)


def test_content_that_compresses_too_well_is_stored_so_that_it_can_be_read() -> None:
    parts = {"a.json": b'{"a": [' + b"1.0, " * 6_000_000 + b"2.0]}"}
    packed = pack(parts)
    assert len(packed) > 20_000_000
    assert unpack(io.BytesIO(packed), NAMES) == (parts, True)
    assert len(parse_json(parts["a.json"], len(packed))["a"]) == 6_000_001


@pytest.mark.parametrize(
    "text",
    [
        b"", b"[]", b"1", b"{", b"\xff", b'{"a": "\\ud800"}', b"[" * 100_000,
        b'{"a":' * 100_000, b'{"a": [' + b"{}," * 4_000_000 + b"0]}",
        b'{"a": ' + b"1" * 5000 + b"}",
    ],
)  # fmt: skip
def test_a_text_that_is_no_reasonable_object_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match="."):
        parse_json(text, 1000)


def test_letters_beyond_the_first_plane_are_letters() -> None:
    name = "\N{GRINNING FACE}"
    assert parse_json(json.dumps({"a": name}).encode(), 100) == {"a": name}


def test_arrays_come_back_in_their_order_in_memory() -> None:
    arrays = {"c": np.arange(6.0).reshape(2, 3), "f": np.asfortranarray(np.ones((2, 3)))}
    shapes: dict[str, tuple[int, ...]] = {}
    back = unpack_arrays(pack_arrays(arrays), 1000, shapes.update)
    assert shapes == {"c": (2, 3), "f": (2, 3)}
    for name, array in arrays.items():
        np.testing.assert_array_equal(back[name], array)
        assert back[name].flags.f_contiguous == array.flags.f_contiguous


def test_shapes_are_looked_at_before_the_numbers(message: Message) -> None:
    def refuse(shapes: dict[str, tuple[int, ...]]) -> None:
        raise ValueError(f"{shapes}")

    content = pack_arrays({"a": np.full(3, np.nan)})
    with pytest.raises(ValueError, match=r"'a': \(3,\)"):
        unpack_arrays(content, 1000, refuse)
    with refused(kind=ValueError) as error:
        unpack_arrays(content, 1000, lambda shapes: None)
    message(error)


@pytest.mark.parametrize("kind", ["'|O'", "'<U9'", "'<f4'", "'<i8'", "'>f8'", "[('a', '<f8')]"])
def test_arrays_of_anything_but_numbers_are_refused(kind: str, message: Message) -> None:
    with refused(kind=ValueError) as error:
        unpack_arrays(array_file("8,", kind), 1000, lambda shapes: None)
    message(error, "64")


@pytest.mark.parametrize("shape", ["9,", "7,", "0, 9", "99999999999, 99999999999"])
def test_arrays_of_other_shapes_than_they_hold_are_refused(shape: str) -> None:
    with pytest.raises(ValueError, match="holds"):
        unpack_arrays(array_file(shape, "'<f8'"), 1000, lambda shapes: None)


@pytest.mark.parametrize("content", [b"", b"PK", b"no archive", zipped({"a.py": b""})])
def test_what_holds_no_arrays_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="."):
        unpack_arrays(content, 1000, lambda shapes: None)
