"""Rules of the house that no linter knows."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler

from hub.app import create_app
from hub.settings import Settings

ROOT = Path(__file__).parents[2]
MONEY = [
    ROOT / "hub" / "money.py",
    *sorted(
        path
        for folder in ("ledger", "payments", "investments")
        for path in (ROOT / "hub" / folder).rglob("*.py")
    ),
]

PUBLIC = {
    ("GET", "/"),
    ("GET", "/assets/{name:str}"),
    ("GET", "/docs-assets/{name:str}"),
    ("GET", "/.well-known/jwks.json"),
    ("GET", "/health/live"),
    ("GET", "/health/ready"),
    ("GET", "/metrics"),
    ("GET", "/v1/config"),
    ("POST", "/v1/sign-in/codes"),
    ("POST", "/v1/sign-in/sessions"),
    ("POST", "/v1/sign-in/refresh"),
    ("POST", "/callbacks/{token:str}/sms/delivery"),
    ("POST", "/callbacks/{token:str}/sms/inbound"),
    ("POST", "/callbacks/{token:str}/sms/opt-out"),
    ("POST", "/callbacks/{token:str}/ussd"),
    ("POST", "/callbacks/{token:str}/ussd/events"),
    ("POST", "/webhooks/{gateway:str}"),
    ("GET", "/connection/sse"),
    ("POST", "/connection/sse"),
    ("POST", "/connection/http_stream"),
    ("POST", "/emulation"),
}
"""Who may be called without an access token; each proves itself otherwise or tells no secret."""


UNLIMITED = {
    # A signature no guess can hit, checked before anything is stored.
    ("POST", "/webhooks/{gateway:str}"),
    # Live connections: the gateway counts and bounds them itself, by address and person.
    ("POST", "/connection/sse"),
    ("POST", "/connection/http_stream"),
    ("POST", "/emulation"),
}


def _floats(tree: ast.AST) -> Iterator[int]:
    for node in ast.walk(tree):
        literal = isinstance(node, ast.Constant) and isinstance(node.value, float)
        named = isinstance(node, ast.Name) and node.id == "float"
        if literal or named or isinstance(node, ast.Div):
            yield getattr(node, "lineno", 0)


@pytest.mark.parametrize("path", MONEY, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_float_touches_money(path: Path) -> None:
    assert list(_floats(ast.parse(path.read_text("utf-8")))) == []


@pytest.fixture
def app(environment: dict[str, str]) -> Litestar:
    return create_app(Settings.load(environment))


def test_only_known_routes_are_open(app: Litestar) -> None:
    """A new route without an access token has to be put on the list, and be thought about."""
    found = set()
    for route in app.routes:
        for handler in getattr(route, "route_handlers", []):
            if isinstance(handler, HTTPRouteHandler) and handler.opt.get("public"):
                methods = handler.http_methods - {"OPTIONS", "HEAD"}
                found |= {(method, route.path) for method in methods}
    assert {entry for entry in found if not entry[1].startswith("/docs/")} - {
        ("GET", "/docs")
    } == PUBLIC


def test_whatever_changes_something_is_limited(app: Litestar) -> None:
    """By a limit in the handler, by a guard, or for a reason that stands here."""
    free = set()
    for route in app.routes:
        for handler in getattr(route, "route_handlers", []):
            if not isinstance(handler, HTTPRouteHandler):
                continue
            methods = handler.http_methods - {"OPTIONS", "HEAD", "GET"}
            guards = {getattr(guard, "__qualname__", "") for guard in handler.resolve_guards()}
            limited = "limits" in handler.parsed_fn_signature.parameters or any(
                name.startswith(("limit_by_", "knows_secret")) for name in guards
            )
            if methods and not limited:
                free |= {(method, route.path) for method in methods}
    assert free == UNLIMITED


def test_every_operation_says_what_it_does(app: Litestar) -> None:
    silent = [
        f"{method.upper()} {path}"
        for path, item in (app.openapi_schema.paths or {}).items()
        for method in ("get", "post", "put", "patch", "delete")
        if (operation := getattr(item, method)) and not (operation.description or operation.summary)
    ]
    assert silent == []


@pytest.mark.parametrize("package", ["hub", "channels", "workers"])
def test_files_stay_readable(package: str) -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in (ROOT / package).rglob("*.py")
        if (lines := len(path.read_text("utf-8").splitlines())) > 400
    }
    assert long == {}
