"""How long do fits take, beside TMB in the same run, and how much memory?

python benchmarks/bench_speed.py        (about two minutes; several more where TMB has to compile)
"""

from __future__ import annotations

import argparse
import statistics
from contextlib import ExitStack

from common import ANCHORS, Clock, Peer, fresh, machine, markdown, publish

import lvkit as lv

REPEATS = 5
TARGETS = {"complete": 1.0, "all": 3.0, "select": 25.0, "memory": 500.0, "import": 0.3}

SELECT = """
import json, resource, sys, time
from joblib.externals.loky import get_reusable_executor
import lvkit as lv
if __name__ == "__main__":
    panel = lv.load_leaderboard()
    began = time.perf_counter()
    found = lv.select_skills(panel, range(1, 7), n_jobs=int(sys.argv[1]))
    seconds = time.perf_counter() - began
    get_reusable_executor().shutdown(wait=True)  # so that the workers' time is counted
    own, workers = (resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    cpu = sum(r.ru_utime + r.ru_stime for r in (own, workers))
    memory = own.ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "cpu_seconds": cpu, "memory_mb": memory,
                      "loglik": [round(x, 2) for x in found.table["loglik"]]}))
"""

FIT = """
import json, resource
import lvkit as lv
lv.LatentSkillModel(n_skills=4).fit(lv.load_leaderboard())
print(json.dumps({"memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
"""

IMPORT = """
import json, time
import numpy, pandas
began = time.perf_counter()
import lvkit
bare = time.perf_counter() - began
lvkit.load_leaderboard, lvkit.LatentSkillModel, lvkit.select_skills
print(json.dumps({"bare": bare, "names": time.perf_counter() - began}))
"""


def fits(which: str, with_peer: bool) -> dict[str, object]:
    """Time lvkit and TMB in turn."""
    panel = lv.load_leaderboard()
    if which == "complete":
        panel = panel.complete()
    model = lv.LatentSkillModel(anchors=ANCHORS)
    ours, theirs = Clock(), Clock()
    fit = model.fit(panel)  # once, so that lazy imports are done
    found: dict[str, object] = {"models": fit.n_models, "loglik": fit.loglik}
    with ExitStack() as stack:
        peer = stack.enter_context(Peer(which)) if with_peer else None
        for _ in range(REPEATS):
            ours.time(lambda: model.fit(panel))
            if peer is not None:
                run = peer.fit()
                theirs.add(run["fit_seconds"], run["fit_cpu_seconds"])
                found["peer_loglik"] = run["loglik"]
    found["seconds"], found["cpu_seconds"] = ours.medians()
    if with_peer:
        found["peer_seconds"], found["peer_cpu_seconds"] = theirs.medians()
        found["compile_seconds"] = peer.compile_seconds if peer else None
    return found


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--no-peer", action="store_true", help="leave TMB out")
    with_peer = not parser.parse_args().no_peer and Peer.available()
    where = machine()
    data = {which: fits(which, with_peer) for which in ("complete", "all")}
    imports = [fresh(IMPORT) for _ in range(7)]
    data["import"] = {
        name: statistics.median(run[name] for run in imports) for name in ("bare", "names")
    }
    data["fit_memory"] = fresh(FIT)
    data["select_two"] = fresh(SELECT, "2")
    data["select_one"] = fresh(SELECT, "1")
    publish("speed", where, data, _table(data, with_peer))


def _table(data: dict[str, dict[str, object]], with_peer: bool) -> str:
    rows = []
    for which in ("complete", "all"):
        run = data[which]
        row = [f"K = 4, {run['models']} models, one thread", f"{run['seconds']:.2f} s"]
        row += [f"{run['cpu_seconds']:.2f} s", f"< {TARGETS[which]:g} s"]
        if with_peer:
            ratio = run["peer_cpu_seconds"] / run["cpu_seconds"]
            row += [f"{run['peer_seconds']:.2f} s", f"{run['peer_cpu_seconds']:.2f} s"]
            row += [f"{ratio:.1f}"]
        rows.append(row)
    two, one = data["select_two"], data["select_one"]
    memory = max(one["memory_mb"], data["fit_memory"]["memory_mb"])
    rows += [
        [
            "`select_skills`, K = 1..6, 184 models, two workers",
            f"{two['seconds']:.1f} s",
            f"{two['cpu_seconds']:.1f} s",
            f"< {TARGETS['select']:g} s",
        ],
        ["the same, one worker", f"{one['seconds']:.1f} s", f"{one['cpu_seconds']:.1f} s", ""],
        [
            "`import lvkit`, more than numpy and pandas",
            f"{data['import']['bare']:.2f} s",
            "",
            f"<= {TARGETS['import']:g} s",
        ],
        ["the same, and its main names used", f"{data['import']['names']:.2f} s", "", ""],
        ["peak memory of all that", f"{memory:.0f} MB", "", f"< {TARGETS['memory']:g} MB"],
    ]
    columns = ["what", "lvkit, wall", "lvkit, CPU", "target"]
    if with_peer:
        columns += ["TMB, wall", "TMB, CPU", "CPU, TMB / lvkit"]
    return markdown(columns, [row + [""] * (len(columns) - len(row)) for row in rows])


if __name__ == "__main__":
    main()
