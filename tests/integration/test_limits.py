"""Token buckets in a real Valkey."""

import asyncio
from datetime import timedelta
from types import SimpleNamespace

import pytest
from httpx import ASGITransport, AsyncClient
from litestar import Litestar, Response, get
from structlog.testing import capture_logs

from hub.clock import ManualClock
from hub.embedded import Addresses
from hub.errors import HubError
from hub.limits import Limits, RateLimited, address_of, limit_by_address
from hub.problems import problem, status_of
from hub.redis_client import RedisClient, open_redis


async def test_a_burst_passes_and_the_next_is_told_when_to_come_back(
    redis: RedisClient, clock: ManualClock
) -> None:
    limits = Limits(redis, clock)
    for _ in range(3):
        await limits.take("k", rate_per_minute=6, burst=3)
    with pytest.raises(RateLimited) as refused:
        await limits.take("k", rate_per_minute=6, burst=3)
    assert refused.value.retry_after == 10


async def test_a_bucket_refills_with_time_and_never_past_its_burst(
    redis: RedisClient, clock: ManualClock
) -> None:
    limits = Limits(redis, clock)
    for _ in range(2):
        await limits.take("k", rate_per_minute=6, burst=2)
    clock.advance(timedelta(seconds=10))
    await limits.take("k", rate_per_minute=6, burst=2)
    with pytest.raises(RateLimited):
        await limits.take("k", rate_per_minute=6, burst=2)
    clock.advance(timedelta(hours=1))
    for _ in range(2):
        await limits.take("k", rate_per_minute=6, burst=2)
    with pytest.raises(RateLimited):
        await limits.take("k", rate_per_minute=6, burst=2)


async def test_a_clock_that_jumps_back_neither_fills_nor_drains(
    redis: RedisClient, clock: ManualClock
) -> None:
    limits = Limits(redis, clock)
    await limits.take("k", rate_per_minute=60, burst=1)
    clock.advance(timedelta(days=-1))
    with pytest.raises(RateLimited) as refused:
        await limits.take("k", rate_per_minute=60, burst=1)
    assert refused.value.retry_after == 1


async def test_fractional_rates_and_costs_count_exactly(
    redis: RedisClient, clock: ManualClock
) -> None:
    limits = Limits(redis, clock)
    await limits.take("k", rate_per_minute=0.2, burst=5, cost=5)
    with pytest.raises(RateLimited) as refused:
        await limits.take("k", rate_per_minute=0.2, burst=5)
    assert refused.value.retry_after == 300


async def test_callers_at_the_same_moment_share_one_bucket(
    redis: RedisClient, clock: ManualClock
) -> None:
    limits = Limits(redis, clock)
    takes = (limits.take("k", rate_per_minute=1, burst=10) for _ in range(25))
    outcomes = await asyncio.gather(*takes, return_exceptions=True)
    assert outcomes.count(None) == 10


async def test_buckets_expire_when_they_are_full_again(
    redis: RedisClient, clock: ManualClock
) -> None:
    await Limits(redis, clock).take("k", rate_per_minute=60, burst=5)
    assert 0 < await redis.pttl("hub:limit:k") <= 2_000


async def test_everything_passes_while_redis_is_down_and_limits_come_back(
    servers: Addresses, clock: ManualClock
) -> None:
    async with open_redis("redis://127.0.0.1:1/0") as nowhere:
        limits = Limits(nowhere, clock)
        with capture_logs() as logged:
            for _ in range(20):
                await limits.take("k", rate_per_minute=1, burst=1)
    assert [entry["log_level"] for entry in logged] == ["warning"]


async def test_the_guard_counts_by_address(redis: RedisClient, clock: ManualClock) -> None:
    @get("/", guards=[limit_by_address("page", rate_per_minute=1, burst=2)])
    async def page() -> str:
        return "ok"

    app = Litestar(
        [page],
        exception_handlers={HubError: lambda _, e: Response(problem(e), status_code=status_of(e))},
    )
    app.state.hub = SimpleNamespace(limits=Limits(redis, clock))
    transport = ASGITransport(app)
    async with AsyncClient(transport=transport, base_url="http://hub") as client:
        assert [(await client.get("/")).status_code for _ in range(3)] == [200, 200, 429]


@pytest.mark.parametrize(
    ("host", "bucket"),
    [
        ("196.201.214.1", "196.201.214.1"),
        ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"),
        ("::ffff:196.201.214.1", "196.201.214.1"),
        ("testclient", "testclient"),
        (None, "unknown"),
    ],
)
def test_an_address_is_one_customer(host: str | None, bucket: str) -> None:
    caller = SimpleNamespace(client=SimpleNamespace(host=host) if host else None)
    assert address_of(caller) == bucket  # type: ignore[arg-type]
