"""Who asks: the middleware that reads access tokens, and the guards that ask for more.

Every HTTP route needs a valid access token in ``Authorization: Bearer``, unless it says
``opt={"public": True}``; ``request.user`` is then the ``Principal``, and None on public routes.
WebSockets are left alone: the first command of a connection signs it in.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.handlers import BaseRouteHandler
from litestar.middleware import DefineMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from hub.errors import Forbidden, Unauthenticated
from hub.identity.model import Principal
from hub.identity.tokens import Tokens

__all__ = ["Authentication", "authentication", "has_role", "signed_in"]

Guard = Callable[[ASGIConnection[Any, Any, Any, Any], BaseRouteHandler], Awaitable[None]]


class Authentication:
    """ASGI middleware; without ``tokens`` it takes those of ``app.state.hub``."""

    __slots__ = ("_app", "_tokens")

    def __init__(self, app: ASGIApp, tokens: Tokens | None = None) -> None:
        self._app = app
        self._tokens = tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sets ``scope["user"]``. Raises ``Unauthenticated`` or ``TokenRefused``."""
        if scope["type"] == ScopeType.HTTP:
            scope["user"] = scope["auth"] = None
            if not scope["route_handler"].opt.get("public") and scope["method"] != "OPTIONS":
                tokens = self._tokens or scope["litestar_app"].state.hub.tokens
                scope["user"] = tokens.verify_access(_bearer(scope))
        await self._app(scope, receive, send)


def _bearer(scope: Scope) -> str:
    given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
    scheme, _, token = given.partition(b" ")
    if scheme.lower() != b"bearer" or not token.isascii():
        raise Unauthenticated("Sign in first.")
    return token.strip().decode()


def authentication(tokens: Tokens) -> DefineMiddleware:
    """The middleware with these tokens, for apps that have no ``app.state.hub``."""
    return DefineMiddleware(Authentication, tokens=tokens)


async def signed_in(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """A guard: somebody is signed in. Raises ``Unauthenticated``."""
    if not isinstance(connection.scope.get("user"), Principal):
        raise Unauthenticated("Sign in first.")


def has_role(*roles: str) -> Guard:
    """A guard: who asks has one of the roles. Raises ``Unauthenticated`` or ``Forbidden``."""

    async def guard(
        connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
    ) -> None:
        await signed_in(connection, handler)
        if connection.user.roles.isdisjoint(roles):
            raise Forbidden("Your roles do not allow this.", roles=sorted(roles))

    return guard
