"""What a run needs and where it runs: packages, a Python of its own, and the description of the machine.

Standard library only: this runs before there is anything else.
"""

import datetime
import os
import platform
import re
import shutil
import subprocess
import sys
import venv

from paths import HERE, ROOT, WORK

VENV = WORK / "venv"
PYTHON = VENV / "bin" / "python"
DEBIAN_PYTHON = "/usr/bin/python3"


def _output(*command):
    """What a command prints, or None if it does not run."""
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def _compiles(compiler, source="int main(void) { return 0; }", language="c"):
    command = [compiler, "-x", language, "-o", os.devnull, "-"]
    try:
        return subprocess.run(command, input=source, text=True, capture_output=True).returncode == 0
    except OSError:
        return False


# ---------------------------------------------------------------------------------------------------------------
# Debian packages
# ---------------------------------------------------------------------------------------------------------------


def _missing_packages(others):
    """Packages of commands that do not work: those that every run needs, and those of further contestants."""
    needed, wanted = [], []
    if not _compiles("gcc"):
        needed += ["gcc", "libc6-dev"]
    if not _compiles("clang"):
        needed += ["clang", "libc6-dev"]
    if _output("make", "--version") is None:
        needed += ["make"]
    if _output(sys.executable, "-c", "import ensurepip, venv") is None:
        needed += ["python3-venv"]
    if others:
        if not _compiles("g++", "#include <iostream>\n#include <vigra/multi_watersheds.hxx>\nint main() {}", "c++"):
            wanted += ["g++", "libvigraimpex-dev"]
        if _output(DEBIAN_PYTHON, "-c", "import numpy, torch") is None:
            wanted += ["python3-torch", "python3-numpy"]
    return needed, wanted


def install_packages(others):
    """Installs what is missing if root on Debian; names it, and fails if a run cannot do without it, otherwise."""
    needed, wanted = _missing_packages(others)
    if not needed and not wanted:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        print("missing, and not root on Debian, so that they cannot be installed:", *needed, *wanted, file=sys.stderr)
        if needed:
            sys.exit(1)
        return
    print("installing", *needed, *wanted, flush=True)
    quiet = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    subprocess.run(["apt-get", "-qq", "update"], check=True, env=quiet)
    # Each on its own: a contestant's package that cannot be had must not keep the others from being installed.
    for packages in ([needed] if needed else []) + [[each] for each in wanted]:
        command = ["apt-get", "-qq", "install", "--yes", "--no-install-recommends", *packages]
        subprocess.run(command, check=packages == needed, env=quiet, stdout=subprocess.DEVNULL)


# ---------------------------------------------------------------------------------------------------------------
# The venv
# ---------------------------------------------------------------------------------------------------------------


def _requirements(name):
    lines = (HERE / name).read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def _pip(*arguments):
    command = [PYTHON, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def _last_line(text):
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no message"


def enter_venv(others):
    """Makes the venv if there is none, or one with other versions, and goes on in its Python."""
    if sys.prefix == str(VENV):
        return
    install_packages(others)
    stamp = VENV / "requirements.txt"
    wanted = (HERE / "requirements.txt").read_text()
    if _output(str(PYTHON), "-c", "") is None or not stamp.exists() or stamp.read_text() != wanted:
        print(
            f"installing Python packages in {VENV.relative_to(ROOT) if VENV.is_relative_to(ROOT) else VENV}", flush=True
        )
        shutil.rmtree(VENV, ignore_errors=True)
        venv.create(VENV, with_pip=True, symlinks=True)
        done = _pip("install", "-r", HERE / "requirements.txt")
        if done.returncode != 0:
            sys.exit(f"pip cannot install requirements.txt, which needs Python 3.11 or newer:\n{done.stderr.strip()}")
        stamp.write_text(wanted)
    os.execv(PYTHON, [PYTHON, HERE, *sys.argv[1:]])


def install_others():
    """Installs the further contestants that are missing. Answers the reasons of those that cannot be installed."""
    import importlib.metadata

    reasons = {}
    for requirement in _requirements("requirements-others.txt"):
        name, version = requirement.split("==")
        try:
            if importlib.metadata.version(name).startswith(version.rstrip("*")):
                continue
        except importlib.metadata.PackageNotFoundError:
            pass
        print("installing", requirement, flush=True)
        done = _pip("install", "-c", HERE / "requirements.txt", requirement)
        if done.returncode != 0:
            reasons[name] = f"pip install {requirement}: {_last_line(done.stderr)}"
    return reasons


# ---------------------------------------------------------------------------------------------------------------
# Description
# ---------------------------------------------------------------------------------------------------------------


def _cpu():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            text = file.read()
    except OSError:
        return {"model": platform.processor() or platform.machine()}
    fields = dict(re.findall(r"^([\w ]+?)\s*: (.*)$", text, re.MULTILINE))
    flags = fields.get("flags", "").split()
    return {
        "model": fields.get("model name", platform.machine()),
        "family": fields.get("cpu family"),
        "model_number": fields.get("model"),
        "flags": [flag for flag in flags if flag.startswith(("avx", "sse4", "fma", "f16c", "bmi", "hypervisor"))],
        "cache": {
            row.split()[0]: row.split()[1] for row in (_output("lscpu", "-C=NAME,ALL-SIZE") or "").splitlines()[1:]
        },
    }


def _memory():
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None


def _setting(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return None


def versions(names):
    """Versions of Python and Debian packages, by name; None for what is not there."""
    import importlib.metadata

    found = {}
    for name in sorted(set(names)):
        if name.startswith(("lib", "python3-")):
            found[name] = _output("dpkg-query", "--show", "--showformat=${Version}", name)
        else:
            try:
                found[name] = importlib.metadata.version(name)
            except importlib.metadata.PackageNotFoundError:
                found[name] = None
    return found


def describe():
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": _output("git", "rev-parse", "HEAD"),
        "changed_files": len((_output("git", "status", "--porcelain", "--untracked-files=no") or "").splitlines()),
        "machine": {
            "cpu": _cpu(),
            "cores": len(os.sched_getaffinity(0)),
            "memory": _memory(),
            "system": platform.platform(),
            "huge_pages": _setting("/sys/kernel/mm/transparent_hugepage/enabled"),
            "load_at_start": os.getloadavg()[0],
        },
        "compilers": {
            "gcc": (_output("gcc", "--version") or "").splitlines()[:1],
            "clang": (_output("clang", "--version") or "").splitlines()[:1],
            "rustc": _output("rustc", "--version"),
            "python": platform.python_version(),
        },
    }
