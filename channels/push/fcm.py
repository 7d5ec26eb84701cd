"""Firebase Cloud Messaging's HTTP v1 API over one pooled client.

The wire and the error table are PROVIDERS 2.3. google-auth's refresh blocks, so it runs in a
thread; its token is kept until five minutes before it expires. Notices carry the event's id as
their tag: a second copy replaces the first on the device, so whatever is unsure is tried again.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import google.auth.exceptions
import google.auth.transport.requests
import httpx
import msgspec
from google.oauth2 import service_account

import hub.settings
from channels.base import Dead, Outcome, Retry, Sent, provider_client, retry_after
from hub.clock import Clock
from hub.settings import Secret
from hub.telemetry import logger

__all__ = ["PROVIDER", "FcmClient", "GoogleTokens", "NoAccessToken"]

PROVIDER = "fcm"

_SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
_EARLY = timedelta(minutes=5)
_BUSY = 60.0
_OURS_TO_MEND = 300.0
_FIRST_WAIT = 10.0
_TOKEN_TIMEOUT = 10
_log = logger("push")


class NoAccessToken(Exception):
    """Google gives us no access token; ``after`` seconds it is worth another try."""

    def __init__(self, reason: str, after: float) -> None:
        super().__init__(reason)
        self.after = after


class GoogleTokens:
    """Access tokens of a service account, refreshed off the loop, one refresh at a time."""

    def __init__(self, account: Secret, clock: Clock) -> None:
        self._account = account
        self._clock = clock
        self._lock = asyncio.Lock()
        self._credentials: Any = None
        self._token = ""
        self._renew_at: datetime | None = None

    async def token(self) -> str:
        """A token good for a while. Raises ``NoAccessToken``."""
        async with self._lock:
            if self._renew_at is None or self._clock.now() >= self._renew_at:
                await asyncio.to_thread(self._refresh)
            return self._token

    def forget(self, token: str) -> None:
        """The token was refused before its time."""
        if token == self._token:
            self._renew_at = None

    def _refresh(self) -> None:
        try:
            if self._credentials is None:
                info = msgspec.json.decode(self._account.reveal())
                make: Any = service_account.Credentials.from_service_account_info  # untyped
                self._credentials = make(info, scopes=[_SCOPE])
            request = google.auth.transport.requests.Request()
            self._credentials.refresh(partial(request, timeout=_TOKEN_TIMEOUT))
        except google.auth.exceptions.TransportError:
            raise NoAccessToken("Google does not answer", _BUSY) from None
        except google.auth.exceptions.RefreshError as fault:
            after = _BUSY if getattr(fault, "retryable", False) else _OURS_TO_MEND
            raise NoAccessToken("Google gives no access token", after) from None
        except (ValueError, TypeError, KeyError):
            # google.auth.exceptions.MalformedError is a ValueError too
            raise NoAccessToken("the service account's key cannot be used", _OURS_TO_MEND) from None
        self._token = self._credentials.token
        self._renew_at = self._credentials.expiry.replace(tzinfo=UTC) - _EARLY


class _Detail(msgspec.Struct, frozen=True, rename="camel"):
    error_code: str = ""
    field_violations: list[dict[str, Any]] = []


class _Error(msgspec.Struct, frozen=True):
    status: str = ""
    details: list[_Detail] = []


class _Failure(msgspec.Struct, frozen=True):
    error: _Error


class _Success(msgspec.Struct, frozen=True):
    name: str = ""


class FcmClient:
    """Sends single messages. Open one per process."""

    def __init__(self, client: httpx.AsyncClient, tokens: GoogleTokens, project_id: str) -> None:
        self._client = client
        self._tokens = tokens
        self._path = f"/v1/projects/{project_id}/messages:send"

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: hub.settings.Fcm, clock: Clock) -> AsyncIterator["FcmClient"]:
        """On ``settings.fcm``; the pool is closed with the block."""
        async with provider_client(settings.base_url) as client:
            tokens = GoogleTokens(settings.service_account, clock)
            yield cls(client, tokens, settings.project_id)

    async def send(self, message: dict[str, Any], *, number: int = 1) -> Outcome:
        """Hands one message over. ``number`` is the try: waits after a 5xx double with it."""
        for again in (False, True):
            try:
                token = await self._tokens.token()
            except NoAccessToken as fault:
                _log.error("no access token for push", reason=str(fault))
                return Retry(fault.after, str(fault))
            try:
                response = await self._client.post(
                    self._path,
                    content=msgspec.json.encode({"message": message}),
                    headers={
                        "authorization": f"Bearer {token}",
                        "content-type": "application/json",
                    },
                )
            except httpx.HTTPError as fault:
                return Retry(
                    _backoff(number), f"{PROVIDER} does not answer: {type(fault).__name__}"
                )
            code, error = _error(response)
            if response.status_code == 401 and code != "THIRD_PARTY_AUTH_ERROR" and not again:
                self._tokens.forget(token)  # refused before its time: once more with a fresh one
                continue
            return _outcome(response, code, error, number)
        raise AssertionError("unreachable")


def _error(response: httpx.Response) -> tuple[str, _Error]:
    """FCM's error code, the status where there is none, empty where all is well."""
    if response.is_success:
        return "", _Error()
    try:
        error = msgspec.json.decode(response.content, type=_Failure).error
    except msgspec.DecodeError:
        return "", _Error()
    code = next((detail.error_code for detail in error.details if detail.error_code), "")
    return code, error


def _outcome(response: httpx.Response, code: str, error: _Error, number: int) -> Outcome:
    status = response.status_code
    if response.is_success:
        try:
            return Sent(provider_id=msgspec.json.decode(response.content, type=_Success).name)
        except msgspec.DecodeError:
            return Sent()
    if status == 429:
        return Retry(retry_after(response, _BUSY), f"{PROVIDER} is busy")
    if status >= 500:
        return Retry(retry_after(response, _backoff(number)), f"{PROVIDER} answered {status}")
    if code == "UNREGISTERED":
        return Dead("the app was removed from the device", retire=True)
    if code == "SENDER_ID_MISMATCH":
        return Dead("the token belongs to another sender", retire=True)
    if code == "INVALID_ARGUMENT" and not _our_fault(error):
        return Dead("the token is not valid", retire=True)
    if status in (401, 403):
        _log.error("the push provider refuses our credentials", status=status, error_code=code)
        return Retry(_OURS_TO_MEND, f"{PROVIDER} refuses our credentials")
    _log.error("the push provider refuses a message", status=status, error_code=code)
    return Dead(f"{PROVIDER} answered {status} {error.status}".strip())


def _our_fault(error: _Error) -> bool:
    """Whether a field other than the token is what FCM complains about."""
    violations = [v for detail in error.details for v in detail.field_violations]
    return any(violation.get("field") != "message.token" for violation in violations)


def _backoff(number: int) -> float:
    """10 s, doubling with each try, with jitter so that devices do not come back together."""
    return _FIRST_WAIT * float(2 ** (number - 1)) * random.uniform(1.0, 1.5)  # noqa: S311
