"""The web process: every route, what it depends on, and how errors leave the house."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.di import Provide
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import SwaggerRenderPlugin
from litestar.openapi.spec import Components, Contact, License, SecurityScheme
from litestar.types import ControllerRouterHandler

import hub.health
import hub.identity.routes
import hub.investments.routes
import hub.messaging.routes
import hub.notifications.routes
import hub.overview
import hub.payments.routes
from channels import sms, ussd, websocket
from hub import __version__
from hub.edge import exception_handlers, security_headers
from hub.identity import Authentication
from hub.live import open_node
from hub.pages import pages
from hub.root import Hub, open_hub
from hub.settings import Settings

__all__ = ["create_app"]

MAX_BODY = 256 * 1024
_PARTS = (
    "settings", "clock", "database", "redis", "keyring", "tokens", "streams", "limits",
    "investing", "gateways", "sms", "code_sender", "business_contacts", "jobs",
)  # fmt: skip


def create_app(settings: Settings) -> Litestar:
    """The ASGI application on ``settings``."""
    routes: list[ControllerRouterHandler] = [
        *hub.health.routes,
        *hub.identity.routes.routes,
        *hub.investments.routes.routes,
        *hub.messaging.routes.routes,
        *hub.notifications.routes.routes,
        *hub.payments.routes.routes,
        *hub.overview.routes,
        *sms.routes,
        *ussd.routes,
        *websocket.routes,
        *websocket.api_routes(settings.realtime_api_key),
        *pages(Path(__file__).parent / "web" / "dist"),
    ]
    return Litestar(
        routes,
        lifespan=[_lifespan(settings)],
        dependencies=_dependencies(),
        middleware=[Authentication],
        exception_handlers=exception_handlers,
        before_send=[security_headers(settings)],
        request_max_body_size=MAX_BODY,
        openapi_config=_openapi(settings),
        debug=False,
    )


def _lifespan(settings: Settings) -> Callable[[Litestar], Any]:
    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        async with open_hub(settings) as parts, open_node(parts) as node:
            app.state.hub = parts
            app.state.node = node
            yield

    return lifespan


def _dependencies() -> dict[str, Provide]:
    """What a handler may name; each is taken from the process's ``Hub``."""

    def part(name: str) -> Provide:
        def provide(state: State) -> Any:
            return getattr(state.hub, name)

        return Provide(provide, sync_to_thread=False)

    def provide_hub(state: State) -> Hub:
        parts: Hub = state.hub
        return parts

    def provide_node(state: State) -> Any:
        return state.node

    return {
        **{name: part(name) for name in _PARTS},
        "hub": Provide(provide_hub, sync_to_thread=False),
        "node": Provide(provide_node, sync_to_thread=False),
    }


def _openapi(settings: Settings) -> OpenAPIConfig:
    return OpenAPIConfig(
        title="Bvester Hub",
        version=__version__,
        summary="Events, money and messages between investors and African enterprises.",
        contact=Contact(name="Bvester"),
        license=License(name="Apache-2.0", identifier="Apache-2.0"),
        openapi_router=Router("/docs", route_handlers=[], opt={"public": True}),
        render_plugins=[
            SwaggerRenderPlugin(
                favicon='<link rel="icon" href="data:,">',
                js_url="/docs-assets/swagger-ui-bundle.js",
                css_url="/docs-assets/swagger-ui.css",
                standalone_preset_js_url="/docs-assets/swagger-ui-standalone-preset.js",
            )
        ],
        components=Components(
            security_schemes={
                "bearer": SecurityScheme(type="http", scheme="bearer", bearer_format="JWT")
            }
        ),
        security=[{"bearer": []}],
    )
