#!/usr/bin/env python3
"""The simulated swarm: `bench/swarm_simulation.py [--long] [--jobs N]` writes docs/benchmarks_swarm.md and its plot.

Times are in S/B: the time that one link takes for the whole dataset. Needs `cmake --build build/test --target
swarm_simulation`. --long adds 10,000 receivers (minutes)."""

import argparse
import concurrent.futures
import json
import os
import pathlib
import statistics
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[1]
PROGRAM = ROOT / "build/test/swarm_simulation"
FAULTS = {"slow": 0.05, "lost": 0.05}
# what it says; the program's arguments; the most that the healthy may take, and the source may send; seeds
ROWS = [
    ("8 receivers, an origin, 64 pieces", {"receivers": 8, "pieces": 64}, 1.25, 1.05, 5),
    ("8 receivers, one holder, 64 pieces", {"receivers": 8, "pieces": 64, "source_is_member": 1}, 1.25, 1.1, 5),
    ("64 receivers", {"receivers": 64, "pieces": 1024}, 1.15, 1.05, 5),
    ("64 receivers, 5 % slow, 5 % lost", {"receivers": 64, "pieces": 1024, **FAULTS}, 1.15, 1.05, 5),
    ("64 receivers, 5 % hang", {"receivers": 64, "pieces": 1024, "lost": 0.05, "hung": 1}, 1.2, 1.05, 5),
    ("1,000 receivers, 5 % slow, 5 % lost", {"receivers": 1000, "pieces": 1024, **FAULTS}, 1.2, 1.05, 3),
]
LONG = [("10,000 receivers, 5 % slow, 5 % lost", {"receivers": 10_000, "pieces": 1024, **FAULTS}, 1.25, 1.05, 1)]


def run(arguments, seed):
    # A sync asks once for each piece: it has one writer.
    command = [PROGRAM, f"seed={seed}", "once=1", *(f"{name}={value}" for name, value in arguments.items())]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode not in (0, 1):
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)


def spread(values):
    return f"{statistics.median(values):.2f} ({min(values):.2f}–{max(values):.2f})"


def plot(path, results):
    out, y = [], 20
    for name, most, _, rounds in results:
        value = statistics.median(r["healthy_last"] for r in rounds)
        colour = "#2a7" if value <= most else "#c63"
        out.append(
            f'<text x="10" y="{y + 11}">{name}</text><rect x="270" y="{y}" width="{240 * value:.0f}" height="14" fill="{colour}"/>'
            f'<line x1="{270 + 240 * most:.0f}" x2="{270 + 240 * most:.0f}" y1="{y - 2}" y2="{y + 16}" stroke="black"/>'
            f'<text x="{276 + 240 * max(value, most):.0f}" y="{y + 11}">{value:.2f}</text>'
        )
        y += 24
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="760" height="{y}" font-family="sans-serif" font-size="12">'
        f'<rect width="100%" height="100%" fill="white"/>{"".join(out)}</svg>\n'
    )


def write(path, results):
    lines = [
        "# The swarm, simulated",
        "",
        "`bench/swarm_simulation.py`: the production choosing (`src/swarm/`) over links in memory (`tests/support/sim_swarm.hpp`), seeds from 1 on:",
        "median (least–most). Times are in S/B, what one link takes for the whole dataset; the source has one link. Slow members",
        "have a quarter of a link; lost ones go in the middle. The line in the plot is the goal.",
        "",
        f"![times]({path.with_suffix('.svg').name})",
        "",
        "| swarm | the last healthy one has all | goal | source sends, datasets | goal | taken over | seeds |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, most, drawn_most, rounds in results:
        lines.append(
            f"| {name} | {spread([r['healthy_last'] for r in rounds])} | {most} | {spread([r['drawn'] for r in rounds])} | {drawn_most} | "
            f"{statistics.median(r['taken_over'] for r in rounds):.0f} | {len(rounds)} |"
        )
    missed = [
        f"- {name}: {what} {statistics.median(values):.2f}, goal {goal}"
        for name, most, drawn_most, rounds in results
        for what, values, goal in (
            ("time", [r["healthy_last"] for r in rounds], most),
            ("source", [r["drawn"] for r in rounds], drawn_most),
        )
        if statistics.median(values) > goal
    ]
    lines += ["", "All goals are met." if not missed else "Not met:", *missed]
    path.write_text("\n".join(lines) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "docs/benchmarks_swarm.md")
    options = parser.parse_args()
    results = []
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for name, arguments, most, drawn_most, seeds in ROWS + (LONG if options.long else []):
            rounds = list(pool.map(lambda seed: run(arguments, seed), range(1, seeds + 1)))
            results.append((name, most, drawn_most, rounds))
            print(
                f"{name}: {spread([r['healthy_last'] for r in rounds])} S/B, source {spread([r['drawn'] for r in rounds])}",
                flush=True,
            )
            if not all(r["ended"] for r in rounds):
                raise SystemExit(f"{name}: some never ended: {rounds}")
    write(options.output, results)
    plot(options.output.with_suffix(".svg"), results)


if __name__ == "__main__":
    main()
