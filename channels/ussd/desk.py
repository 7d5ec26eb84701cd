"""What a session learns from the hub and asks of it: the one file that knows the capabilities.

Reading a conversation marks it read. Investing and replying happen at most once per draft; what
they refuse is stored under it.
"""

from typing import TypeVar, cast, get_args
from uuid import UUID

from channels.ussd.drafts import draft_hash, draft_outcome, draft_scope, outcome_of
from channels.ussd.facts import (
    Backing,
    Business,
    Businesses,
    Conversation,
    Conversations,
    DraftOutcome,
    Holding,
    InvestmentsIn,
    Line,
    MyInvestments,
    Offer,
    OfferDetails,
    Offers,
    Outcome,
    Question,
    Thread,
    Wallet,
    Wallets,
)
from channels.ussd.model import (
    Action,
    Caller,
    CheckPin,
    Invest,
    Reply,
    SetLanguage,
)
from hub.clock import Clock
from hub.countries import country
from hub.database import Connection, Database
from hub.errors import Forbidden, HubError, NotFound, TooManyRequests
from hub.events import poke
from hub.idempotency import Answer, run_once
from hub.identity import (
    Language,
    PinWrong,
    find_by_phone,
    get_person,
    has_pin,
    set_language,
    verify_pin,
)
from hub.ids import BusinessId, ConversationId, OfferingId, PersonId, parse_id
from hub.investments import (
    Investing,
    InvestRequest,
    Offering,
    businesses_of,
    get_offering,
    investments_in,
    investments_of,
    list_open_offerings,
)
from hub.ledger import AccountRef, balance
from hub.messaging import conversations_of, mark_read, messages_of, send_message
from hub.money import Money
from hub.payments import wallets_of
from hub.phone import Phone
from hub.redis_client import RedisClient
from hub.sealing import Keyring

__all__ = ["HubDesk"]

T = TypeVar("T")

_LISTED = 20
_LINES = 3


class HubDesk:
    """A ``Desk`` on the hub's capabilities."""

    def __init__(
        self,
        database: Database,
        keyring: Keyring,
        clock: Clock,
        redis: RedisClient,
        investing: Investing,
    ) -> None:
        self._database = database
        self._keyring = keyring
        self._clock = clock
        self._redis = redis
        self._investing = investing

    async def caller(self, phone: Phone) -> Caller | None:
        async with self._database.connection() as connection:
            person = await find_by_phone(connection, self._keyring, phone)
        if person is None:
            return None
        return Caller(str(person.id), person.display_name, person.language)

    async def fetch(self, question: Question[T], person: PersonId) -> T:
        """The answer; its type is the question's. Raises ``HubError``."""
        asked: object = question
        match asked:
            case DraftOutcome(draft):
                found: object = await draft_outcome(self._database, person, draft)
            case Thread(conversation):
                found = await self._thread(person, ConversationId(parse_id(conversation)))
            case _:
                async with self._database.connection() as connection:
                    found = await self._read(connection, asked, person)
        return cast("T", found)

    async def _read(self, connection: Connection, question: object, person: PersonId) -> object:
        match question:
            case Wallets():
                return await _wallets(connection, person)
            case MyInvestments():
                return tuple(
                    Holding(
                        made.offering_title,
                        made.business_name,
                        made.amount,
                        made.raised,
                        made.target,
                    )
                    for made in await investments_of(connection, person, _LISTED)
                    if made.state == "confirmed"
                )
            case Businesses():
                return tuple(
                    Business(str(business.id), business.name)
                    for business in await businesses_of(connection, person)
                )
            case InvestmentsIn(business):
                return await _backings(connection, person, BusinessId(parse_id(business)))
            case Offers():
                open_now = await list_open_offerings(connection, _LISTED)
                return tuple(_offer(offering) for offering in open_now if _has_room(offering))
            case OfferDetails(offering_id):
                try:
                    offering = await get_offering(connection, OfferingId(parse_id(offering_id)))
                except NotFound:
                    return None
                return _offer(offering) if _has_room(offering) else None
            case Conversations():
                found = await conversations_of(connection, self._keyring, person, _LISTED)
                return tuple(
                    Conversation(
                        str(one.id),
                        ", ".join(
                            member.display_name for member in one.members if member.id != person
                        ),
                        one.subject,
                        one.unread > 0,
                    )
                    for one in found
                )
            case _:
                raise AssertionError(f"nobody answers {type(question).__name__}")

    async def _thread(self, person: PersonId, conversation: ConversationId) -> tuple[Line, ...]:
        async def read(tx: Connection) -> tuple[tuple[Line, ...], bool]:
            moved = await mark_read(tx, self._clock, conversation_id=conversation, person_id=person)
            newest = await messages_of(tx, self._keyring, conversation, person, limit=_LINES)
            lines = tuple(
                Line(message.sender_name, message.text, message.sender_id == person)
                for message in newest
            )
            return lines, moved is not None

        lines, moved = await self._database.transaction(read)
        if moved:
            await poke(self._redis)
        return lines

    async def perform(self, action: Action, person: PersonId) -> Outcome:
        """Does it; a ``HubError`` comes back as an outcome."""
        try:
            match action:
                case CheckPin(pin):
                    return await self._check_pin(person, pin.reveal())
                case Invest():
                    return await self._invest(person, action)
                case Reply():
                    return await self._reply(person, action)
                case SetLanguage(language):
                    return await self._set_language(person, language)
        except PinWrong as wrong:
            return Outcome(wrong.kind, wrong.message, wrong.attempts_left)
        except TooManyRequests as limit:
            return Outcome(limit.kind, limit.message, limit.retry_after)
        except HubError as fault:
            return Outcome(fault.kind, fault.message)

    async def _check_pin(self, person: PersonId, pin: str) -> Outcome:
        async with self._database.connection() as connection:
            if not await has_pin(connection, person):
                return Outcome("pin_missing")
        await verify_pin(self._database, self._keyring, self._clock, person, pin)
        return Outcome()

    async def _invest(self, person: PersonId, action: Invest) -> Outcome:
        async with self._database.connection() as connection:
            investor = await get_person(connection, person)
        answer = await self._investing.invest(
            InvestRequest(
                investor,
                OfferingId(parse_id(action.offering)),
                action.amount,
                draft_scope(person, action.draft),
                draft_hash(action.draft),
            )
        )
        return outcome_of(answer)

    async def _reply(self, person: PersonId, action: Reply) -> Outcome:
        async def send(tx: Connection) -> Answer:
            await send_message(
                tx,
                self._keyring,
                self._clock,
                conversation_id=ConversationId(UUID(action.conversation)),
                sender_id=person,
                text=action.text,
                via="ussd",
            )
            return Answer(201, b"{}")

        answer = await run_once(
            self._database,
            self._clock,
            draft_scope(person, action.draft),
            {"draft": action.draft},
            send,
        )
        await poke(self._redis)
        return outcome_of(answer)

    async def _set_language(self, person: PersonId, language: str) -> Outcome:
        chosen = next(known for known in get_args(Language) if known == language)

        async def store(tx: Connection) -> None:
            await set_language(tx, person, chosen)

        await self._database.transaction(store)
        return Outcome(detail=language)


async def _wallets(connection: Connection, person: PersonId) -> tuple[Wallet, ...]:
    """The person's own first, then one of each business they own."""
    found = [
        Wallet("", Money(own.available, own.currency), Money(own.held, own.currency))
        for own in await wallets_of(connection, person)
    ]
    for business in await businesses_of(connection, person):
        currency = country(business.country).currency
        ref = AccountRef(f"business:{business.id}", "wallet", currency)
        held = await balance(connection, ref)
        found.append(
            Wallet(business.name, Money(held.available, currency), Money(held.held, currency))
        )
    return tuple(found)


async def _backings(
    connection: Connection, person: PersonId, business: BusinessId
) -> tuple[Backing, ...]:
    """Who invested. Raises ``Forbidden`` for a business of somebody else."""
    if business not in {own.id for own in await businesses_of(connection, person)}:
        raise Forbidden("This is not your business.")
    return tuple(
        Backing(made.investor_name, made.offering_title, made.amount, made.raised, made.target)
        for made in await investments_in(connection, business, _LISTED)
        if made.state == "confirmed"
    )


def _has_room(offering: Offering) -> bool:
    room = offering.maximum.amount - offering.raised.amount
    return offering.state == "open" and room >= offering.minimum.amount


def _offer(offering: Offering) -> Offer:
    """``maximum`` becomes what the offering still takes; the hub's guard has the last word."""
    return Offer(
        str(offering.id),
        offering.title,
        offering.business_name,
        offering.minimum,
        offering.maximum - offering.raised,
        offering.raised,
        offering.target,
        f"{offering.rate_percent.normalize():f}",
        offering.term_months,
        offering.closes_at.date().isoformat(),
    )
