"""Connection and subscription tokens signed with a shared secret (HS256, HS384, HS512).

Implements ``Authenticator`` and ``SubscriptionTokens`` for a gateway whose users are known to
somebody else's backend. Times are the clock's. Claims are read strictly: a claim of the wrong
type makes the token invalid. ``aud`` and ``iss`` count only where the gateway is told to expect
one. The check of the signature is done here, in constant time, with the standard library: a JWT
library would warn at every connect about the short secrets that the protocol's own examples use.
"""

import hmac
from base64 import b64decode, urlsafe_b64decode
from collections.abc import Mapping
from typing import NoReturn, TypeVar

import msgspec

from hub.clock import Clock
from hub.realtime.errors import TokenInvalid
from hub.realtime.policies import Credentials, Grant, Override
from hub.settings import Secret

__all__ = ["HmacTokens"]

T = TypeVar("T", bound="_Claims")

_ALGORITHMS = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}
_LONGEST_TOKEN = 32 * 1024
_LATEST = 2**53


class _Header(msgspec.Struct):
    alg: str


class _Value(msgspec.Struct):
    value: bool


class _Override(msgspec.Struct):
    presence: _Value | None = None
    join_leave: _Value | None = None
    force_push_join_leave: _Value | None = None
    force_recovery: _Value | None = None
    force_positioning: _Value | None = None

    def plain(self) -> Override:
        given = ((name, getattr(self, name)) for name in self.__struct_fields__)
        return Override(**{name: each.value for name, each in given if each is not None})


class _Shown(msgspec.Struct, kw_only=True):
    """Members that say what others see and what the client gets."""

    info: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    b64info: str = ""
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    b64data: str = ""
    override: _Override = msgspec.field(default_factory=_Override)

    def grant(self, expires_at: int = 0) -> Grant:
        return Grant(
            info=_json(self.info, self.b64info),
            data=_json(self.data, self.b64data),
            expires_at=expires_at,
            override=self.override.plain(),
        )


class _Claims(_Shown, kw_only=True):
    sub: str = ""
    exp: float | None = None
    nbf: float | None = None
    iat: float | None = None
    expire_at: int | None = None
    aud: str | list[str] = ""
    iss: str = ""

    @property
    def ends(self) -> int:
        """Unix seconds; 0 for never. ``expire_at`` wins, also to say never."""
        return int(self.exp or 0) if self.expire_at is None else self.expire_at


class _ConnectionClaims(_Claims, kw_only=True):
    channels: list[str] = []
    subs: dict[str, _Shown] = {}
    meta: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    channel: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _SubscriptionClaims(_Claims, kw_only=True):
    channel: str
    client: str = ""


class HmacTokens:
    """Verifies with one secret; with an empty one no token is good."""

    def __init__(
        self, secret: Secret, clock: Clock, *, audience: str = "", issuer: str = ""
    ) -> None:
        self._secret, self._clock = secret, clock
        self._audience, self._issuer = audience, issuer

    def verify_connection(self, token: str) -> Credentials:
        """Who the token speaks for and what it opens. Raises ``TokenInvalid``."""
        claims = self._verify(token, _ConnectionClaims)
        if claims.channel is not msgspec.UNSET:
            # A subscription token must not open a connection as well.
            raise TokenInvalid("A connection token does not name a channel.")
        info = _json(claims.info, claims.b64info)
        return Credentials(
            user=claims.sub,
            expires_at=claims.ends or None,
            info=msgspec.Raw(info) if info else None,
            grants=_grants(claims),
            meta=_json(claims.meta, ""),
        )

    def verify_subscription(self, token: str, *, user: str, client: str, channel: str) -> Grant:
        """What the token gives ``user`` in ``channel``. Raises ``TokenInvalid``, with the fact
        ``foreign=True`` where a good token speaks of another user, client or channel."""
        claims = self._verify(token, _SubscriptionClaims)
        if (claims.sub, claims.channel) != (user, channel) or claims.client not in ("", client):
            raise TokenInvalid("The token is somebody else's.", foreign=True)
        return claims.grant(claims.ends)

    def _verify(self, token: str, shape: type[T]) -> T:
        claims = self._read(token, shape)
        now = self._clock.now().timestamp()
        if (claims.exp is not None and claims.exp <= now) or (claims.nbf or 0) > now:
            raise TokenInvalid("The token has expired or is not valid yet.", expired=True)
        audience = [claims.aud] if isinstance(claims.aud, str) else claims.aud
        if self._audience and self._audience not in audience:
            raise TokenInvalid("The token is meant for somebody else.")
        if self._issuer and self._issuer != claims.iss:
            raise TokenInvalid("The token comes from somebody else.")
        return claims

    def _read(self, token: str, shape: type[T]) -> T:
        if not self._secret or len(token) > _LONGEST_TOKEN:
            _refuse()
        try:
            signed, _, signature = token.encode("ascii").rpartition(b".")
            header, _, payload = signed.partition(b".")
            algorithm = _ALGORITHMS.get(msgspec.json.decode(_unpadded(header), type=_Header).alg)
            if algorithm is None:
                _refuse()
            proof = hmac.digest(self._secret.reveal().encode(), signed, algorithm)
            if not hmac.compare_digest(proof, _unpadded(signature)):
                _refuse()
            claims = msgspec.json.decode(_unpadded(payload), type=shape)
        except (ValueError, RecursionError):  # msgspec's faults and those of base64 are ValueErrors
            _refuse()
        if any(abs(each or 0) > _LATEST for each in (claims.exp, claims.nbf, claims.expire_at)):
            _refuse()
        return claims


def _grants(claims: _ConnectionClaims) -> Mapping[str, Grant]:
    """``channels`` and ``subs`` together; the more exact ``subs`` win."""
    plain = {channel: Grant() for channel in claims.channels}
    return {**plain, **{channel: sub.grant() for channel, sub in claims.subs.items()}}


def _json(text: msgspec.Raw | msgspec.UnsetType, encoded: str) -> bytes:
    """One of the two forms of a member. What is encoded must be JSON as well, because others may
    speak the JSON encoding."""
    try:
        if encoded:
            data = b64decode(encoded, validate=True)
            msgspec.json.decode(data)
            return data.replace(b"\n", b" ")
    except ValueError:
        raise TokenInvalid("b64info and b64data must hold JSON.") from None
    if isinstance(text, msgspec.UnsetType) or bytes(text) == b"null":
        return b""
    return bytes(text).replace(b"\n", b" ")


def _unpadded(text: bytes) -> bytes:
    return urlsafe_b64decode(text + b"=" * (-len(text) % 4))


def _refuse() -> NoReturn:
    raise TokenInvalid("The token is not valid.")
