"""Asks a gateway to collect money, once per ``Idempotency-Key``, whatever dies in between.

The steps, each a transaction of its own, so that no lock is held while the gateway is asked:

1. The key is claimed for 60 s and the payment recorded as ``created``, or a refusal is stored.
2. The gateway opens a checkout page under the payment's reference.
3. The page, state ``pending`` and the answer under the key commit together.

Who comes again with the same key after a death in between goes on from what was recorded. Had the
gateway opened a page whose address never reached us, it calls the reference a duplicate; the page
was shown to nobody, and the payment goes on under its next reference.
"""

from datetime import datetime, timedelta
from functools import partial

import msgspec

from hub import events, idempotency
from hub.clock import Clock
from hub.compliance import top_up_guards
from hub.database import Connection, Database
from hub.errors import Refused, Unavailable
from hub.idempotency import Answer, KeyInFlight, Scope
from hub.identity import Person
from hub.ids import PaymentId, new_id
from hub.ledger import Guard, GuardRefused, used
from hub.money import Money
from hub.payments import queries
from hub.payments.errors import CurrencyNotOffered, GatewayDown, GatewayRefused, ReferenceUsed
from hub.payments.events import PaymentFailed
from hub.payments.gateways import Checkout, Gateway, Gateways, Order
from hub.payments.model import EXPIRES_AFTER, FIRST_QUESTION_AFTER, Payment
from hub.problems import problem, status_of

__all__ = ["PaymentView", "TopUp", "collect", "view_of"]

_ATTEMPTS = 3
_COUNTED_WHILE_OPEN = timedelta(hours=1)
"""Open payments count against limits for this long; an abandoned checkout frees them again."""


class TopUp(msgspec.Struct, frozen=True, kw_only=True):
    """What a person asks for. ``return_url`` is one of our own pages, already checked."""

    person: Person
    amount: Money
    gateway: str
    return_url: str
    key: str

    def scope(self) -> Scope:
        return Scope(f"person:{self.person.id}", "payments.create", self.key)

    def hashed(self) -> bytes:
        return idempotency.request_hash((self.amount, "top_up", self.gateway, self.return_url))


class PaymentView(msgspec.Struct, frozen=True):
    """A payment as its owner sees it. ``checkout_url`` is None once there is nothing to pay."""

    id: PaymentId
    state: str
    amount: Money
    gateway: str
    purpose: str
    checkout_url: str | None
    reason: str | None
    created_at: datetime
    settled_at: datetime | None


def view_of(payment: Payment) -> PaymentView:
    return PaymentView(
        id=payment.id,
        state=payment.state,
        amount=payment.amount,
        gateway=payment.gateway,
        purpose=payment.purpose,
        checkout_url=payment.checkout_url if payment.state == "pending" else None,
        reason=payment.reason,
        created_at=payment.created_at,
        settled_at=payment.settled_at,
    )


class _Step(msgspec.Struct, frozen=True):
    """The right to talk to the gateway about one payment, until ``lease``."""

    payment: Payment
    lease: datetime


async def collect(database: Database, clock: Clock, gateways: Gateways, top_up: TopUp) -> Answer:
    """The answer to a top-up: 201 and a ``PaymentView``, or the problem of a refusal.

    Raises ``UnknownGateway``, ``CurrencyNotOffered``, ``KeyReused``, ``KeyInFlight`` and, with
    the key free to be tried again at once, ``GatewayDown``.
    """
    gateway = gateways.named(top_up.gateway)
    top_up.scope().check()
    top_up.amount.check_positive()
    if top_up.amount.currency not in gateway.currencies:
        raise CurrencyNotOffered(
            f"{gateway.name} does not take {top_up.amount.currency}.",
            currencies=sorted(gateway.currencies),
        )
    begun = await database.transaction(lambda tx: _begin(tx, clock, top_up))
    if isinstance(begun, Answer):
        return begun
    try:
        payment, checkout = await _open_checkout(database, gateway, begun.payment)
    except GatewayRefused as refusal:
        refused = refusal
        return await database.transaction(
            lambda tx: _refuse(tx, clock, top_up, begun.payment, refused)
        )
    except Unavailable:
        await _release(database, top_up, begun)
        raise
    return await database.transaction(lambda tx: _finish(tx, clock, top_up, payment, checkout))


async def _begin(tx: Connection, clock: Clock, top_up: TopUp) -> Answer | _Step:
    scope, hashed = top_up.scope(), top_up.hashed()
    stored = await idempotency.begin(tx, scope, hashed)
    if stored is not None:
        return stored
    lease = await tx.fetchval(
        queries.CLAIM_STEP, scope.principal, scope.route, scope.key, hashed, clock.now()
    )
    if lease is None:
        raise KeyInFlight("The first request with this Idempotency-Key is still running.")
    recorded = await queries.find_by_key(tx, top_up.person.id, top_up.key)
    if recorded is not None and recorded.state != "created":
        return await _answer(tx, clock, top_up, recorded)
    if recorded is not None:
        return _Step(recorded, lease)
    try:
        guards = await _check_limits(tx, clock, top_up)
    except Refused as refusal:
        return await _store(tx, clock, top_up, Answer(status_of(refusal), problem(refusal)))
    payment = _new_payment(clock, top_up, guards)
    await queries.insert_payment(tx, payment, top_up.key)
    return _Step(payment, lease)


async def _check_limits(tx: Connection, clock: Clock, top_up: TopUp) -> tuple[Guard, ...]:
    """The guards that will count at settlement. Raises ``Refused`` where they would not fit.

    One person's checks run one after the other, and what is still open counts too, so limits
    cannot be passed by opening many checkouts at once.
    """
    now = clock.now()
    guards = tuple(top_up_guards(top_up.person, top_up.amount, now))
    await queries.lock_limits(tx, top_up.person.id)
    is_open = await queries.count_open_guards(tx, top_up.person.id, now - _COUNTED_WHILE_OPEN)
    for guard in guards:
        open_too = is_open.get((guard.key, guard.window), 0)
        stands = await used(tx, guard.key, guard.window) + open_too
        if stands + guard.delta > guard.ceiling:
            raise GuardRefused(rule=guard.rule, ceiling=guard.ceiling, used=stands)
    return guards


def _new_payment(clock: Clock, top_up: TopUp, guards: tuple[Guard, ...]) -> Payment:
    now = clock.now()
    return Payment(
        id=PaymentId(new_id(now)),
        person_id=top_up.person.id,
        purpose="top_up",
        gateway=top_up.gateway,
        amount=top_up.amount,
        guards=guards,
        attempt=1,
        state="created",
        checkout_url=None,
        return_url=top_up.return_url,
        reason=None,
        settled_reference=None,
        created_at=now,
        expires_at=now + EXPIRES_AFTER,
        settled_at=None,
        ask_at=now + FIRST_QUESTION_AFTER,
    )


async def _open_checkout(
    database: Database, gateway: Gateway, payment: Payment
) -> tuple[Payment, Checkout]:
    for _ in range(_ATTEMPTS):
        try:
            return payment, await gateway.start(_order(payment))
        except ReferenceUsed:
            payment = await database.transaction(partial(_go_on, payment=payment))
    raise GatewayDown(
        "The payment provider could not open a checkout page. Nothing was charged; please try"
        " again with the same Idempotency-Key.",
        gateway=gateway.name,
    )


def _order(payment: Payment) -> Order:
    return Order(
        reference=payment.reference,
        amount=payment.amount,
        payer_email=f"{payment.person_id}@pay.bvester.com",
        return_url=payment.return_url,
        metadata={"payment_id": str(payment.id)},
    )


async def _go_on(tx: Connection, *, payment: Payment) -> Payment:
    """The payment under its next reference."""
    following = await queries.next_attempt(tx, payment)
    if following is None:
        raise KeyInFlight("This payment is being opened by another request.")
    return following


async def _finish(
    tx: Connection, clock: Clock, top_up: TopUp, payment: Payment, checkout: Checkout
) -> Answer:
    """Records the page unless another attempt has, and answers with what then stands."""
    await tx.execute(queries.OPEN_CHECKOUT, payment.id, payment.attempt, checkout.url)
    standing = await queries.load_payment(tx, payment.id)
    assert standing is not None
    return await _answer(tx, clock, top_up, standing)


async def _refuse(
    tx: Connection, clock: Clock, top_up: TopUp, payment: Payment, refusal: GatewayRefused
) -> Answer:
    locked = await queries.lock_payment(tx, payment.id)
    assert locked is not None
    if locked.state != "created":  # another request opened it meanwhile
        return await _answer(tx, clock, top_up, locked)
    failed = msgspec.structs.replace(locked, state="failed", reason="refused", ask_at=None)
    await queries.move_payment(tx, failed)
    await events.append(
        tx,
        PaymentFailed(payment_id=failed.id, amount=failed.amount, reason="refused"),
        at=clock.now(),
        actor=failed.gateway,
        to=[failed.person_id],
    )
    return await _store(tx, clock, top_up, Answer(status_of(refusal), problem(refusal)))


async def _answer(tx: Connection, clock: Clock, top_up: TopUp, payment: Payment) -> Answer:
    return await _store(tx, clock, top_up, Answer(201, msgspec.json.encode(view_of(payment))))


async def _store(tx: Connection, clock: Clock, top_up: TopUp, answer: Answer) -> Answer:
    """Stores the answer, unless a process that took over stored one first: that one stands."""
    scope, hashed = top_up.scope(), top_up.hashed()
    stored = await idempotency.begin(tx, scope, hashed)
    if stored is not None:
        return stored
    await idempotency.finish(tx, scope, hashed, answer, clock)
    return answer


async def _release(database: Database, top_up: TopUp, step: _Step) -> None:
    """Frees the key at once, so that the payer need not wait for the lease to run out."""
    scope = top_up.scope()
    async with database.connection() as connection:
        await connection.execute(
            queries.RELEASE_STEP, scope.principal, scope.route, scope.key, step.lease
        )
