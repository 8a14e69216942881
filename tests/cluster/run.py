#!/usr/bin/env python3
"""Runs the scenarios on one real cluster. Needs root. Arguments: names of scenarios or files (none: all), --but FILE, --verbose,
--quiet-machine only|not: those alone that must have this machine to themselves, or all others.

Each scenario is a function `NAME(kit, scene)` in tests/cluster/scenarios/*.py; its name says the behaviour. One that passes
is a line of output when all are run, and what it skipped (each check is printed when scenarios were named, and at --verbose). A failing one prints
its checks and what the controller and the agents said; the others still run. Those marked @beside_others run first, LANES at
a time, then those marked @on_its_own_node, which wait more; the rest have the cluster to themselves.
"""

import argparse
import concurrent.futures
import contextlib
import importlib
import inspect
import io
import os
import pathlib
import shutil
import sys
import threading
import time

LANES = {"others": 2, "others with nodes of their own": 3, None: 1}  # scenarios at a time, by their company
ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from tests.cluster.kit import Kit, Scene, run  # noqa: E402
from tests.support.harness import skip  # noqa: E402


def scenarios(wanted, but, quiet):
    out = []
    for path in sorted((ROOT / "tests/cluster/scenarios").glob("*.py")):
        module = importlib.import_module(f"tests.cluster.scenarios.{path.stem}")
        for name, function in vars(module).items():
            own = inspect.isfunction(function) and function.__module__ == module.__name__ and not name.startswith("_")
            if (
                own
                and path.stem not in but
                and (not quiet or (quiet == "only") == getattr(function, "needs_quiet", False))
                and list(inspect.signature(function).parameters) == ["kit", "scene"]
                and (not wanted or path.stem in wanted or name in wanted)
            ):
                out.append((path.stem, name, function))
    return out


def explain_failure(kit, problem, during=""):
    print(f"  FAILED: {during}{type(problem).__name__} {problem}")
    for app in ("zcdp-controller", "zcdp-agent"):
        print(
            run(
                "kubectl", "-n", "zcdp-system", "logs", "-l", f"app={app}", "--tail", "15", "--prefix", check=False
            ).stdout[-6000:]
        )
    print(run("kubectl", "get", "nodes,nodedatasets,datasets,datasetclaims,pods", "-A", check=False).stdout[-6000:])


def attempt(kit, name, function):
    """Whether the scenario passed; prints its checks, and why it failed."""
    try:
        with Scene(kit, name) as scene:
            try:
                function(kit, scene)
                return True
            except (Exception, SystemExit) as problem:  # also a server that cannot be had here
                explain_failure(kit, problem)  # while it is all still there
    except Exception as problem:
        explain_failure(kit, problem, "making or clearing the scene: ")
    return False


class PerThread(io.TextIOBase):
    """What each thread prints while it keeps, and the process's output otherwise."""

    def __init__(self, output):
        self.output, self.kept = output, threading.local()

    def keep(self):
        self.kept.text = io.StringIO()

    def take(self):
        text, self.kept.text = self.kept.text.getvalue(), None
        return text

    def write(self, text):
        return (getattr(self.kept, "text", None) or self.output).write(text)

    def flush(self):
        self.output.flush()


class Results:
    """Runs scenarios and says how each went, at once when it failed or all is to be seen. Thread rule: any thread."""

    def __init__(self, verbose):
        self.verbose, self.failed, self.quiet = verbose, [], []
        self.output = PerThread(sys.stdout)

    def of(self, kit, group, name, function):
        began = time.monotonic()
        if self.verbose:
            print(f"{group}: {name}", flush=True)
        else:
            self.output.keep()
        passed = attempt(kit, name, function)
        took = f"{time.monotonic() - began:.1f} s"
        if self.verbose:
            print(f"{'ok  ' if passed else 'FAIL'} {group}: {name} ({took})", flush=True)
        else:
            said = self.output.take()
            summary = f"{'ok  ' if passed else 'FAIL'} {group}: {name} ({said.count('  ok  ')} checks, {took})"
            if passed:  # after what failed, which a CI's log should begin with
                self.quiet += [summary, *(line for line in said.splitlines() if "skipped:" in line)]
            else:
                print(said + summary, flush=True)
        if not passed:
            self.failed.append(name)


def main():
    if os.geteuid() != 0:
        skip("the cluster needs root")
    for tool in ("etcd", "containerd", "runc", "ip", "nft", "curl"):
        if not shutil.which(tool):
            skip(f"the cluster needs {tool}")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--but", action="append", default=[], metavar="FILE")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--quiet-machine", choices=("only", "not"))
    options = parser.parse_args()
    verbose = bool(options.names) or options.verbose
    chosen = scenarios(options.names, options.but, options.quiet_machine)
    if not chosen:
        print("no such scenario")
        return 1
    results = Results(verbose)
    started = time.monotonic()
    with Kit() as kit, contextlib.redirect_stdout(results.output):
        kit.install()
        for company, count in LANES.items():
            together = [one for one in chosen if getattr(one[2], "company", None) == company]
            with concurrent.futures.ThreadPoolExecutor(1 if verbose else count) as lanes:
                list(lanes.map(lambda one: results.of(kit, *one), together))
        checks = kit.checks
    print("\n".join(results.quiet))
    print(
        f"{len(chosen)} scenarios, {checks} checks, {len(results.failed)} failed in {time.monotonic() - started:.0f} s{': ' + ', '.join(results.failed) if results.failed else ''}"
    )
    return 1 if results.failed or checks == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
