"""Gateways as an operator starts them, and the road that leads clients to one of them."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

__all__ = ["CONFIG", "Gateway", "Road", "gateway_alone", "gateway_process"]

CONFIG = Path(__file__).parent / "gateway.toml"
HUB = Path(sys.executable).parent / "hub"


class Gateway:
    """A running gateway."""

    def __init__(self, port: int, process: asyncio.subprocess.Process) -> None:
        self.port = port
        self._process = process

    async def kill(self) -> None:
        """Ends it as a power cut does."""
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    async def stop(self) -> None:
        with suppress(ProcessLookupError):
            self._process.terminate()
        await self._process.wait()


@asynccontextmanager
async def gateway_process(environment: Mapping[str, str], *options: str) -> AsyncIterator[Gateway]:
    """``hub serve`` with these options, answering until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        HUB, "serve", "--port", str(port), *options, env={**os.environ, **environment}
    )
    gateway = Gateway(port, process)
    try:
        async with asyncio.timeout(30):
            while not await _answers(port):
                assert process.returncode is None, "the gateway ended"
                await asyncio.sleep(0.05)
        yield gateway
    finally:
        await gateway.stop()


@asynccontextmanager
async def gateway_alone(redis_url: str) -> AsyncIterator[Gateway]:
    """The real-time gateway alone, as ``gateway.toml`` describes it."""
    environment = {"HUB_REDIS_URL": redis_url, "HUB_REALTIME_CONFIG": str(CONFIG)}
    async with gateway_process(environment, "--only", "realtime") as gateway:
        yield gateway


async def _answers(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


class Road:
    """Carries bytes between clients and a gateway; a test breaks it or leads it elsewhere.
    ``brought`` counts the bytes that clients got."""

    def __init__(self, port: int) -> None:
        self.leads_to = port
        self.open = True
        self.brought = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def url(self, path: str = "connection/websocket", scheme: str = "ws") -> str:
        return f"{scheme}://127.0.0.1:{self.port}/{path}"

    def drop(self) -> None:
        """Every connection breaks without a goodbye."""
        for writer in list(self._writers):
            writer.transport.abort()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Road"]:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        try:
            yield self
        finally:
            self._server.close()
            self.drop()
            if self._tasks:
                await asyncio.wait(self._tasks)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        far: asyncio.StreamWriter | None = None
        try:
            if self.open:
                far_reader, far = await asyncio.open_connection("127.0.0.1", self.leads_to)
                self._writers.add(far)
                await asyncio.gather(
                    self._carry(reader, far), self._carry(far_reader, writer, counts=True)
                )
        except OSError:
            pass
        finally:
            for end in (writer, far):
                if end is not None:
                    self._writers.discard(end)
                    end.transport.abort()
            self._tasks.discard(task)

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, counts: bool = False
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                self.brought += counts * len(data)
                writer.write(data)
                await writer.drain()
        writer.close()
