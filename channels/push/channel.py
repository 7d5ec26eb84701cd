"""Push as a channel: every signed-in device that has a token."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from channels.base import Address, Cost, Notice, Outcome
from channels.push.fcm import PROVIDER, FcmClient
from hub.clock import Clock
from hub.database import Connection
from hub.identity import Person, devices_of, retire_push_token

__all__ = ["PushChannel", "message_for"]

_LONGEST_TTL = 28 * 24 * 3_600  # what Android allows


class PushChannel:
    """Reaches apps and browsers. Costs nothing."""

    name = "push"
    provider = PROVIDER

    def __init__(self, client: FcmClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock

    async def can_reach(self, c: Connection, person: Person) -> Sequence[Address]:
        devices = await devices_of(c, person.id)
        return [Address(d.push_token, d.id) for d in devices if d.push_token]

    async def send(self, notice: Notice) -> Outcome:
        message = message_for(notice, self._clock.now())
        return await self._client.send(message, number=notice.number)

    def price(self, notice: Notice) -> Cost | None:
        return None

    async def retire(self, tx: Connection, address: Address, reason: str, at: datetime) -> None:
        if address.device_id is not None:
            await retire_push_token(tx, address.device_id)


def message_for(notice: Notice, now: datetime) -> dict[str, Any]:
    """A notice as an FCM message: at most a few hundred bytes, gone when the notice expires."""
    tag = str(notice.event_id)
    seconds = min(max(int((notice.expires_at - now).total_seconds()), 0), _LONGEST_TTL)
    urgent = notice.urgency != "promotional"
    return {
        "token": notice.address.value,
        "notification": {"title": notice.title, "body": notice.text},
        "data": notice.data,
        "android": {
            "priority": "HIGH" if urgent else "NORMAL",
            "ttl": f"{seconds}s",
            "collapseKey": tag,
            "notification": {"tag": tag},
        },
        "webpush": {
            "headers": {"TTL": str(seconds), "Urgency": "high" if urgent else "low"},
            "notification": {"tag": tag},
        },
        "apns": {
            "headers": {
                "apns-collapse-id": tag,
                "apns-priority": "10" if urgent else "5",
                "apns-expiration": str(int(notice.expires_at.timestamp())),
            }
        },
    }
