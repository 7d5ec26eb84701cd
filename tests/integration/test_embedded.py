"""Embedded servers as root where user namespaces are refused, and back again."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from hub.embedded import EmbeddedFault, _stop_orphan, embedded_servers


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="bvester-embedded-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


async def _count(folder: Path) -> int:
    with embedded_servers(folder / "hub", durable=False) as addresses:
        connection = await asyncpg.connect(addresses.database_url)
        try:
            await connection.execute("CREATE TABLE IF NOT EXISTS starts (at timestamptz)")
            await connection.execute("INSERT INTO starts VALUES (now())")
            found: int = await connection.fetchval("SELECT count(*) FROM starts")
        finally:
            await connection.close()
    assert not addresses.sockets.exists(), "nothing is left in the folder for passing things"
    return found


@pytest.mark.skipif(os.getuid() != 0, reason="not run: only root needs another name")
async def test_root_finds_its_data_with_and_without_user_namespaces(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await _count(folder) == 1
    (folder / "hub").chmod(0o700)
    with monkeypatch.context() as without:
        find = shutil.which
        without.setattr(
            "hub.embedded.shutil.which",
            lambda name, *rest: None if name == "unshare" else find(name, *rest),
        )
        try:
            assert await _count(folder) == 2
        except EmbeddedFault as fault:
            if "may not enter" not in fault.message:
                raise
            pytest.skip("not run: the checkout is where nobody may not enter")
    assert await _count(folder) == 3


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_a_stale_pidfile_ends_nobody_elses_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, platform: str
) -> None:
    monkeypatch.setattr("hub.embedded.sys.platform", platform)
    with subprocess.Popen(["sleep", "30"]) as innocent:
        try:
            pidfile = tmp_path / "valkey.pid"
            pidfile.write_text(str(innocent.pid))
            _stop_orphan(pidfile, signal.SIGTERM, "valkey")
            assert innocent.poll() is None
            assert not pidfile.exists()
        finally:
            innocent.kill()
