"""A provider's double on 127.0.0.1: it writes down what it gets and answers as a test says."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from urllib.parse import parse_qsl

import msgspec
import pytest_asyncio
import uvicorn


class Answer(msgspec.Struct):
    status: int
    body: bytes
    content_type: str = "application/json"
    headers: dict[str, str] = {}
    delay: float = 0.0
    hang_up: bool = False


class Request(msgspec.Struct):
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


class Double:
    """Answers from ``answers`` by path ending, in turn; the last one stays."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.requests: list[Request] = []
        self.answers: dict[str, list[Answer]] = {}

    def answer(self, ending: str, status: int, body: Any, **how: Any) -> None:
        raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
        self.answers.setdefault(ending, []).append(Answer(status, raw, **how))

    def at(self, ending: str) -> list[Request]:
        return [request for request in self.requests if request.path.endswith(ending)]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.requests.append(Request(scope["path"], headers, body))
        queue = next(q for ending, q in self.answers.items() if scope["path"].endswith(ending))
        answer = queue.pop(0) if len(queue) > 1 else queue[0]
        await asyncio.sleep(answer.delay)
        if answer.hang_up:
            raise ConnectionResetError
        head = {"content-type": answer.content_type, **answer.headers}
        raw = [(name.encode(), value.encode()) for name, value in head.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": raw})
        await send({"type": "http.response.body", "body": answer.body})


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serve(app: Any, port: int) -> AsyncIterator[None]:
    server = _Server(
        uvicorn.Config(
            app,
            host="127.0.0.1",
            port=port,
            log_config=None,
            ws="none",
            timeout_graceful_shutdown=1,
        )
    )
    task = asyncio.get_running_loop().create_task(server.serve())
    while not server.started:
        assert not task.done(), task
        await asyncio.sleep(0.005)
    try:
        yield
    finally:
        server.should_exit = True
        await task


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest_asyncio.fixture
async def double() -> AsyncIterator[Double]:
    port = free_port()
    made = Double(port)
    async with serve(made, port):
        yield made
