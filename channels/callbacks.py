"""The door of providers' unsigned callbacks: their path holds a secret.

A wrong one is a 404 like any path that does not exist, compared in constant time; who tries many is
refused for a while, which the provider, who knows it, never is.
"""

import hmac
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from hub.errors import NotFound
from hub.limits import Limits, address_of
from hub.settings import Settings

__all__ = ["knows_secret"]


async def knows_secret(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """A guard: ``token`` in the path is the callback secret. Raises ``NotFound``."""
    settings: Settings = connection.app.state.hub.settings
    given = str(connection.path_params.get("token", ""))
    right = settings.africas_talking.callback_token.reveal()
    if hmac.compare_digest(given.encode(), right.encode()):
        return
    limits: Limits = connection.app.state.hub.limits
    await limits.take(f"callback:{address_of(connection)}", rate_per_minute=10, burst=20)
    raise NotFound("There is nothing here.")
