"""Signed tokens: who you are towards the API, and towards the real-time server.

JWTs signed with Ed25519 (RFC 8037), each for one audience only: an access token (``api``,
15 minutes) opens no socket, a connection token (``realtime``, 1 hour) opens no route. Verifying
accepts EdDSA, our issuer and our key id, nothing else, and asks no database: an access token
outlives the end of its session by up to 15 minutes. What cannot wait that long (a new PIN, a
connection token) asks the session's row too.
"""

from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Any, TypeVar
from uuid import UUID

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from hub.clock import Clock
from hub.identity.errors import TokenRefused
from hub.identity.model import ConnectionClaims, Principal
from hub.ids import DeviceId, PersonId
from hub.settings import Secret, SettingsFault

__all__ = ["ACCESS_SECONDS", "CONNECTION_SECONDS", "ISSUER", "Tokens"]

ISSUER = "bvester-hub"
ACCESS_SECONDS = 15 * 60
CONNECTION_SECONDS = 60 * 60

_REMEMBERED = 8192


class _Claims(msgspec.Struct):
    sub: UUID
    exp: int


class _Access(_Claims, kw_only=True):
    sid: UUID
    roles: frozenset[str] = frozenset()
    dev: UUID | None = None


class _Connection(_Claims, kw_only=True):
    info: dict[str, str | None]
    dev: UUID | None = None


T = TypeVar("T", bound=_Claims)


class Tokens:
    """Issues and verifies tokens with one Ed25519 key (PEM); times are the clock's."""

    def __init__(self, signing: Secret, clock: Clock) -> None:
        key = load_pem_private_key(signing.reveal().encode(), password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise SettingsFault("HUB_SIGNING_KEY must be an Ed25519 private key.")
        self._private, self._public, self._clock = key, key.public_key(), clock
        # A client shows the same access token many times and an Ed25519 check costs 0.15 ms, so
        # tokens once found good are remembered, to the letter; their time is checked every time.
        self._verified: dict[str, tuple[int, Principal]] = {}
        raw = self._public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        self._x = urlsafe_b64encode(raw).rstrip(b"=").decode()
        # RFC 7638 with the members of RFC 8037, appendix A.3
        thumbprint = f'{{"crv":"Ed25519","kty":"OKP","x":"{self._x}"}}'
        digest = sha256(thumbprint.encode()).digest()
        self.kid = urlsafe_b64encode(digest).rstrip(b"=").decode()

    def issue_access(self, principal: Principal) -> str:
        """An access token for the API, good for ``ACCESS_SECONDS``."""
        return self._issue(
            "api",
            ACCESS_SECONDS,
            sub=str(principal.person_id),
            sid=str(principal.session_id),
            roles=sorted(principal.roles),
            dev=_text(principal.device_id),
        )

    def verify_access(self, token: str) -> Principal:
        """Who the token speaks for. Raises ``TokenRefused``."""
        known = self._verified.get(token)
        if known is not None:
            self._check_time(known[0])
            return known[1]
        claims = self._verify(token, "api", _Access)
        principal = Principal(
            person_id=PersonId(claims.sub),
            roles=claims.roles,
            device_id=DeviceId(claims.dev) if claims.dev else None,
            session_id=claims.sid,
        )
        if len(self._verified) >= _REMEMBERED:
            self._verified.clear()
        self._verified[token] = (claims.exp, principal)
        return principal

    def issue_connection(self, principal: Principal, *, name: str = "") -> str:
        """A token for the real-time server, good for ``CONNECTION_SECONDS``; ``name`` is the
        display name, which is all that other subscribers see."""
        return self._issue(
            "realtime",
            CONNECTION_SECONDS,
            sub=str(principal.person_id),
            dev=_text(principal.device_id),
            info={"name": name},
        )

    def verify_connection(self, token: str) -> ConnectionClaims:
        """What the real-time server needs to know. Raises ``TokenRefused``, with the fact
        ``expired=True`` where a fresh token would do."""
        claims = self._verify(token, "realtime", _Connection)
        return ConnectionClaims(
            user=str(claims.sub),
            expires_at=claims.exp,
            info=claims.info,
            device=_text(claims.dev),
        )

    def jwks(self) -> dict[str, Any]:
        """The public key as a JSON Web Key Set (RFC 7517), for others who verify our tokens."""
        key = {"kty": "OKP", "crv": "Ed25519", "x": self._x}
        return {"keys": [{**key, "kid": self.kid, "use": "sig", "alg": "EdDSA"}]}

    def _issue(self, audience: str, seconds: int, **claims: Any) -> str:
        now = int(self._clock.now().timestamp())
        return jwt.encode(
            {"iss": ISSUER, "aud": audience, "iat": now, "exp": now + seconds, **claims},
            self._private,
            algorithm="EdDSA",
            headers={"kid": self.kid},
        )

    def _verify(self, token: str, audience: str, shape: type[T]) -> T:
        try:
            # The times are checked below against our clock; PyJWT would ask the machine's.
            complete = jwt.decode_complete(
                token,
                self._public,
                algorithms=["EdDSA"],
                audience=audience,
                issuer=ISSUER,
                options={
                    "require": ["iss", "aud", "iat", "exp", "sub"],
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
            if complete["header"].get("kid") != self.kid:
                raise TokenRefused("The token names another key.")
            claims = msgspec.convert(complete["payload"], shape)
        except (jwt.PyJWTError, msgspec.ValidationError, ValueError, TypeError):
            raise TokenRefused("The token is not valid.") from None
        self._check_time(claims.exp)
        return claims

    def _check_time(self, expires_at: int) -> None:
        if expires_at <= self._clock.now().timestamp():
            raise TokenRefused("The token has expired.", expired=True)


def _text(value: UUID | None) -> str | None:
    return str(value) if value else None
