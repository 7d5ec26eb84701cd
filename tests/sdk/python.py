"""The official Python SDK in the words of ``client``."""

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from centrifuge import (
    CentrifugeError,
    Client,
    ClientEventHandler,
    DeltaType,
    FilterNode,
    ReplyError,
    StreamPosition,
    SubscriptionEventHandler,
)

from tests.sdk.client import Refused, SdkClient

__all__ = ["PythonClient"]


class PythonClient(SdkClient):
    def __init__(self, url: str, *, encoding: str, tokens: Sequence[str] = (), **more: Any) -> None:
        super().__init__()
        self._binary = encoding == "protobuf"
        if tokens:
            more["get_token"] = self._tokens(tokens)
        if "data" in more:
            more["data"] = self.encode(more["data"])
        self._client = Client(
            url, events=_Listener(self), use_protobuf=self._binary, proxy=None, **more
        )

    def _tokens(self, tokens: Sequence[str], channel: str = "") -> Callable[..., Awaitable[str]]:
        left = list(tokens)

        async def next_token(*_: Any) -> str:
            self.note({"on": "token", "channel": channel})
            return left.pop(0) if len(left) > 1 else left[0]

        return next_token

    def _positions(self, since: dict[str, Any]) -> Callable[[str], Awaitable[StreamPosition]]:
        """This SDK asks for the stored position instead of being given it."""

        async def position(_: str) -> StreamPosition:
            return StreamPosition(**since)

        return position

    def encode(self, data: Any) -> Any:
        return json.dumps(data).encode() if self._binary else data

    def decode(self, data: Any) -> Any:
        if data is None or not self._binary:
            return data
        return json.loads(data) if data else None

    def info(self, info: Any) -> dict[str, Any] | None:
        if info is None:
            return None
        return {"user": info.user, "client": info.client, "info": self.decode(info.conn_info)}

    def publication(self, publication: Any) -> dict[str, Any]:
        return {
            "data": self.decode(publication.data),
            "offset": publication.offset,
            "tags": publication.tags or {},
            "info": self.info(publication.info),
        }

    async def connect(self) -> None:
        await self._client.connect()

    async def disconnect(self) -> None:
        await self._client.disconnect()

    async def subscribe(self, channel: str, *, tokens: Sequence[str] = (), **options: Any) -> None:
        subscription = self._client.get_subscription(channel)
        if subscription is None:
            if tokens:
                options["get_token"] = self._tokens(tokens, channel)
            if options.get("delta"):
                options["delta"] = DeltaType(options["delta"])
            if options.get("tags_filter"):
                options["tags_filter"] = FilterNode(options["tags_filter"])
            if options.get("since"):
                options["get_state"] = self._positions(options.pop("since"))
            events = _ChannelListener(self, channel)
            options.setdefault("min_resubscribe_delay", 0.05)
            subscription = self._client.new_subscription(channel, events, **options)
        await subscription.subscribe()

    async def subscribe_many(self, channels: Sequence[str], **options: Any) -> None:
        """This SDK joins nothing at will; on a connect it brings all it has at once."""
        for channel in channels:
            await self.subscribe(channel, **options)

    async def unsubscribe(self, channel: str) -> None:
        subscription = self._client.get_subscription(channel)
        assert subscription is not None
        await subscription.unsubscribe()

    async def publish(self, channel: str, data: Any) -> None:
        await self._asked(self._client.publish(channel, self.encode(data)))

    async def presence(self, channel: str) -> list[dict[str, Any]]:
        found = await self._asked(self._client.presence(channel))
        return [each for info in found.clients.values() if (each := self.info(info))]

    async def presence_stats(self, channel: str) -> dict[str, int]:
        found = await self._asked(self._client.presence_stats(channel))
        return {"clients": found.num_clients, "users": found.num_users}

    async def history(
        self,
        channel: str,
        *,
        limit: int = 0,
        since: dict[str, Any] | None = None,
        reverse: bool = False,
    ) -> dict[str, Any]:
        position = StreamPosition(**since) if since else None
        found = await self._asked(
            self._client.history(channel, limit=limit, since=position, reverse=reverse)
        )
        publications = [self.publication(each) for each in found.publications]
        return {"publications": publications, "offset": found.offset, "epoch": found.epoch}

    async def rpc(self, method: str, data: Any) -> Any:
        return self.decode((await self._asked(self._client.rpc(method, self.encode(data)))).data)

    async def _asked(self, answer: Awaitable[Any]) -> Any:
        try:
            return await answer
        except ReplyError as error:
            raise Refused(error.code, str(error)) from None
        except CentrifugeError as error:
            raise Refused(0, str(error)) from None


class _Telling:
    """What connections and subscriptions of this SDK tell in the same way."""

    def __init__(self, client: PythonClient, channel: str = "") -> None:
        self._to = client
        self._channel = channel

    def _tell(self, on: str, context: Any, **facts: Any) -> None:
        channel = self._channel or getattr(context, "channel", "")
        for name in ("code", "reason"):
            if hasattr(context, name):
                facts.setdefault(name, getattr(context, name))
        self._to.note({"on": on, "channel": channel, **facts})

    async def on_subscribing(self, context: Any) -> None:
        self._tell("subscribing", context)

    async def on_subscribed(self, context: Any) -> None:
        position = context.stream_position
        self._tell(
            "subscribed",
            context,
            recoverable=context.recoverable,
            positioned=context.positioned,
            recovered=context.recovered,
            was_recovering=context.was_recovering,
            offset=position.offset if position else 0,
            epoch=position.epoch if position else "",
            data=self._to.decode(context.data),
        )

    async def on_unsubscribed(self, context: Any) -> None:
        self._tell("unsubscribed", context)

    async def on_publication(self, context: Any) -> None:
        self._tell("publication", context, **self._to.publication(context.pub))

    async def on_join(self, context: Any) -> None:
        self._tell("join", context, info=self._to.info(context.info))

    async def on_leave(self, context: Any) -> None:
        self._tell("leave", context, info=self._to.info(context.info))

    async def on_error(self, context: Any) -> None:
        code = getattr(context.error, "code", context.code)
        self._tell("error", context, code=code, message=str(context.error))


class _Listener(_Telling, ClientEventHandler):
    async def on_connecting(self, context: Any) -> None:
        self._tell("connecting", context)

    async def on_connected(self, context: Any) -> None:
        facts = {"id": context.client, "data": self._to.decode(context.data)}
        self._tell("connected", context, transport="websocket", **facts)

    async def on_disconnected(self, context: Any) -> None:
        self._tell("disconnected", context)


class _ChannelListener(_Telling, SubscriptionEventHandler):
    pass
