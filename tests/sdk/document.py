"""The examples of docs/realtime.md, as files that run."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.sdk.javascript import FLAGS, PACKAGE, find_node

__all__ = ["Example", "examples", "running"]

DOCUMENT = Path(__file__).parents[2] / "docs" / "realtime.md"
_EXAMPLE = re.compile(r"<!-- run: (\S+) -->\n```\w+\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def examples(folder: Path) -> dict[str, Path]:
    """Writes each example into ``folder`` under the name that the document gives it; packages of
    npm are at hand there."""
    (folder / "node_modules").symlink_to(PACKAGE.parent)
    written = {}
    for name, text in _EXAMPLE.findall(DOCUMENT.read_text("utf-8")):
        written[name] = folder / name
        written[name].write_text(text, "utf-8")
    return written


class Example:
    """A running example and what it prints."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.printed: list[str] = []
        self._process = process

    async def until(self, start: str, end: str = "") -> str:
        """The next line that starts and ends so."""
        assert self._process.stdout is not None
        async with asyncio.timeout(20):
            while line := (await self._process.stdout.readline()).decode():
                self.printed.append(line.rstrip())
                if line.startswith(start) and self.printed[-1].endswith(end):
                    return self.printed[-1]
        raise AssertionError(f"it ended without {start!r}; printed: {self.printed[-20:]}")

    async def ended(self) -> None:
        """Waits until it has done all it does; it must have gone well."""
        assert await asyncio.wait_for(self._process.wait(), 20) == 0


@asynccontextmanager
async def running(path: Path, **environment: str) -> AsyncIterator[Example]:
    """Runs an example until the block ends."""
    command = [sys.executable] if path.suffix == ".py" else [find_node(), *FLAGS]
    process = await asyncio.create_subprocess_exec(
        *command, path, env={**os.environ, **environment}, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield Example(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
