"""USSD over HTTP: what the aggregator calls.

``/callbacks/{token}/ussd`` answers a hop, ``/callbacks/{token}/ussd/events`` takes note of a
session's end. A wrong token is a 404 like any path that does not exist. Every well-formed hop gets
200 and a screen; only a form without a session or a phone number gets a problem (400).
"""

from litestar import Request, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.enums import MediaType
from litestar.exceptions import ClientException
from litestar.params import SkipValidation
from litestar.types import ControllerRouterHandler

from channels.callbacks import knows_secret
from channels.ussd.aggregators.africas_talking import answer_text, parse_turn
from channels.ussd.desk import HubDesk
from channels.ussd.drafts import Promises
from channels.ussd.session import Sessions
from channels.ussd.turn import Ussd
from hub.clock import Clock
from hub.database import Database
from hub.errors import Invalid
from hub.identity import Principal
from hub.investments import Investing
from hub.limits import Limits
from hub.redis_client import RedisClient
from hub.sealing import Keyring
from hub.settings import Settings

__all__ = ["routes"]

_MAX_BODY = 16_384


@post(
    "/callbacks/{token:str}/ussd",
    status_code=200,
    media_type=MediaType.TEXT,
    opt={"public": True},
    guards=[knows_secret],
    request_max_body_size=_MAX_BODY,
    summary="A hop of a USSD session (Africa's Talking)",
    tags=["callbacks"],
)
async def answer_hop(
    request: Request[Principal, None, State],
    settings: NamedDependency[Settings],
    database: NamedDependency[Database],
    redis: NamedDependency[RedisClient],
    keyring: NamedDependency[Keyring],
    clock: NamedDependency[SkipValidation[Clock]],
    limits: NamedDependency[Limits],
    investing: NamedDependency[Investing],
) -> str:
    """Form fields ``sessionId``, ``serviceCode``, ``phoneNumber``, ``networkCode`` and ``text``."""
    try:
        form = await request.form()
    except ClientException as fault:
        raise Invalid("The body must be a form.") from fault
    ussd = Ussd(
        HubDesk(database, keyring, clock, redis, investing),
        Sessions(database, keyring, clock),
        Promises(database, redis, clock),
        limits,
        clock,
        address=settings.http.public_url.partition("://")[2],
    )
    return answer_text(await ussd.turn(parse_turn(form)))


@post(
    "/callbacks/{token:str}/ussd/events",
    status_code=200,
    media_type=MediaType.TEXT,
    opt={"public": True},
    guards=[knows_secret],
    request_max_body_size=_MAX_BODY,
    summary="The end of a USSD session (Africa's Talking)",
    tags=["callbacks"],
)
async def take_end() -> str:
    """Acknowledged and not read: it repeats the whole input, a PIN among it, and tells nothing
    that the hub must know, because sessions are resumed and forgotten by their age."""
    return ""


routes: list[ControllerRouterHandler] = [answer_hop, take_end]
