"""``hub doctor`` says what is set, reachable and missing; ``hub verify`` proves the books."""

from typing import Any

import httpx

from hub import __version__
from hub.audit import verify_chains
from hub.countries import countries
from hub.database import Database
from hub.errors import HubError
from hub.health import check
from hub.ledger import verify_ledger
from hub.redis_client import RedisError
from hub.root import open_hub
from hub.settings import Settings, SettingsFault

__all__ = ["doctor", "verify"]


async def verify(settings: Settings) -> int:
    """Recomputes the ledger and walks the audit chains; exit code 0 only if all of it holds."""
    async with Database.open(
        settings.database_url, size=2, statement_timeout_ms=600_000
    ) as database:
        ledger = await verify_ledger(database)
        chains = await verify_chains(database)
    faults = [*ledger.faults, *chains.broken]
    print(
        f"Ledger: {ledger.postings} postings, {ledger.entries} entries, {ledger.accounts} accounts."
    )
    print(f"Audit chain: {chains.records} records in 16 shards, {chains.waiting} not chained yet.")
    if chains.waiting and chains.oldest_waiting is not None:
        print(f"  The oldest waits since {chains.oldest_waiting:%Y-%m-%d %H:%M:%S} UTC.")
    for fault in faults:
        print(f"  FAULT  {fault}")
    print("Everything holds." if not faults else f"{len(faults)} faults.")
    return 1 if faults else 0


async def doctor() -> int:
    """Prints one line a part; exit code 0 if the hub can work as configured."""
    print(f"Bvester Hub {__version__}")
    try:
        settings = Settings.load()
    except SettingsFault as fault:
        print(fault.message)
        print("For a development hub run: make run")
        return 1
    _line("environment", settings.environment, settings.http.public_url)
    _line("countries", "ok", ", ".join(sorted(countries())))
    for name, word in _providers(settings).items():
        _line(name, "set", word)
    try:
        async with open_hub(settings) as hub:
            parts = await check(hub)
    except (HubError, RedisError, OSError, ValueError) as fault:
        said = fault.message if isinstance(fault, HubError) else f"{fault}"
        _line("servers", "DOWN", f"{said} Is the hub running? Start it with: make run")
        return 1
    for name, word in parts.items():
        _line(name, "ok" if word == "up" else "DOWN", "" if word == "up" else word)
    if not settings.sandbox.enabled:
        for name, url in _addresses(settings).items():
            _line(name, *await _reach(url))
    return 0 if all(word == "up" for word in parts.values()) else 1


def _line(name: str, state: str, words: str = "") -> None:
    print(f"  {name:<18} {state:<12} {words}".rstrip())


def _providers(settings: Settings) -> dict[str, str]:
    where = "sandbox" if settings.sandbox.enabled else "live"
    return {
        "paystack": where,
        "africa's talking": f"{where}, user {settings.africas_talking.username},"
        f" USSD {settings.africas_talking.service_code}",
        "fcm": f"{where}, project {settings.fcm.project_id}",
    }


def _addresses(settings: Settings) -> dict[str, str]:
    return {
        "paystack": settings.paystack.base_url,
        "africa's talking": settings.africas_talking.base_url,
        "fcm": settings.fcm.base_url,
    }


async def _reach(url: str) -> tuple[str, Any]:
    """Whether a provider answers at all; any HTTP status will do."""
    try:
        async with httpx.AsyncClient(timeout=5) as client:
            answer = await client.get(url)
    except httpx.HTTPError as fault:
        return "unreachable", type(fault).__name__
    return "reachable", f"answers {answer.status_code}"
