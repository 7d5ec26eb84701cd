"""Where a Chromium is: ``HUB_CHROMIUM``, else the PATH, else Debian's package where we are root."""

import os
import shutil
import subprocess
import sys

import pytest

__all__ = ["ARGUMENTS", "find_chromium"]

ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


def find_chromium() -> str:
    """The browser's path. Without one the test is skipped with a plain reason; under ``CI`` that
    is a failure."""
    given = os.environ.get("HUB_CHROMIUM")
    if given:
        return given
    found = _on_path()
    if found is None and os.getuid() == 0 and shutil.which("apt-get"):
        print("Installing Chromium for the browser tests ...", file=sys.stderr)
        for command in (["update"], ["install", "--yes", "--no-install-recommends", "chromium"]):
            subprocess.run(["apt-get", "--quiet=2", *command], check=False, capture_output=True)
        found = _on_path()
    if found is None:
        reason = "not run: no Chromium (set HUB_CHROMIUM or install chromium)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def _on_path() -> str | None:
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((path for name in names if (path := shutil.which(name))), None)
