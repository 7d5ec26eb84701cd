"""Serves the built pages: hashed assets for ever, the page itself fresh, compressed beforehand."""

from mimetypes import guess_type
from pathlib import Path
from typing import Any

from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from hub.errors import NotFound

__all__ = ["pages"]

_IMMUTABLE = "public, max-age=31536000, immutable"


def pages(dist: Path) -> list[HTTPRouteHandler]:
    """Handlers for ``/`` and what it loads from ``dist``; read once, kept in memory."""
    found = {
        f"/{path.relative_to(dist)}": path.read_bytes()
        for path in dist.rglob("*")
        if path.is_file()
    }

    def answer(name: str, request: Request[Any, Any, Any], cache: str) -> Response[bytes]:
        if name not in found:
            raise NotFound("There is no such page.")
        headers = {"Cache-Control": cache, "Vary": "Accept-Encoding"}
        body = found[name]
        if f"{name}.gz" in found and "gzip" in request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
            body = found[f"{name}.gz"]
        return Response(body, media_type=guess_type(name)[0] or "text/plain", headers=headers)

    @get("/", opt={"public": True}, include_in_schema=False, sync_to_thread=False)
    def index(request: Request[Any, Any, Any]) -> Response[bytes]:
        if "/index.html" not in found:
            text = b"The pages are not built yet: run make web, then start again."
            return Response(text, media_type="text/plain", status_code=503)
        return answer("/index.html", request, "no-cache")

    @get("/assets/{name:str}", opt={"public": True}, include_in_schema=False, sync_to_thread=False)
    def asset(name: FromPath[str], request: Request[Any, Any, Any]) -> Response[bytes]:
        return answer(f"/assets/{name}", request, _IMMUTABLE)

    @get(
        "/docs-assets/{name:str}",
        opt={"public": True}, include_in_schema=False, sync_to_thread=False,
    )  # fmt: skip
    def reference(name: FromPath[str], request: Request[Any, Any, Any]) -> Response[bytes]:
        return answer(f"/docs-assets/{name}", request, "public, max-age=86400")

    return [index, asset, reference]
