"""One typed tree of settings, and the only reader of the environment.

Every variable starts with ``HUB_``. ``Settings.load`` reads them all, and fails at start with a
list of every fault instead of the first. In development a file ``development.env`` in the data
folder, written by ``hub up``, fills in what is not set: keys made for this folder on the first
start, and the addresses of the embedded servers. Production takes nothing from a file.
"""

import base64
import binascii
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from hub.errors import HubError

__all__ = ["GatewaySettings", "Secret", "Settings", "SettingsFault", "read_env_file"]

T = TypeVar("T")


class SettingsFault(HubError):
    """The environment does not describe a hub that can start; ``message`` lists why."""

    kind = "settings"


class Secret:
    """A value that never shows itself in a log, a repr or a traceback."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return "Secret(…)"


class Http(msgspec.Struct, frozen=True):
    """Where the web process listens and who it is from outside.

    ``trusted_proxies`` are those whose X-Forwarded-For counts as the caller's address, by comma;
    ``metrics_token`` is what a reader of metrics shows.
    """

    host: str
    port: int
    public_url: str
    allowed_origins: tuple[str, ...]
    trusted_proxies: str
    metrics_token: Secret


class Keys(msgspec.Struct, frozen=True):
    """``master`` wraps data keys (32 bytes, base64); ``signing`` signs tokens (Ed25519 PEM)."""

    master: Secret
    signing: Secret

    def master_bytes(self) -> bytes:
        return base64.b64decode(self.master.reveal())


class Paystack(msgspec.Struct, frozen=True):
    base_url: str
    secret_key: Secret


class AfricasTalking(msgspec.Struct, frozen=True):
    """``callback_token`` is the unguessable part of callback URLs: callbacks are unsigned."""

    base_url: str
    username: str
    api_key: Secret
    sender_id: str
    callback_token: Secret
    service_code: str


class Fcm(msgspec.Struct, frozen=True):
    """``service_account`` is the JSON text of a Google service account key."""

    base_url: str
    project_id: str
    service_account: Secret


class Sandbox(msgspec.Struct, frozen=True):
    """Where the local stand-ins for the outside world run; off in production."""

    enabled: bool
    host: str
    port: int

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"


class Escalation(msgspec.Struct, frozen=True):
    """``wait_percent`` scales the waits of every ``Reach``: 100 in production, less in demos."""

    wait_percent: int


class Realtime(msgspec.Struct, frozen=True):
    """What live connections may take of one web process; 0 is without limit.

    ``ping_seconds`` is how often an idle one is asked whether it is there (50 spares phones on
    mobile networks); ``drain_seconds`` is the time over which a stopping process sends them away.
    """

    per_address: int
    per_person: int
    ping_seconds: int
    drain_seconds: int
    deflate: bool


class Settings(msgspec.Struct, frozen=True):
    """Everything the hub can be told from outside."""

    environment: Literal["development", "test", "production"]
    data_dir: Path
    database_url: str
    redis_url: str
    jobs_redis_url: str
    http: Http
    keys: Keys
    paystack: Paystack
    africas_talking: AfricasTalking
    fcm: Fcm
    sandbox: Sandbox
    escalation: Escalation
    realtime: Realtime
    realtime_config: Path | None
    realtime_api_key: Secret

    @classmethod
    def load(cls, environment: Mapping[str, str] | None = None) -> "Settings":
        """Reads the process environment (or the mapping given).

        Raises ``SettingsFault`` naming every variable that is missing or wrong.
        """
        given = dict(os.environ if environment is None else environment)
        name = given.get("HUB_ENV", "development")
        data_dir = Path(given.get("HUB_DATA_DIR", ".hub")).resolve()
        if name == "development":
            given = {**read_env_file(data_dir / "development.env"), **given}
        return _Reader(given).settings(name, data_dir)


class GatewaySettings(msgspec.Struct, frozen=True):
    """What the real-time gateway needs when it runs alone, without the product and its secrets.
    Without ``redis_url`` it runs a Valkey of its own in ``data_dir``."""

    production: bool
    data_dir: Path
    redis_url: str | None
    host: str
    port: int
    config: Path

    @classmethod
    def load(cls, environment: Mapping[str, str] | None = None) -> "GatewaySettings":
        """Reads like ``Settings.load``, and raises like it. Files of ``hub up`` do not count."""
        return _Reader(dict(os.environ if environment is None else environment)).gateway()


def read_env_file(path: Path) -> dict[str, str]:
    """``NAME=value`` lines of a file; none if it does not exist."""
    if not path.exists():
        return {}
    pairs = (line.partition("=") for line in path.read_text().splitlines() if "=" in line)
    return {name.strip(): value.strip() for name, _, value in pairs if not name.startswith("#")}


class _Reader:
    """Reads variables one by one and remembers every fault."""

    def __init__(self, given: Mapping[str, str]) -> None:
        self._given = given
        self._faults: list[str] = []

    def settings(self, name: str, data_dir: Path) -> Settings:
        if name not in ("development", "test", "production"):
            self._faults.append("HUB_ENV must be development, test or production")
        production = name == "production"
        port = self._get("HUB_PORT", "8000", _port)
        sandbox = Sandbox(
            enabled=self._get("HUB_SANDBOX", "0" if production else "1", _flag),
            host="127.0.0.1",
            port=self._get("HUB_SANDBOX_PORT", str(port + 1), _port),
        )
        if production and sandbox.enabled:
            self._faults.append("HUB_SANDBOX may not be on in production")

        def provider(real: str) -> str:
            return sandbox.url if sandbox.enabled else real

        redis_url = self._get("HUB_REDIS_URL", None, str)
        jobs_redis_url = self._get("HUB_JOBS_REDIS_URL", redis_url, str)
        if "+cluster://" in jobs_redis_url:
            self._faults.append("HUB_JOBS_REDIS_URL must name a single node, not a cluster")
        public_url = self._get("HUB_PUBLIC_URL", f"http://127.0.0.1:{port}", str)
        settings = Settings(
            environment=name,  # type: ignore[arg-type]
            data_dir=data_dir,
            database_url=self._get("HUB_DATABASE_URL", None, str),
            redis_url=redis_url,
            jobs_redis_url=jobs_redis_url,
            http=Http(
                host=self._get("HUB_HOST", "127.0.0.1", str),
                port=port,
                public_url=public_url,
                allowed_origins=self._get("HUB_ALLOWED_ORIGINS", public_url, _words),
                trusted_proxies=self._get("HUB_TRUSTED_PROXIES", "127.0.0.1", str),
                metrics_token=self._get("HUB_METRICS_TOKEN", "", Secret),
            ),
            keys=Keys(
                master=self._get("HUB_MASTER_KEY", None, _base64_key),
                signing=self._get("HUB_SIGNING_KEY", None, _pem),
            ),
            paystack=Paystack(
                base_url=self._get("HUB_PAYSTACK_URL", provider("https://api.paystack.co"), str),
                secret_key=self._get("HUB_PAYSTACK_SECRET_KEY", None, Secret),
            ),
            africas_talking=AfricasTalking(
                base_url=self._get("HUB_AT_URL", provider("https://api.africastalking.com"), str),
                username=self._get("HUB_AT_USERNAME", None if production else "sandbox", str),
                api_key=self._get("HUB_AT_API_KEY", None, Secret),
                sender_id=self._get("HUB_AT_SENDER_ID", "BVESTER", str),
                callback_token=self._get("HUB_AT_CALLBACK_TOKEN", None, _unguessable),
                service_code=self._get("HUB_USSD_SERVICE_CODE", "*384*7#", str),
            ),
            fcm=Fcm(
                base_url=self._get("HUB_FCM_URL", provider("https://fcm.googleapis.com"), str),
                project_id=self._get("HUB_FCM_PROJECT", None if production else "bvester", str),
                service_account=self._get("HUB_FCM_SERVICE_ACCOUNT", None, _json),
            ),
            sandbox=sandbox,
            escalation=Escalation(
                wait_percent=self._get("HUB_ESCALATION_WAIT_PERCENT", "100", _percent)
            ),
            realtime=Realtime(
                per_address=self._get("HUB_MAX_CONNECTIONS_PER_ADDRESS", "20000", _count),
                per_person=self._get("HUB_MAX_CONNECTIONS_PER_PERSON", "100", _count),
                ping_seconds=self._get("HUB_PING_INTERVAL", "25", _ping_seconds),
                drain_seconds=self._get("HUB_DRAIN_SECONDS", "10" if production else "0", _count),
                deflate=self._get("HUB_REALTIME_DEFLATE", "0", _flag),
            ),
            realtime_config=self._get("HUB_REALTIME_CONFIG", "", _optional_path),
            realtime_api_key=self._get("HUB_REALTIME_API_KEY", "", Secret),
        )
        if self._faults:
            raise SettingsFault("The hub cannot start:\n  " + "\n  ".join(self._faults))
        return settings

    def gateway(self) -> GatewaySettings:
        production = self._given.get("HUB_ENV") == "production"
        redis_url = self._get("HUB_REDIS_URL", "", str) or None
        if production and redis_url is None:
            self._faults.append("HUB_REDIS_URL is not set")
        settings = GatewaySettings(
            production=production,
            data_dir=Path(self._given.get("HUB_DATA_DIR", ".hub")).resolve() / "gateway",
            redis_url=redis_url,
            host=self._get("HUB_HOST", "127.0.0.1", str),
            port=self._get("HUB_PORT", "8000", _port),
            config=self._get("HUB_REALTIME_CONFIG", None, Path),
        )
        if self._faults:
            raise SettingsFault("The gateway cannot start:\n  " + "\n  ".join(self._faults))
        return settings

    def _get(self, name: str, default: str | None, parse: Callable[[str], T]) -> T:
        """One variable; a fault is noted and an empty value returned, so reading goes on."""
        text = self._given.get(name, default)
        if text is None:
            self._faults.append(f"{name} is not set")
            text = ""
        try:
            return parse(text)
        except ValueError as fault:
            if name in self._given:
                self._faults.append(f"{name} {fault}")
            return _placeholder(parse)


def _placeholder(parse: Callable[[str], T]) -> T:
    """Stands in for a value that has a fault; never leaves ``_Reader.settings``."""
    return Secret("") if parse in (_base64_key, _pem, _json, _unguessable) else 0  # type: ignore[return-value]


def _port(text: str) -> int:
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise ValueError("must be a port number")
    return int(text)


def _percent(text: str) -> int:
    if not text.isdigit() or not 0 < int(text) <= 1000:
        raise ValueError("must be a whole number from 1 to 1000")
    return int(text)


def _count(text: str) -> int:
    if not text.isdigit() or len(text) > 9:
        raise ValueError("must be a whole number; 0 is without limit")
    return int(text)


def _ping_seconds(text: str) -> int:
    if not text.isdigit() or not 10 <= int(text) <= 300:
        raise ValueError("must be whole seconds from 10 to 300")
    return int(text)


def _flag(text: str) -> bool:
    if text not in ("0", "1"):
        raise ValueError("must be 0 or 1")
    return text == "1"


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.rstrip("/") for word in text.split(",") if word)


def _optional_path(text: str) -> Path | None:
    return Path(text) if text else None


def _base64_key(text: str) -> Secret:
    try:
        if len(base64.b64decode(text, validate=True)) == 32:
            return Secret(text)
    except binascii.Error:
        pass
    raise ValueError("must be 32 bytes in base64")


def _pem(text: str) -> Secret:
    unfolded = text.replace("\\n", "\n")
    if "PRIVATE KEY-----" not in unfolded:
        raise ValueError("must be an Ed25519 private key in PEM, its lines joined by \\n")
    return Secret(unfolded)


def _unguessable(text: str) -> Secret:
    if len(text) < 16 or not text.isascii() or not all(c.isalnum() or c in "-_" for c in text):
        raise ValueError("must have 16 or more letters, digits, - and _")
    return Secret(text)


def _json(text: str) -> Secret:
    try:
        msgspec.json.decode(text)
    except msgspec.DecodeError:
        raise ValueError("must be JSON") from None
    return Secret(text)
