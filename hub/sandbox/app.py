"""The sandbox's web app: the stand-ins' routes, their memory and the courier to the hub."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from litestar import Litestar, Request, Response, delete, get, post
from litestar.config.cors import CORSConfig
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody
from litestar.response import Redirect
from litestar.static_files import create_static_files_router

from hub.clock import Clock, SystemClock
from hub.errors import HubError
from hub.problems import MEDIA_TYPE, problem, status_of
from hub.sandbox import africas_talking, checkout, fcm, paystack, phones, ussd
from hub.sandbox.behaviour import KNOWN, Behaviour, BehaviourOrder, Behaviours
from hub.sandbox.courier import Courier, Pace
from hub.sandbox.store import Store
from hub.sandbox.world import World
from hub.settings import Settings

__all__ = ["create_sandbox"]

_PAGES = Path(__file__).parent / "pages"
_CONTENT_POLICY = "default-src 'self'; img-src data:; frame-ancestors 'none'; form-action 'self'"


class BehaviourList(msgspec.Struct, frozen=True):
    """``items`` are on; ``known`` is what there is, by provider, with what each does."""

    items: list[Behaviour]
    known: dict[str, dict[str, str]]


class OwedCall(msgspec.Struct, frozen=True):
    """A callback the hub has not taken; ``due_at`` in Unix milliseconds."""

    id: int
    what: str
    attempts: int
    problem: str
    due_at: int
    given_up: bool


class OwedCalls(msgspec.Struct, frozen=True):
    items: list[OwedCall]


@get("/", include_in_schema=False, sync_to_thread=False)
def front() -> Redirect:
    """The web phone is what people come for."""
    return Redirect("/phone")


@get("/phone", sync_to_thread=False)
def phone_page() -> Response[bytes]:
    """A feature phone in the browser."""
    return Response((_PAGES / "phone.html").read_bytes(), media_type="text/html")


@get("/health", sync_to_thread=False)
def health() -> dict[str, str]:
    """Answers once the sandbox takes requests."""
    return {"status": "ok"}


@get("/behaviour")
async def list_behaviours(world: NamedDependency[World]) -> BehaviourList:
    """The bad manners that are on, and all there are."""
    return BehaviourList(world.behaviours.active(), KNOWN)


@post("/behaviour")
async def add_behaviour(data: JSONBody[BehaviourOrder], world: NamedDependency[World]) -> Behaviour:
    """Makes a provider misbehave."""
    return world.behaviours.add(data)


@delete("/behaviour")
async def clear_behaviours(world: NamedDependency[World]) -> None:
    """Good manners all round."""
    world.behaviours.clear()


@delete("/behaviour/{number:int}")
async def remove_behaviour(number: FromPath[int], world: NamedDependency[World]) -> None:
    """Takes one back."""
    world.behaviours.remove(number)


@get("/callbacks")
async def list_callbacks(world: NamedDependency[World]) -> OwedCalls:
    """What the hub still has to take, and what was given up."""
    rows = world.store.all("SELECT * FROM calls ORDER BY seq DESC LIMIT 200")
    return OwedCalls(
        [
            OwedCall(
                row["seq"],
                row["what"],
                row["attempts"],
                row["problem"],
                row["due_at"],
                bool(row["given_up"]),
            )
            for row in rows
        ]
    )


def create_sandbox(
    settings: Settings, *, clock: Clock | None = None, pace: Pace | None = None
) -> Litestar:
    """The app to serve at ``settings.sandbox``; its memory is ``sandbox.db`` in the data folder.

    One process only: the file's rows are also the courier's queue.
    """
    clock, pace = clock or SystemClock(), pace or Pace()
    worlds: list[World] = []

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        store = Store(settings.data_dir / "sandbox.db")
        courier = Courier(store, clock, settings.http.public_url, pace)
        world = World(settings, clock, pace, store, courier, Behaviours(store))
        ussd.end_broken(world)
        worlds.append(world)
        loop = asyncio.get_running_loop()
        tasks = [loop.create_task(courier.run()), loop.create_task(_housekeep(world))]
        try:
            yield
        finally:
            worlds.clear()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            store.close()

    account = fcm.ServiceAccount(settings.fcm.service_account.reveal())
    return Litestar(
        route_handlers=[
            front,
            phone_page,
            health,
            list_behaviours,
            add_behaviour,
            clear_behaviours,
            remove_behaviour,
            list_callbacks,
            *africas_talking.routes,
            *fcm.routes,
            *paystack.routes,
            *checkout.routes,
            *phones.routes,
            create_static_files_router(path="/pages", directories=[_PAGES]),
        ],
        dependencies={
            "world": Provide(lambda: worlds[0], sync_to_thread=False),
            "account": Provide(lambda: account, sync_to_thread=False),
        },
        lifespan=[lifespan],
        cors_config=CORSConfig(
            allow_origins=list(settings.http.allowed_origins),
            allow_methods=["GET", "POST", "PUT", "DELETE"],
            allow_headers=["content-type"],
        ),
        exception_handlers={HubError: _problem},
        response_headers={"content-security-policy": _CONTENT_POLICY},
        openapi_config=None,
        logging_config=None,
    )


async def _housekeep(world: World) -> None:
    """Ends what the network would end by itself."""
    while True:
        await asyncio.sleep(world.pace.housekeeping / 1000)
        ussd.end_expired(world)


def _problem(request: Request[None, None, State], error: HubError) -> Response[bytes]:
    return Response(problem(error), status_code=status_of(error), media_type=MEDIA_TYPE)
