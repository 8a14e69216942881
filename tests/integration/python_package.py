#!/usr/bin/env python3
# ctest: 600 busy
"""The Python package as people get it: the wheel and the sdist are built (twice, byte for byte equal), looked at by twine,
check-wheel-contents, mypy and pyright, installed in every way that pip knows into every CPython from 3.9 on that is here, and
python/tests runs there against a real metadata server."""

import concurrent.futures
import functools
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile

from tests.support.data_stores import DataStore
from tests.support.harness import CACHE, ROOT, ZCDP, Failed, TestRun, clean_env, skip

PYTHON = ROOT / "python"
OLDEST, NEWEST = 9, 14  # CPython 3.x: those between them that are not here are named
TOOLS = CACHE / "venv-python-checks/bin"
PLATFORMS = ("manylinux_2_17", "manylinux2014", "musllinux_1_1")

# What a user's type checker sees of the installed package.
TYPED = """
from pathlib import Path
import zcdp

version: int = zcdp.put("k", src=Path("d"), progress=lambda now: print(now.bytes_done)).version
where: Path = zcdp.get(["k", "l"], "d", timeout=1.5).parts[0].path
names: list[str] = [item.name for item in zcdp.ls(recursive=True)]

async def main() -> int:
    return (await zcdp.aio.put("k", "d", if_version=3)).files
"""
BARS = """
import tqdm
import zcdp

zcdp.put("k", "d", progress=tqdm.tqdm)
zcdp.get("k", progress=tqdm.tqdm(unit="B"))
"""
MISTYPED = 'import zcdp\nzcdp.put("k", src="d", if_version="3")\nzcdp.get("k").no_such_member\nzcdp.aio.ls("k", 1, 2, 3, 4, 5)\n'


def need():
    command = f". {ROOT}/scripts/lib/venv.sh && need_wheelhouse && need_python_checks && . {ROOT}/scripts/lib/npm.sh && need_pyright"
    if subprocess.run(["bash", "-c", command]).returncode != 0:
        skip("hatchling, mypy, twine, check-wheel-contents and pyright cannot be installed here")


def run(*command, env=None, cwd=None, fails=False):
    """What the command printed. Failed when it ended otherwise than it should."""
    done = subprocess.run(
        list(map(str, command)),
        env={**clean_env(), "PYTHONDONTWRITEBYTECODE": "1", "ZCDP_BIN": "", **(env or {})},
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    if (done.returncode != 0) != fails:
        raise Failed(f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stdout[-6000:]}")
    return done.stdout


def pythons():
    """{minor: path} of the CPythons here."""
    home = pathlib.Path.home()
    places = [sys.executable, *map(str, home.glob(".pyenv/versions/*/bin/python3"))]
    names = ["python3", *(f"python3.{minor}" for minor in range(OLDEST, NEWEST + 1))]
    places += [
        f"{folder}/{name}" for folder in os.environ["PATH"].split(":") for name in names if "shims" not in folder
    ]
    program = "import sys; v = sys.version_info; print(sys.implementation.name, v.major, v.minor, sys.prefix == sys.base_prefix)"
    found = {}
    for path in dict.fromkeys(places):
        if os.access(path, os.X_OK):
            done = subprocess.run([path, "-c", program], capture_output=True, text=True)
            if done.returncode == 0 and done.stdout.startswith("cpython 3 ") and "True" in done.stdout:
                found.setdefault(int(done.stdout.split()[2]), path)
    return {minor: found[minor] for minor in sorted(found) if minor >= OLDEST}


def built(bench):
    """(wheel, sdist), from two builds in other folders."""
    env = {"ZCDP_BIN": ZCDP, "SOURCE_DATE_EPOCH": "1700000000"}
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        folders = [bench.path("dist"), bench.path("again")]
        list(pool.map(lambda folder: run(ROOT / "scripts/wheel", folder, env=env), folders))
    one, other = ({path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders)
    bench.equal("a wheel and an sdist are built", sorted(pathlib.Path(name).suffix for name in one), [".gz", ".whl"])
    bench.check("the same tree and executable give the same bytes", one == other, sorted(one))
    return next(folders[0].glob("*.whl")), next(folders[0].glob("*.tar.gz"))


def contents(bench, wheel, sdist):
    with zipfile.ZipFile(wheel) as archive:
        names = {re.sub(r"^zcdp-[^/]*\.", "", name): name for name in archive.namelist()}
        about = archive.read(names["dist-info/WHEEL"]).decode()
        modes = {name: archive.getinfo(name).external_attr >> 16 & 0o777 for name in archive.namelist()}
        metadata = archive.read(names["dist-info/METADATA"]).decode()
    bench.check("the wheel is of one platform", "Root-Is-Purelib: false" in about, about)
    bench.check("and its tags are those of a static executable", all(tag in about for tag in PLATFORMS), about)
    bench.check(
        "it has type hints, the licence and no tests", {"zcdp/py.typed", "dist-info/licenses/LICENSE"} <= names.keys()
    )
    bench.check(
        "nothing else lies in it", {name.split("/")[0] for name in names} == {"zcdp", "data", "dist-info"}, names
    )
    bench.equal("the executable is one", modes[names["data/scripts/zcdp"]], 0o755)
    bench.check(
        "it needs nothing, of Python 3.9 or later",
        "Requires-Dist" not in metadata and "Requires-Python: >=3.9" in metadata,
    )
    with tarfile.open(sdist) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames()}
    bench.check(
        "the sdist has sources and tests",
        {"src/zcdp/__init__.py", "tests/test_store.py", "build_hook.py", "LICENSE"} <= names,
    )
    bench.check("and no executable", "zcdp" not in names, names)
    run(TOOLS / "twine", "check", "--strict", wheel, sdist)
    run(TOOLS / "check-wheel-contents", wheel)
    bench.check("twine and check-wheel-contents find nothing", True)
    taken = [
        "--only-binary=:all:",
        "--no-index",
        "--no-deps",
        "-q",
        "-d",
        bench.path("taken"),
        "--find-links",
        wheel.parent,
    ]
    for platform in (f"{PLATFORMS[0]}_x86_64", f"{PLATFORMS[-1]}_x86_64"):
        run(TOOLS / "pip", "download", "--platform", platform, *taken, "zcdp")
    run(TOOLS / "pip", "download", "--platform", "manylinux_2_17_s390x", *taken, "zcdp", fails=True)
    bench.check("pip takes it for glibc and musl of this machine, and for no other machine", True)


def platforms(bench):
    """What the build hook makes of an executable's header."""
    program = "import sys, build_hook; print(build_hook.platform_of(sys.argv[1]))"

    def asked(path, **options):
        env = {"PYTHONPATH": str(PYTHON)}
        return run(CACHE / "venv-hatchling/bin/python", "-c", program, path, env=env, **options)

    other = bench.path("other")
    content = bytearray(pathlib.Path(ZCDP).read_bytes())
    content[18:20] = (183).to_bytes(2, "little")
    other.write_bytes(content)
    bench.check("an executable for Arm makes a wheel for Arm", "musllinux_1_1_aarch64" in asked(other))
    content[18:20] = (22).to_bytes(2, "little")
    other.write_bytes(content)
    bench.check("one for another machine none", "ELF machine 22" in asked(other, fails=True))
    other.write_bytes(b"#!/bin/sh\n")
    bench.check("a script neither", "no 64-bit" in asked(other, fails=True))
    bench.check("nor one that needs a libc", "linked dynamically" in asked(shutil.which("true"), fails=True))


def typed(bench, python):
    """The sources, and what a user's checker sees of the installed package."""
    user = bench.path("user")
    user.mkdir()
    (user / "typed.py").write_text(TYPED)
    (user / "mistyped.py").write_text(MISTYPED)
    pyright = CACHE / "pyright/node_modules/.bin/pyright"
    mypy = [TOOLS / "mypy", "--cache-dir", CACHE / "mypy"]
    run(pyright, "-p", PYTHON, "--pythonpath", TOOLS / "python")
    (user / "bars.py").write_text(BARS)
    run(*mypy, "src", "tests", "build_hook.py", user / "bars.py", cwd=PYTHON)
    theirs = [*mypy, "--strict", "--python-executable", python]
    run(*theirs, user / "typed.py", cwd=user)
    found = run(*theirs, user / "mistyped.py", cwd=user, fails=True)
    bench.check("mypy --strict and pyright find nothing in it", True)
    bench.check(
        "and users' mistakes with it are found",
        set(re.findall(r"^mistyped.py:(\d+): error", found, re.M)) == {"2", "3", "4"},
        found,
    )


def installed(python, folder, wheel):
    """A venv of this Python with the wheel, and no pip of its own; its Python."""
    run(python, "-m", "venv", "--without-pip", folder)
    run(TOOLS / "pip", "--python", folder / "bin/python", "install", "-q", "--no-index", "--no-deps", wheel)
    return folder / "bin/python"


def suite(bench, minor, python, wheel):
    """python/tests in a venv and with a store of its own."""
    mine = installed(python, bench.path(f"venv-{minor}"), wheel)
    store = store_for(bench, f"store-{minor}")
    out = run(mine, "-X", "dev", "-m", "unittest", "discover", "-b", "-s", "tests", "-t", ".", env=store, cwd=PYTHON)
    ran = re.search(r"Ran (\d+) tests", out)
    all_of_them = ran and int(ran[1]) > 50 and "skipped" not in out
    bench.check(f"python/tests with CPython 3.{minor}: {ran and ran[1]} tests", all_of_them, out[-300:])


FIND = "import os, zcdp; print(os.path.relpath(zcdp.find_zcdp_bin(), os.environ['TOP'])); zcdp.ls()"


def ways(bench, python, wheel, sdist, store):
    """Each way in which pip puts the executable somewhere else, and the two without one."""
    top = bench.path("ways")
    top.mkdir()
    pip = [TOOLS / "pip", "install", "-q", "--no-index", "--no-deps"]
    version = run(python, "-c", "import sys; print('python%d.%d' % sys.version_info[:2])").strip()

    def found(way, where, *command, **env):
        nowhere = {"TOP": str(top), "PATH": "/usr/bin:/bin", "HOME": str(top), **store, **env}
        bench.equal(way, run(*command, "-c", FIND, env=nowhere, cwd=top).strip(), where)

    venv = installed(python, top / "venv", wheel)
    found("in a venv", "venv/bin/zcdp", venv)
    shell = {**store, "PATH": f"{top}/venv/bin:/usr/bin:/bin"}
    bench.equal("zcdp is a command", run("zcdp", "version", env=shell), run(ZCDP, "version"))
    bench.equal("python -m zcdp is it, too", run(venv, "-m", "zcdp", "version", env=shell), run(ZCDP, "version"))
    bench.check("with its exit codes", "no command" in run(venv, "-m", "zcdp", "synk", env=shell, fails=True))
    run(*pip, "--target", top / "target", wheel)
    found("pip install --target", "target/bin/zcdp", python, PYTHONPATH=str(top / "target"))
    program = f"import zcdp; zcdp.put('bar', {str(wheel)!r}, progress=True); zcdp.rm('bar')"
    drawn = run(TOOLS / "python", "-c", program, env={**store, "PYTHONPATH": str(top / "target")})
    bench.check("progress=True is tqdm where it is installed", "put bar: 100%" in drawn, drawn)
    run(
        TOOLS / "pip",
        "--python",
        python,
        "install",
        "-q",
        "--no-index",
        "--no-deps",
        "--prefix",
        top / "prefix",
        "--ignore-installed",
        wheel,
    )
    site = next(top.glob(f"prefix/**/{version}/*-packages"))
    found("pip install --prefix", f"{site.parents[2].relative_to(top)}/bin/zcdp", python, PYTHONPATH=str(site))
    home = {"PYTHONUSERBASE": str(top / "home"), "PIP_BREAK_SYSTEM_PACKAGES": "1"}
    run(TOOLS / "pip", "--python", python, "install", "-q", "--no-index", "--no-deps", "--user", wheel, env=home)
    found("pip install --user", "home/bin/zcdp", python, PYTHONUSERBASE=home["PYTHONUSERBASE"])
    run(python, "-m", "venv", top / "sdist")  # with a pip of its own, as people do it
    env = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(CACHE / "wheelhouse")}
    run(top / "sdist/bin/pip", "install", "-q", sdist, env=env)
    pure = top / "sdist/bin/python"
    said = run(pure, "-c", FIND, env={"TOP": str(top), "PATH": "/usr/bin:/bin", **store}, fails=True)
    bench.check(
        "from an sdist there is no executable, and it says where it looked",
        "sdist/bin" in said and "PATH" in said,
        said,
    )
    (top / "bin").mkdir()
    (top / "bin/zcdp").symlink_to(pathlib.Path(ZCDP).resolve())
    found("but the one on PATH", "bin/zcdp", pure, PATH=f"{top}/bin:/usr/bin:/bin")


def empty_root(bench, wheel):
    """The wheel's executable runs where there is no libc at all: as on musl."""
    if os.geteuid() != 0:
        print("SKIPPED: the wheel's executable in an empty root: this is not root")
        return
    root = bench.path("root")
    root.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".data/scripts/zcdp"))
        (root / "zcdp").write_bytes(archive.read(name))
    (root / "zcdp").chmod(0o755)
    bench.check("the executable runs in an empty root", "zcdp" in run("chroot", root, "/zcdp", "version"))


def store_for(bench, name):
    """A server of its own: the environment for its clients, who remember digests in a folder of the test."""
    return {**DataStore(bench, name).env, "XDG_CACHE_HOME": str(bench.path(f"{name}.cache"))}


def main(bench):
    need()
    here = pythons()
    for minor in range(OLDEST, NEWEST + 1):
        if minor not in here:
            print(f"SKIPPED: CPython 3.{minor} is not on this machine")
    wheel, sdist = built(bench)
    newest = here[max(here)]
    system = sys.executable if sys.prefix == sys.base_prefix else newest
    jobs = [
        lambda: typed(bench, installed(newest, bench.path("venv-typed"), wheel)),
        lambda: ways(bench, system, wheel, sdist, store_for(bench, "store")),
        lambda: contents(bench, wheel, sdist),
        lambda: platforms(bench),
        lambda: empty_root(bench, wheel),
        *(functools.partial(suite, bench, minor, python, wheel) for minor, python in here.items()),
    ]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(job) for job in jobs]:
            done.result()


with TestRun() as test_run:
    main(test_run)
