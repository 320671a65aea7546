"""Saved fits that nobody saved: flipped bits, edited fields, altered arrays, and bombs.

Run as a program, this reads each of them under a limit on memory and prints those that ended
otherwise than they may: as an LvkitError, or as a fit equal to the one that was saved.
"""

from __future__ import annotations

import copy
import hashlib
import io
import json
import resource
import struct
import sys
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

CHECKSUMS = "sha256.txt"
MEMORY = 3 * 2**28
"""Bytes that reading a file may ask for, beside what Python and its libraries have reserved."""

Parts = dict[str, bytes]


def members(saved: bytes) -> Parts:
    """The members of a file, without their checksums."""
    with zipfile.ZipFile(io.BytesIO(saved)) as file:
        return {name: file.read(name) for name in file.namelist() if name != CHECKSUMS}


def zipped(parts: Parts) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in parts.items():
            file.writestr(name, content)
    return out.getvalue()


def packed(parts: Parts) -> bytes:
    """A file of these members whose checksums agree, as whoever means to deceive makes it."""
    sums = [f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in parts.items()]
    return zipped(parts | {CHECKSUMS: "".join(sums).encode()})


# -- edits ---------------------------------------------------------------------------------------

HOSTILE: list[Any] = [
    None, True, False, 0, -1, 1, 2**63, 10**400, -(10**400), 0.5, 1e308, float("nan"),
    float("inf"), float("-inf"), "", "x", "é" * 50, "\ud800", "\0", [], {}, [1, "a", None],
    {"a": 1}, [[[[]]]], "float64", "U1000000000", "object", "datetime64[ns]", "category",
]  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON value but its root."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, each in pairs if isinstance(value, (dict, list)) else ():
        yield (*path, key)
        if isinstance(each, (dict, list)):
            yield from places(each, (*path, key))


def edited_text(parts: Parts, rng: np.random.Generator) -> Parts:
    """One place of the text changed, deleted or added to."""
    text = json.loads(parts["fit.json"])
    every = sorted(places(text), key=lambda path: (len(path), str(path)))
    *way, last = every[int(rng.integers(len(every)))]
    holder = text
    for key in way:
        holder = holder[key]
    kind = rng.integers(6)
    if kind == 0:
        del holder[last]
    elif kind == 1 and isinstance(holder, dict):
        holder["another"] = 1
    elif kind == 1:
        holder.append(copy.deepcopy(holder[last]))
    elif kind == 2 and isinstance(holder[last], float):
        holder[last] = holder[last] * 1.001 + 0.001
    else:
        holder[last] = HOSTILE[int(rng.integers(len(HOSTILE)))]
    return parts | {"fit.json": json.dumps(text).encode()}


def edited_arrays(parts: Parts, rng: np.random.Generator) -> Parts:
    """One array changed, deleted, or given another shape or type."""
    with np.load(io.BytesIO(parts["arrays.npz"])) as old:
        arrays: dict[str, Any] = {name: old[name] for name in old.files}
    name = sorted(arrays)[int(rng.integers(len(arrays)))]
    array = arrays[name]
    changed = array.copy()
    at = np.unravel_index(int(rng.integers(array.size)), array.shape)
    changed[at] = rng.choice([np.nan, np.inf, -1e308, 1e308, changed[at] + 0.01, -1.0])
    choices = [
        changed, changed, changed, array[:-1], array[None], array.astype("f4"),
        array.astype(complex), array.astype(object), array.astype("U8"), array.ravel(), None,
    ]  # fmt: skip
    arrays[name] = choices[int(rng.integers(len(choices)))]
    if rng.integers(10) == 0:
        arrays["another"] = array
    out = io.BytesIO()
    np.savez(out, **{key: value for key, value in arrays.items() if value is not None})
    return parts | {"arrays.npz": out.getvalue()}


def flipped(saved: bytes, rng: np.random.Generator) -> bytes:
    content = bytearray(saved)
    for position in rng.integers(len(content), size=int(rng.integers(1, 4))):
        content[position] ^= 1 << int(rng.integers(8))
    return bytes(content)


def cut(saved: bytes, rng: np.random.Generator) -> bytes:
    at = int(rng.integers(len(saved)))
    return saved[:at] if rng.integers(2) else saved[:at] + saved[at + int(rng.integers(1, 40)) :]


def edits(saved: bytes, seed: int, count: int) -> Iterator[tuple[str, bytes, bool]]:
    """Files made of a saved one, and whether they must be refused unless equal to it.

    An edit that nothing gives away, in a file without checksums or by somebody who renews them, may
    be another good fit.
    """
    parts, sums = members(saved), checksums(saved)
    ways = [edited_text, edited_text, edited_arrays, flipped, cut]
    for number in range(count):
        way, rng = ways[number % len(ways)], np.random.default_rng([seed, number])
        if way in (flipped, cut):
            yield f"{way.__name__} {number}", way(saved, rng), True
            continue
        edited = way(parts, rng)
        yield f"{way.__name__} {number}", packed(edited) if sums else zipped(edited), False
        if sums and edited != parts:
            yield f"{way.__name__} {number} by accident", zipped(edited | sums), True


def checksums(saved: bytes) -> Parts:
    """The member with the checksums, if there is one."""
    with zipfile.ZipFile(io.BytesIO(saved)) as file:
        return {CHECKSUMS: file.read(CHECKSUMS)} if CHECKSUMS in file.namelist() else {}


# -- bombs ---------------------------------------------------------------------------------------


def bombs(saved: bytes) -> Iterator[tuple[str, bytes]]:
    """Small files that expand, nest or claim without measure."""
    parts = members(saved)
    yield "spaces", bomb(parts, "fit.json", b" ")
    yield "zeros", bomb(parts, "arrays.npz", b"\0")
    yield "spaces that claim to be few", bomb(parts, "fit.json", b" ", claimed=1000)
    for what in ("[", '{"a":', '{"model":' + "[" * 10):
        yield f"nested {what[:4]}", packed(parts | {"fit.json": what.encode() * 200_000})
    for what in ("[],", "{},", '"aa",', "9999,", "null,"):
        for size in (12, 48):
            filled = b'{"panel":[' + what.encode() * (size * 2**20 // len(what)) + b"0]}"
            yield f"{size} MB of {what}", packed(parts | {"fit.json": filled})
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", method) as file:
            file.writestr("fit.json", b" " * 2**24)
        yield f"method {method}", out.getvalue()
    for shape in ("1000000000, 1000000000", "10" * 25, "0, 99999999999999999999", "4, 2, 1" * 8):
        for kind in ("'<f8'", "'|O'", "'<U1000000000'", "[('a', '<f8')]"):
            yield f"shape {shape} {kind}", packed(parts | {"arrays.npz": array_file(shape, kind)})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that are there twice
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as file:
            for name in [*parts, "fit.json"]:
                file.writestr(name, parts[name])
        yield "a member twice", out.getvalue()
    yield "a member more", packed(parts | {"run.py": b"print()"})
    yield "many members", packed(parts | {f"{n}.json": b"" for n in range(20_000)})


def bomb(parts: Parts, name: str, sign: bytes, claimed: int | None = None) -> bytes:
    """A file with a member of 4 GB, 1 kB for each MB; it may claim to hold less."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    piece = packer.compress(sign * 2**20) + packer.flush(zlib.Z_FULL_FLUSH)
    stream = piece * 4095 + zlib.compressobj(9, zlib.DEFLATED, -15).flush()
    size = 4095 * 2**20 if claimed is None else claimed
    out, listing, count = io.BytesIO(), b"", 0
    for each, content in {**parts, name: stream}.items():
        method = 8 if each == name else 0
        whole = size if each == name else len(content)
        fields = (20, 0, method, 0, 33, zlib.crc32(content), len(content), whole, len(each), 0)
        start = out.tell()
        out.write(struct.pack("<IHHHHHIIIHH", 0x04034B50, *fields) + each.encode() + content)
        listing += struct.pack("<IH", 0x02014B50, 20) + struct.pack("<HHHHHIIIHH", *fields)
        listing += struct.pack("<HHHII", 0, 0, 0, 0, start) + each.encode()
        count += 1
    end = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, count, count, len(listing), out.tell(), 0)
    return out.getvalue() + listing + end


def array_file(shape: str, kind: str) -> bytes:
    """An .npz file whose header claims any shape."""
    header = f"{{'descr': {kind}, 'fortran_order': False, 'shape': ({shape}), }}".encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    content = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + b"\0" * 64
    return zipped({"loadings.npy": content})


# -- the program ---------------------------------------------------------------------------------


def is_equal(found: Any, fit: Any) -> bool:
    """Whether two fits are the same in all that a file keeps."""
    plain = ("model", "panel", "anchors", "loglik", "n_params", "converged", "message", "method",
             "seed")  # fmt: skip
    same = all(getattr(found, name) == getattr(fit, name) for name in plain)
    same &= found.starts.equals(fit.starts) and found.trace.equals(fit.trace)
    records = [None if f.calibration is None else f.calibration.records for f in (found, fit)]
    same &= records[0] is records[1] or bool(records[0].equals(records[1]))
    arrays = [(*vars(f.frame).values(), f.latent_means, f.latent_covariances) for f in (found, fit)]
    return bool(same and all(map(np.array_equal, *arrays)))


def read_all(path: Path, seed: int, count: int) -> Iterator[str]:
    """Read files made of a saved one, and yield those that end otherwise than they may."""
    import lvkit as lv

    saved, hostile = path.read_bytes(), Path(f"{path}.hostile")
    fit = lv.load_fit(path)
    files = [(name, content, True) for name, content in bombs(saved)]
    for name, content, exact in [*files, *edits(saved, seed, count)]:
        hostile.write_bytes(content)
        reserved = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (reserved + MEMORY, resource.RLIM_INFINITY))
        try:
            found = lv.load_fit(hostile)
        except lv.LvkitError as error:
            str(error).encode()
        except BaseException as error:
            yield f"{name}: {type(error).__name__}: {error}"[:300]
        else:
            if exact and not is_equal(found, fit):
                yield f"{name}: another fit"
        finally:
            resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    for line in read_all(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])):
        print(line)
    print(f"peak: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")
