"""HTTP of investments, offerings and businesses."""

from typing import Annotated

import msgspec
from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, FromQuery, HeaderParameter, JSONBody
from litestar.types import ControllerRouterHandler

from hub.database import Connection, Database
from hub.idempotency import Scope, request_hash
from hub.identity import Principal, get_person
from hub.ids import BusinessId, InvestmentId, OfferingId, PersonId, parse_id
from hub.investments.errors import BusinessNotFound
from hub.investments.invest import Investing, InvestRequest
from hub.investments.model import Backing, Business, Investment, Offering
from hub.investments.offerings import (
    businesses_of,
    get_business,
    get_offering,
    investments_in,
    investments_of,
    list_open_offerings,
)
from hub.investments.texts import Made
from hub.ledger import Holding, accounts_of
from hub.limits import limit_by_person
from hub.money import Money
from hub.problems import MEDIA_TYPE

__all__ = ["routes"]

_PAGE = 50
_STAFF = frozenset({"operations", "support"})


class Invest(msgspec.Struct, forbid_unknown_fields=True):
    """``amount`` in the offering's currency, whole minor units."""

    offering_id: OfferingId
    amount: Money


class OfferingList(msgspec.Struct):
    items: list[Offering]
    next_cursor: str | None


class InvestmentList(msgspec.Struct):
    items: list[Investment]
    next_cursor: str | None


class BackingList(msgspec.Struct):
    items: list[Backing]
    next_cursor: str | None


class BusinessView(msgspec.Struct):
    """``wallets`` are shown to the owner and to staff only; null to others."""

    id: BusinessId
    owner_id: PersonId
    name: str
    sector: str
    country: str
    wallets: list[Holding] | None


class BusinessList(msgspec.Struct):
    items: list[BusinessView]
    next_cursor: None = None


@post(
    "/v1/investments",
    tags=["investments"],
    guards=[limit_by_person("invest", rate_per_minute=60, burst=30)],
    responses={201: ResponseSpec(Made, description="The investment; its money is in escrow")},
)
async def invest(
    request: Request[Principal, object, State],
    data: JSONBody[Invest],
    idempotency_key: Annotated[str, HeaderParameter(name="Idempotency-Key")],
    database: NamedDependency[Database],
    investing: NamedDependency[Investing],
) -> Response[bytes]:
    """Invests from the caller's wallet, once per key."""
    async with database.connection() as connection:
        person = await get_person(connection, request.user.person_id)
    answer = await investing.invest(
        InvestRequest(
            investor=person,
            offering_id=data.offering_id,
            amount=data.amount,
            scope=Scope(request.user.actor, "POST /v1/investments", idempotency_key),
            hashed=request_hash(data),
        )
    )
    media_type = "application/json" if answer.status < 400 else MEDIA_TYPE
    return Response(answer.body, status_code=answer.status, media_type=media_type)


@get("/v1/investments", tags=["investments"])
async def list_investments(
    request: Request[Principal, object, State],
    database: NamedDependency[Database],
    cursor: FromQuery[str | None] = None,
) -> InvestmentList:
    """The caller's investments, newest first."""
    before = InvestmentId(parse_id(cursor)) if cursor else None
    async with database.connection() as connection:
        found = await investments_of(connection, request.user.person_id, _PAGE + 1, before)
    return InvestmentList(found[:_PAGE], _next(found))


@get("/v1/offerings", tags=["investments"])
async def list_offerings(
    database: NamedDependency[Database], cursor: FromQuery[str | None] = None
) -> OfferingList:
    """Open offerings, oldest first."""
    after = OfferingId(parse_id(cursor)) if cursor else None
    async with database.connection() as connection:
        found = await list_open_offerings(connection, _PAGE + 1, after)
    return OfferingList(found[:_PAGE], _next(found))


@get("/v1/offerings/{offering_id:str}", tags=["investments"])
async def show_offering(
    offering_id: FromPath[str], database: NamedDependency[Database]
) -> Offering:
    """One offering, open or closed."""
    async with database.connection() as connection:
        return await get_offering(connection, OfferingId(parse_id(offering_id)))


@get("/v1/businesses", tags=["investments"])
async def list_businesses(
    request: Request[Principal, object, State], database: NamedDependency[Database]
) -> BusinessList:
    """The businesses the caller answers for, with their wallets."""
    async with database.connection() as connection:
        found = await businesses_of(connection, request.user.person_id)
        return BusinessList([await _view(connection, each, private=True) for each in found])


@get("/v1/businesses/{business_id:str}", tags=["investments"])
async def show_business(
    request: Request[Principal, object, State],
    business_id: FromPath[str],
    database: NamedDependency[Database],
) -> BusinessView:
    """One business."""
    async with database.connection() as connection:
        business = await get_business(connection, BusinessId(parse_id(business_id)))
        return await _view(connection, business, private=_may_see(request.user, business))


@get("/v1/businesses/{business_id:str}/investments", tags=["investments"])
async def list_backings(
    request: Request[Principal, object, State],
    business_id: FromPath[str],
    database: NamedDependency[Database],
    cursor: FromQuery[str | None] = None,
) -> BackingList:
    """Who invested in a business, newest first; for its owner and for staff."""
    before = InvestmentId(parse_id(cursor)) if cursor else None
    async with database.connection() as connection:
        business = await get_business(connection, BusinessId(parse_id(business_id)))
        if not _may_see(request.user, business):
            raise BusinessNotFound("There is no such business of yours.")
        found = await investments_in(connection, business.id, _PAGE + 1, before)
    return BackingList(found[:_PAGE], _next(found))


def _may_see(principal: Principal, business: Business) -> bool:
    return principal.person_id == business.owner_id or not _STAFF.isdisjoint(principal.roles)


async def _view(connection: Connection, business: Business, *, private: bool) -> BusinessView:
    wallets = None
    if private:
        wallets = await accounts_of(connection, f"business:{business.id}", "wallet")
    return BusinessView(
        business.id, business.owner_id, business.name, business.sector, business.country, wallets
    )


def _next(found: list[Offering] | list[Investment] | list[Backing]) -> str | None:
    return str(found[_PAGE - 1].id) if len(found) > _PAGE else None


routes: list[ControllerRouterHandler] = [
    invest,
    list_investments,
    list_offerings,
    show_offering,
    list_businesses,
    show_business,
    list_backings,
]
