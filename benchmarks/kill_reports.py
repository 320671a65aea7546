"""Is anything damaged or lost when batches of reports are killed? Twenty times, with signal 9.

python benchmarks/kill_reports.py      (about twenty minutes of two cores)

A batch of family reports runs undisturbed once. Then, in each round, the same batch is started in
an empty folder and killed at a random moment, with its kernels left to notice; what is stored by
then is looked at, and the batch is started again with ``--resume``. After each round every report
has to be there, whole, with the numbers of the undisturbed batch, and nothing else in the folder.
The moments come from a seed; a batch that ends before its moment comes does not count, and the next
moment is taken. Rounds that are done are kept in the results, so that the script goes on where it
stopped.
"""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from common import HERE, machine

ROUNDS, SEED = 20, 1
GRID = {"about": ["gemma-2", "pythia"], "budget": ["1e22", "1e23"]}
OUTCOME = HERE / "results" / "kill_reports.json"

# Numbers and places that differ between two runs of the same: when it was, and where.
_PASSING = {"cache", "seconds"}


def command(output: Path) -> list[str]:
    """Return the command line of the batch."""
    grid = [
        part for name, values in GRID.items() for part in ("--grid", f"{name}={','.join(values)}")
    ]
    start = [sys.executable, "-m", "lvkit", "report", "--template", "family", *grid]
    return [*start, "--output", str(output), "--jobs", "2", "--resume"]


def steady(value: Any) -> Any:
    """Return a document without what differs between two runs of the same."""
    if isinstance(value, dict):
        return {name: steady(item) for name, item in value.items() if name not in _PASSING}
    return [steady(item) for item in value] if isinstance(value, list) else value


def numbers(output: Path) -> dict[str, Any]:
    """Return the key numbers of all reports, by run."""
    files = sorted(output.glob("runs/*/report.json"))
    return {file.parent.name: steady(json.loads(file.read_text("utf-8"))) for file in files}


def damaged(output: Path) -> list[str]:
    """Return the files of a batch that are not what its records say, and those of no run."""
    passing = [*output.glob("runs/.lvkit-*"), *output.glob(".lvkit-work-*")]
    found = [str(path) for path in passing]
    for run in output.glob("runs/[!.]*"):
        try:
            record = json.loads((run / "run.json").read_text("utf-8"))
            hashes = record["files"]
        except (OSError, ValueError, KeyError):
            found.append(str(run))
            continue
        for name, expected in hashes.items():
            if hashlib.sha256((run / name).read_bytes()).hexdigest() != expected:
                found.append(str(run / name))
    return found


def killed(output: Path, seconds: float) -> dict[str, Any]:
    """Start the batch and kill it after some seconds; return what is there then."""
    process = subprocess.Popen(
        command(output), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    code = process.wait()
    whole = [path for path in damaged(output) if "/.lvkit-" not in path]
    there = len([*output.glob("runs/[!.]*")])
    return {"killed_after": round(seconds, 2), "code": code, "there": there, "damaged": whole}


def one_round(place: Path, seconds: float, expected: dict[str, Any]) -> dict[str, Any]:
    """Kill a batch, resume it and return what was found."""
    output = place / "killed"
    shutil.rmtree(output, ignore_errors=True)
    found = killed(output, seconds)
    began = time.perf_counter()
    done = subprocess.run([*command(output), "--json"], capture_output=True, text=True)
    runs = json.loads(done.stdout)["runs"] if done.returncode == 0 else []
    return found | {
        "resumed_code": done.returncode,
        "resumed_seconds": round(time.perf_counter() - began, 1),
        "kept": sum(run["kept"] for run in runs),
        "missing": sorted({*expected} - {*numbers(output)}),
        "same_numbers": numbers(output) == expected,
        "damaged_afterwards": damaged(output),
    }


def main(rounds: int = ROUNDS) -> None:
    """Kill batches until as many rounds are done, and store what was found."""
    told = {"grid": GRID, "seed": SEED, "machine": machine()}
    stored = json.loads(OUTCOME.read_text("utf-8")) if OUTCOME.is_file() else {}
    same = stored.get("grid") == GRID and stored.get("seed") == SEED
    results: list[dict[str, Any]] = stored["rounds"] if same else []
    chance = random.Random(SEED)
    for _ in results:
        chance.random()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        began = time.perf_counter()
        subprocess.run(command(place / "undisturbed"), check=True, stdout=subprocess.DEVNULL)
        whole = time.perf_counter() - began
        expected = numbers(place / "undisturbed")
        while sum(found["code"] == -signal.SIGKILL for found in results) < rounds:
            results.append(one_round(place, chance.random() * whole, expected))
            print(json.dumps(results[-1]), flush=True)
            document = told | {"undisturbed_seconds": round(whole, 1), "runs": len(expected)}
            OUTCOME.write_text(json.dumps(document | {"rounds": results}, indent=2) + "\n")
    sound = [found for found in results if found["same_numbers"] and not found["missing"]
             and not found["damaged"] and not found["damaged_afterwards"]]  # fmt: skip
    print(f"{len(sound)} of {len(results)} rounds without damage, loss or other numbers")
    if len(sound) < len(results):
        raise SystemExit(1)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
