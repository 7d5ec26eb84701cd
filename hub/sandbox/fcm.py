"""Firebase Cloud Messaging v1 and Google's token endpoint.

Tokens: the JWT-bearer grant (RFC 7523), its assertion verified against the public half of the
service account's key. Messages: checked field by field against the API's description before
anything is kept; the error bodies are Google's, so INVALID_ARGUMENT with an ``FcmError`` alone
means a bad token, and one with ``BadRequest`` violations means that the caller is wrong.
"""

from secrets import token_hex, token_urlsafe
from typing import Any
from urllib.parse import parse_qsl

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from litestar import Request, Response, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, RawBody

from hub.sandbox.fcm_message import MessageFault, target_of
from hub.sandbox.world import World

__all__ = ["PROVIDER", "ServiceAccount", "routes"]

PROVIDER = "fcm"

_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
# google-auth names Google's endpoint as the audience, whatever token_uri it posts to.
_GOOGLE_AUDIENCE = "https://oauth2.googleapis.com/token"
_LIFETIME = 3_599  # seconds, as Google's tokens
_LEEWAY = 300  # seconds a client's clock may be off
_SCOPES = frozenset(
    {
        "https://www.googleapis.com/auth/firebase.messaging",
        "https://www.googleapis.com/auth/cloud-platform",
    }
)
_FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
_BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"
_TOLD: dict[str, tuple[int, str, str, str]] = {
    "unregistered": (404, "NOT_FOUND", "UNREGISTERED", "Requested entity was not found."),
    "invalid_token": (
        400,
        "INVALID_ARGUMENT",
        "INVALID_ARGUMENT",
        "The registration token is not a valid FCM registration token",
    ),
    "sender_id_mismatch": (403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH", "SenderId mismatch"),
    "third_party_auth_error": (
        401,
        "UNAUTHENTICATED",
        "THIRD_PARTY_AUTH_ERROR",
        "Auth error from APNS or Web Push Service",
    ),
    "500": (500, "INTERNAL", "INTERNAL", "Internal error encountered."),
    "503": (503, "UNAVAILABLE", "UNAVAILABLE", "The service is currently unavailable."),
    "429": (429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED", "Resource has been exhausted."),
    "429_without_retry_after": (
        429,
        "RESOURCE_EXHAUSTED",
        "QUOTA_EXCEEDED",
        "Resource has been exhausted.",
    ),
}

AnyRequest = Request[None, None, State]


class ServiceAccount:
    """The account the hub signs in with, as its provider knows it: by the public key."""

    def __init__(self, text: str) -> None:
        fields = msgspec.json.decode(text or "{}", type=dict[str, Any])
        self.email = str(fields.get("client_email", ""))
        self.token_uri = str(fields.get("token_uri", ""))
        self.key_id = str(fields.get("private_key_id", ""))
        self.public_key: RSAPublicKey | None = None
        if fields.get("private_key"):
            key = load_pem_private_key(
                str(fields["private_key"]).encode(), None, unsafe_skip_rsa_key_validation=True
            )
            if isinstance(key, RSAPrivateKey):
                self.public_key = key.public_key()

    def claims(self, assertion: str) -> dict[str, Any]:
        """The verified claims of a JWT. Raises ``jwt.PyJWTError``."""
        if self.public_key is None:
            raise jwt.InvalidSignatureError("no service account is configured")
        if jwt.get_unverified_header(assertion).get("kid", self.key_id) != self.key_id:
            raise jwt.InvalidSignatureError("the key is not one of this account")
        claims: dict[str, Any] = jwt.decode(
            assertion,
            self.public_key,
            algorithms=["RS256"],
            audience=(self.token_uri, _GOOGLE_AUDIENCE),
            issuer=self.email,
            leeway=_LEEWAY,
            options={"require": ["iss", "aud", "iat", "exp"]},
        )
        if not 0 < claims["exp"] - claims["iat"] <= 3_600:
            raise jwt.ExpiredSignatureError("longer than an hour")
        return claims


@post("/token", status_code=200)
async def issue_token(
    body: RawBody, world: NamedDependency[World], account: NamedDependency[ServiceAccount]
) -> Response[bytes]:
    """An access token for a signed assertion."""
    form = dict(parse_qsl(body.decode(errors="replace")))
    if world.behaviours.take(PROVIDER, "token_503", account.email) is not None:
        return _json(503, {"error": "backend_error"})
    if form.get("grant_type") != _GRANT:
        grant = form.get("grant_type", "")
        return _refused("unsupported_grant_type", f"Invalid grant_type: {grant}")
    try:
        claims = account.claims(form.get("assertion", ""))
    except jwt.ExpiredSignatureError:
        return _refused(
            "invalid_grant",
            "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable"
            " timeframe. Check your iat and exp values in the JWT claim.",
        )
    except jwt.InvalidAudienceError:
        return _refused("invalid_grant", "Invalid JWT: Failed audience check.")
    except jwt.InvalidIssuerError:
        return _refused("invalid_grant", "Invalid grant: account not found")
    except jwt.InvalidSignatureError:
        return _refused("invalid_grant", "Invalid JWT Signature.")
    except jwt.PyJWTError as fault:
        return _refused("invalid_grant", f"Invalid JWT: {fault}")
    scope = str(claims.get("scope", ""))
    if not scope:
        return _refused("invalid_scope", "Invalid OAuth scope or ID token audience provided.")
    token = f"ya29.{token_urlsafe(48)}"
    world.store.run("DELETE FROM access_tokens WHERE expires_at < ?", world.now())
    world.store.run(
        "INSERT INTO access_tokens VALUES (?, ?, ?)", token, scope, world.now() + _LIFETIME * 1000
    )
    return _json(200, {"access_token": token, "expires_in": _LIFETIME, "token_type": "Bearer"})


@post("/v1/projects/{project:str}/messages:send", status_code=200)
async def send_push(
    request: AnyRequest, project: FromPath[str], body: RawBody, world: NamedDependency[World]
) -> Response[bytes]:
    """Sends one message to one target."""
    refusal = _authorize(request, project, world)
    if refusal is not None:
        return refusal
    try:
        target, message, dry = target_of(body)
    except MessageFault as fault:
        return _invalid(fault)
    for what, (status, name, code, text) in _TOLD.items():
        told = world.behaviours.take(PROVIDER, what, target)
        if told is None:
            continue
        answer = _error(status, name, text, {"@type": _FCM_ERROR, "errorCode": code})
        if told.value is not None or what == "429":
            answer.headers["retry-after"] = str(told.value or 1)
        return answer
    if dry:
        return _json(200, {"name": f"projects/{project}/messages/fake_message_id"})
    name = f"projects/{project}/messages/0:{world.now() * 1000}%{token_hex(8)}"
    world.store.run(
        "INSERT INTO pushes (id, target, message, at) VALUES (?, ?, ?, ?)",
        name,
        target,
        msgspec.json.encode(message).decode(),
        world.now(),
    )
    return _json(200, {"name": name})


def _authorize(request: AnyRequest, project: str, world: World) -> Response[bytes] | None:
    """A refusal of the bearer token or the project; None where both are fine."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    row = world.store.one(
        "SELECT scope FROM access_tokens WHERE token = ? AND expires_at > ?", token, world.now()
    )
    expired = world.behaviours.take(PROVIDER, "expired_bearer", project) is not None
    if kind.lower() != "bearer" or row is None or expired:
        return _error(
            401,
            "UNAUTHENTICATED",
            "Request had invalid authentication credentials. Expected OAuth 2 access token, login"
            " cookie or other valid authentication credential.",
        )
    if _SCOPES.isdisjoint(row["scope"].split()):
        return _error(403, "PERMISSION_DENIED", "Request had insufficient authentication scopes.")
    if project != world.settings.fcm.project_id:
        return _error(
            403,
            "PERMISSION_DENIED",
            "Permission 'cloudmessaging.messages.create' denied on resource"
            f" '//cloudresourcemanager.googleapis.com/projects/{project}'"
            " (or it may not exist).",
        )
    return None


def _invalid(fault: MessageFault) -> Response[bytes]:
    violation = {"field": fault.field, "description": fault.description}
    details: list[dict[str, Any]] = []
    if fault.reason != "shape":
        details.append({"@type": _FCM_ERROR, "errorCode": "INVALID_ARGUMENT"})
    if fault.reason != "token":
        details.append({"@type": _BAD_REQUEST, "fieldViolations": [violation]})
    return _error(400, "INVALID_ARGUMENT", fault.description, *details)


def _error(status: int, name: str, text: str, *details: dict[str, Any]) -> Response[bytes]:
    error: dict[str, Any] = {"code": status, "message": text, "status": name}
    if details:
        error["details"] = details
    return _json(status, {"error": error})


def _refused(error: str, description: str) -> Response[bytes]:
    return _json(400, {"error": error, "error_description": description})


def _json(status: int, body: object) -> Response[bytes]:
    return Response(
        msgspec.json.encode(body),
        status_code=status,
        media_type="application/json; charset=UTF-8",
    )


routes = [issue_token, send_push]
