"""Archives: zip files that are read without trusting what they say about themselves.

A saved fit may come from somebody else, and a small file can claim, or expand to, any size. Each
member is therefore measured before and while it is decompressed: an archive may take a multiple of
its own size in memory and no more. Nothing in it can run. Only numbers are read from arrays, and
only plain values from JSON.

An archive also carries the SHA-256 of each of its members. That is a safeguard against accidents,
such as a value edited by hand or a failing disk. It is no safeguard against an attacker, who can
compute checksums too.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from typing import IO, Any, Literal

import numpy as np
import numpy.typing as npt

CHECKSUMS = "sha256.txt"
"""The member that lists the checksums of the others, as ``sha256sum`` does."""

Array = npt.NDArray[np.float64]
Shapes = dict[str, tuple[int, ...]]

_ALWAYS = 16 * 2**20
"""Bytes that the members of an archive may take, however small it is."""

_RATIO = 6
"""Bytes that they may take for each byte of the archive; scores compress by 2 to 4."""

_OBJECTS = 4
"""Bytes that Python's objects may take for each byte that the members may take."""

_COSTS = {b",": 40, b":": 60, b'"': 30, b"[": 72, b"{": 72, b"null": -40}
"""Bytes that a value in JSON takes in memory, by the signs that come with it."""

_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

_ARRAY_HEADER = re.compile(
    rb"\{'descr': '<f8', 'fortran_order': (False|True), 'shape': \(([0-9, ]{0,60})\), \} *\n"
)
_LONGEST_HEADER = 256

_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    ArithmeticError,
    EOFError,
    LookupError,
    RuntimeError,
    UnicodeError,
)
"""What the standard library raises for archives that are none."""


def pack(members: Mapping[str, bytes]) -> bytes:
    """Return an archive of some members, with their checksums.

    Members that compress so well that :func:`unpack` would refuse them are stored as they are.
    """
    sums = [f"{_digest(content)}  {name}\n" for name, content in members.items()]
    everything = {**members, CHECKSUMS: "".join(sums).encode()}
    packed = _zipped(everything, zipfile.ZIP_DEFLATED)
    allowed = _allowed(len(packed))
    texts = [content for name, content in members.items() if name.endswith(".json")]
    if sum(map(len, everything.values())) > allowed or any(
        _cost(text) > _OBJECTS * allowed for text in texts
    ):
        return _zipped(everything, zipfile.ZIP_STORED)
    return packed


def unpack(file: IO[bytes], names: str) -> tuple[dict[str, bytes], bool]:
    """Return the members of an archive, and whether checksums vouch for them.

    Parameters
    ----------
    file : file
        The archive, opened in binary mode.
    names : str
        A regular expression for the members' names.

    Raises
    ------
    ValueError
        If it is not an archive, is damaged or encrypted, holds other members or one member twice,
        or expands to more than an archive of its size can hold.
    """
    try:
        size = file.seek(0, io.SEEK_END)
        with zipfile.ZipFile(file) as archive:
            entries = _checked_entries(archive, f"{names}|{re.escape(CHECKSUMS)}", _allowed(size))
            members = {entry.filename: _member(archive, entry) for entry in entries}
    except OSError as error:
        if error.errno != errno.EINVAL:  # that is a position before the beginning of the file
            raise
        raise ValueError("its listing is damaged") from error
    except _BROKEN as error:
        raise ValueError(str(error) or type(error).__name__) from error
    sums = members.pop(CHECKSUMS, None)
    if sums is not None:
        _check_sums(sums, members)
    return members, sums is not None


def parse_json(text: bytes, size: int) -> dict[str, Any]:
    """Return the JSON object in a member of an archive.

    Parameters
    ----------
    text : bytes
        The member, in UTF-8.
    size : int
        The size of the archive, in bytes.

    Raises
    ------
    ValueError
        If it is no JSON object, is nested too deeply, or would take more memory than an archive of
        this size can ask for.
    """
    if _cost(text) > _OBJECTS * _allowed(size):
        raise ValueError("its text holds more values than a file of its size can hold")
    try:
        parsed = json.loads(text.decode("utf-8"))
        if rb"\ud" in text.lower():  # half a pair of these is no character
            json.dumps(parsed, ensure_ascii=False).encode("utf-8")
    except (UnicodeError, RecursionError) as error:
        raise ValueError(f"its text cannot be read ({error})") from error
    if not isinstance(parsed, dict):
        raise ValueError("its text is not a JSON object")
    return parsed


def pack_arrays(arrays: Mapping[str, Any]) -> bytes:
    """Return arrays as the content of an ``.npz`` file; the archive around it compresses it."""
    packed = io.BytesIO()
    np.savez(packed, **arrays)
    return packed.getvalue()


def unpack_arrays(content: bytes, size: int, check: Callable[[Shapes], None]) -> dict[str, Array]:
    """Return the arrays in the content of an ``.npz`` file.

    Parameters
    ----------
    content : bytes
        The file, which may hold arrays of 64-bit floating-point numbers and nothing else.
    size : int
        The size of the archive that the file is a member of, in bytes.
    check : callable
        Called with the shapes by name before any array is decompressed. It raises a ValueError
        for names and shapes that cannot be right.

    Raises
    ------
    ValueError
        If the content is none, or not all of its numbers are finite.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = _checked_entries(archive, r"\w{1,40}\.npy", _allowed(size))
            headers = {entry.filename[:-4]: _header(archive, entry) for entry in entries}
            check({name: shape for name, (shape, *_) in headers.items()})
            arrays = {}
            for entry, (name, (shape, order, start)) in zip(entries, headers.items(), strict=True):
                numbers = np.frombuffer(_member(archive, entry), "<f8", offset=start)
                arrays[name] = numbers.reshape(shape, order=order)
    except _BROKEN as error:
        raise ValueError(f"its arrays cannot be read ({error})") from error
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise ValueError(f"{name}: not all numbers are finite")
    return arrays


def _allowed(size: int) -> int:
    """Return how many bytes the members of an archive of this size may take."""
    return _ALWAYS + _RATIO * size


def _cost(text: bytes) -> int:
    """Return about how many bytes the values of a JSON text take in memory."""
    return sum(cost * text.count(sign) for sign, cost in _COSTS.items())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _zipped(members: Mapping[str, bytes], compression: int) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", compression) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return packed.getvalue()


def _checked_entries(archive: zipfile.ZipFile, names: str, allowed: int) -> list[zipfile.ZipInfo]:
    """Return the entries of an archive, none of which has been decompressed yet."""
    entries = archive.infolist()
    listed = [entry.filename for entry in entries]
    if len(set(listed)) < len(listed):
        raise ValueError("a member of the archive is there twice")
    for entry in entries:
        if not re.fullmatch(names, entry.filename):
            raise ValueError(f"the archive holds a foreign member, {entry.filename[:60]!r}")
        if entry.flag_bits & 1 or entry.compress_type not in _COMPRESSIONS:
            raise ValueError(f"{entry.filename} is encrypted or compressed by an unknown method")
    if sum(entry.file_size for entry in entries) > allowed:
        raise ValueError("it would expand to more than a file of its size can hold")
    return entries


def _member(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, most: int | None = None) -> bytes:
    """Return a member, or its first bytes; never decompress more than it claims to hold."""
    size = entry.file_size if most is None else min(most, entry.file_size)
    with archive.open(entry) as member:
        content = member.read(size + 1 if most is None else size)
    if len(content) != size:
        raise ValueError(f"{entry.filename} holds {len(content)} bytes, not {size}")
    return content


def _header(
    archive: zipfile.ZipFile, entry: zipfile.ZipInfo
) -> tuple[tuple[int, ...], Literal["C", "F"], int]:
    """Return an array's shape, its order in memory, and where its numbers begin."""
    content = _member(archive, entry, _LONGEST_HEADER)
    start = 10 + int.from_bytes(content[8:10], "little")
    header = _ARRAY_HEADER.fullmatch(content[10:start])
    if content[:8] != b"\x93NUMPY\x01\x00" or header is None:
        raise ValueError(f"{entry.filename} is not an array of 64-bit numbers")
    shape = tuple(int(part) for part in header[2].replace(b" ", b"").split(b",") if part)
    count = 1
    for length in shape:
        count *= length
    if start + 8 * count != entry.file_size:
        raise ValueError(f"{entry.filename} holds {entry.file_size} bytes, not {8 * count}")
    return shape, "F" if header[1] == b"True" else "C", start


def _check_sums(sums: bytes, members: Mapping[str, bytes]) -> None:
    """Refuse members that differ from what their checksums say."""
    expected = "".join(f"{_digest(content)}  {name}\n" for name, content in members.items())
    if sorted(sums.decode("utf-8").splitlines()) != sorted(expected.splitlines()):
        raise ValueError("its content does not match its checksum: it was changed after saving")
