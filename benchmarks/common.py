"""What the benchmarks share: clocks, the machine's description, the peer, and where tables go.

Importing it holds the process, and those it starts, to one thread of linear algebra.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from importlib.metadata import version
from pathlib import Path

from threadpoolctl import threadpool_limits

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"
threadpool_limits(limits=1, user_api="blas")

HERE = Path(__file__).resolve().parent
REFERENCE = HERE.parent / "tests" / "reference"
ANCHORS = {
    "mathematics": "math_lvl5",
    "instruction": "ifeval",
    "commonsense": "hellaswag",
    "reasoning": "bbh",
}


class Clock:
    """Wall and CPU seconds of repeated runs."""

    def __init__(self) -> None:
        self.wall: list[float] = []
        self.cpu: list[float] = []

    def time(self, work: Callable[[], object]) -> object:
        """Run once and keep the times."""
        wall, cpu = time.perf_counter(), time.process_time()
        result = work()
        self.add(time.perf_counter() - wall, time.process_time() - cpu)
        return result

    def add(self, wall: float, cpu: float) -> None:
        """Keep times measured elsewhere."""
        self.wall.append(wall)
        self.cpu.append(cpu)

    def medians(self) -> tuple[float, float]:
        """Median wall and CPU seconds."""
        return statistics.median(self.wall), statistics.median(self.cpu)


class Peer(AbstractContextManager["Peer"]):
    """TMB in its own process: fits once for each line it is sent; see tests/reference."""

    def __init__(self, panel: str) -> None:
        build = os.environ.get("LVKIT_TMB_BUILD")
        self._scratch = None if build else tempfile.TemporaryDirectory()
        build = build or str(self._scratch.name)  # type: ignore[union-attr]
        self._process = subprocess.Popen(
            ["Rscript", "reference.R", panel, "--watch"],
            cwd=REFERENCE,
            env=os.environ | {"LVKIT_TMB_BUILD": build},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        line = self._read("ready")
        self.compile_seconds = float(line.split()[1])

    @staticmethod
    def available() -> bool:
        """Whether R and TMB are installed."""
        if shutil.which("Rscript") is None:
            return False
        found = subprocess.run(["Rscript", "-e", "library(TMB)"], capture_output=True, check=False)
        return found.returncode == 0

    def _read(self, beginning: str) -> str:
        """Return the next line that begins so; the compiler's messages come before it."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith(beginning):
                return line
        raise RuntimeError("the peer stopped: run Rscript tests/reference/reference.R to see why")

    def fit(self) -> dict[str, float]:
        """Fit once."""
        assert self._process.stdin is not None
        self._process.stdin.write("fit\n")
        self._process.stdin.flush()
        return json.loads(self._read("{"))

    def __exit__(self, *_: object) -> None:
        self._process.communicate()
        if self._scratch is not None:
            self._scratch.cleanup()


def fresh(code: str, *arguments: str) -> dict[str, float]:
    """Run Python code in a process of its own; it prints one line of JSON last."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def machine() -> dict[str, object]:
    """Describe where this runs, without paths or names."""
    info = Path("/proc/cpuinfo")
    text = info.read_text() if info.exists() else ""
    found = re.search(r"model name\s*:\s*(.+)", text)
    packages = ("numpy", "scipy", "pandas", "joblib")
    return {
        "cpu": found.group(1) if found else platform.processor(),
        "cores": os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 2),
        "system": platform.system(),
        "python": platform.python_version(),
        "date": time.strftime("%Y-%m-%d"),
        **{name: version(name) for name in packages},
    }


def markdown(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def publish(name: str, where: dict[str, object], data: object, table: str) -> None:
    """Store results as JSON, put their table into README.md and print it."""
    target = HERE / "results" / f"{name}.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps({"machine": where, "results": data}, indent=2) + "\n")
    readme = HERE / "README.md"
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    text = readme.read_text()
    before, rest = text.split(begin)
    after = rest.split(end)[1]
    about = (
        f"{where['cpu']}, {where['cores']} cores, Python {where['python']}, "
        f"numpy {where['numpy']}, {where['date']}; load average before: {where['load_before']}."
    )
    readme.write_text(f"{before}{begin}\n{table}\n\n{about}\n{end}{after}")
    print(table)
