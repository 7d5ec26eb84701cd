"""How a session enters a channel: what it missed, its answer, then live.

The order is the promise: the answer is written before the first push of the channel, and nothing
that the answer covers is pushed again. Between ``Channel.admit`` and ``Channel.add`` nothing waits.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from hub.realtime.publication import Position, Publication
from hub.realtime.wire import SubscribeRequest, SubscribeResult, WirePublication

if TYPE_CHECKING:
    from hub.realtime.channel import Channel
    from hub.realtime.session import Session

__all__ = ["Arrival", "subscribe_client", "subscribe_personal", "wire_publications"]


class Arrival(msgspec.Struct):
    """A session that stands where its channel stands, about to be told so."""

    channel: "Channel"
    result: SubscribeResult
    missed: list[Publication]
    listens: bool
    resumed_after: int

    async def complete(self, session: "Session") -> None:
        """Makes the session a member, right after its answer was written; then announces it."""
        channel = self.channel
        channel.add(session, listens=self.listens)
        channel.release()
        session.subscriptions[channel.name] = channel
        if channel is session.personal:
            self._acknowledge(session)
        await session.node.present(channel, session)

    def abandon(self) -> None:
        """The session does not come in after all."""
        self.channel.release()

    def _acknowledge(self, session: "Session") -> None:
        session.has_read(self.resumed_after)
        reach = [each.offset for each in self.missed if session.node.reaches(each.data)]
        if reach:
            session.owes_acknowledgement(reach[-1])


async def subscribe_personal(
    session: "Session", wanted: Mapping[str, SubscribeRequest]
) -> Arrival | None:
    """Enters the person's own channel, resuming where the client says it stopped. None where the
    product has no personal channels. Raises ``BrokerDown`` or ``DatabaseDown``."""
    node = session.node
    name = node.namespaces.personal_channel(session.user)
    if name is None:
        return None
    arrival = await subscribe_client(session, wanted.get(name) or SubscribeRequest(name), name)
    session.personal = arrival.channel
    return arrival


async def subscribe_client(
    session: "Session", request: SubscribeRequest, name: str = ""
) -> Arrival:
    """Enters a channel the session may enter. Raises ``BrokerDown`` or ``DatabaseDown``."""
    name = name or request.channel
    channel = session.node.channel(name)
    namespace = channel.namespace
    after = Position(request.offset, request.epoch) if request.recover else None
    missed = await channel.admit(after)
    recovers = namespace.numbered and namespace.force_recovery
    recovered = recovers and missed.whole and request.recover
    resume = after if after and recovered and not namespace.cache else None
    result = SubscribeResult(
        recoverable=recovers,
        positioned=namespace.positioned,
        epoch=missed.top.epoch if recovers else "",
        offset=resume.offset if resume else missed.top.offset if recovers else 0,
        publications=wire_publications(missed.publications) if recovered else [],
        recovered=recovered,
        was_recovering=request.recover,
    )
    return Arrival(
        channel,
        result,
        missed.publications if recovered else [],
        listens=namespace.join_leave and request.join_leave,
        resumed_after=resume.offset if resume else 0,
    )


def wire_publications(publications: list[Publication]) -> list[WirePublication]:
    """Publications as members of a result."""
    return [
        WirePublication(
            msgspec.Raw(each.data),
            msgspec.Raw(each.info) if each.info else msgspec.UNSET,
            each.offset,
        )
        for each in publications
    ]
