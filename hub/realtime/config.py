"""A gateway described by a TOML file, for services that are not this product.

Keys are named and nested as in the protocol's own configuration; namespaces start with everything
off. Whatever is not a key, or not of its type, refuses the start, and all faults are said at once
by their dotted names: a policy misspelt must not become a policy left out.
"""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from hub.realtime.errors import ConfigFault
from hub.realtime.limits import Limits
from hub.realtime.namespaces import Count, Namespace, Namespaces, Seconds
from hub.realtime.policies import ClientPolicy
from hub.settings import Secret

__all__ = ["RealtimeConfig", "load_config", "read_config"]

_NAME = re.compile(r"[-a-zA-Z0-9_.]+")
_PRODUCT_ONLY = frozenset({"durable", "personal", "members_only", "typing"})
_OFF: Mapping[str, Any] = {
    "history_size": 0,
    "history_ttl": 0,
    "force_recovery": False,
    "force_positioning": False,
    "allow_subscribe_for_client": False,
    "allow_presence_for_subscriber": False,
    "allow_history_for_subscriber": False,
}
_DURATIONS = frozenset({"history_ttl", "history_meta_ttl", "ping_interval", "pong_timeout"})
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


class _Section(msgspec.Struct, frozen=True, kw_only=True):
    pass


class _Token(_Section, frozen=True, kw_only=True):
    hmac_secret_key: str = ""
    audience: str = ""
    issuer: str = ""


class _Personal(_Section, frozen=True, kw_only=True):
    enabled: bool = False
    personal_channel_namespace: str = ""


class _Client(_Section, frozen=True, kw_only=True):
    insecure: bool = False
    anonymous: bool = False
    allow_anonymous_connect_without_token: bool = False
    allowed_origins: list[str] = []
    channel_limit: Count = 128
    history_max_publication_limit: Count = 300
    recovery_max_publication_limit: Count = 300
    ping_interval: Seconds = 25
    pong_timeout: Seconds = 8
    token: _Token = _Token()
    subscribe_to_user_personal_channel: _Personal = _Personal()


class _HttpApi(_Section, frozen=True, kw_only=True):
    key: str = ""


class _Channel(_Section, frozen=True, kw_only=True):
    without_namespace: dict[str, Any] = {}
    namespaces: list[dict[str, Any]] = []


class _File(_Section, frozen=True, kw_only=True):
    client: _Client = _Client()
    http_api: _HttpApi = _HttpApi()
    channel: _Channel = _Channel()


class RealtimeConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What a file says. ``token_secret`` signs the users' tokens; ``audience`` and ``issuer`` are
    expected in them where not empty. ``api_key`` opens the HTTP server API; empty: it is closed."""

    namespaces: Namespaces
    client: ClientPolicy
    limits: Limits
    token_secret: Secret
    audience: str
    issuer: str
    api_key: Secret


def load_config(path: Path) -> RealtimeConfig:
    """Reads the file. Raises ``ConfigFault``."""
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as fault:
        raise ConfigFault(f"{path} cannot be read: {fault}.") from None
    try:
        return read_config(text)
    except ConfigFault as fault:
        raise ConfigFault(f"{path} does not describe a gateway:\n  {fault.message}") from None


def read_config(text: str) -> RealtimeConfig:
    """Reads TOML. Raises ``ConfigFault`` naming every key that is unknown or wrong."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise ConfigFault(f"It is not TOML: {fault}.") from None
    return _Reader().config(data)


class _Reader:
    """Reads sections one by one and remembers every fault."""

    def __init__(self) -> None:
        self._faults: list[str] = []

    def config(self, data: dict[str, Any]) -> RealtimeConfig:
        file = self._section(data, _File, "")
        client = file.client
        without = self._namespace(file.channel.without_namespace, "channel.without_namespace")
        named = [
            self._namespace(each, f"channel.namespaces[{place}]", named=True)
            for place, each in enumerate(file.channel.namespaces)
        ]
        self._check_names([each.name for each in named if each.name])
        personal = client.subscribe_to_user_personal_channel
        where = personal.personal_channel_namespace
        if where and where not in {each.name for each in named}:
            self._faults.append(
                "client.subscribe_to_user_personal_channel.personal_channel_namespace"
                f" names no namespace: {where}"
            )
        if self._faults:
            raise ConfigFault("\n  ".join(self._faults))
        return RealtimeConfig(
            namespaces=Namespaces(
                named, without=without, personal=where if personal.enabled else None
            ),
            client=ClientPolicy(
                insecure=client.insecure,
                anonymous=client.anonymous or client.allow_anonymous_connect_without_token,
                allowed_origins=tuple(each.rstrip("/") for each in client.allowed_origins),
                channel_limit=client.channel_limit,
                history_max_publication_limit=client.history_max_publication_limit,
                recovery_max_publication_limit=client.recovery_max_publication_limit,
                pong_timeout=client.pong_timeout,
            ),
            limits=Limits(ping_seconds=client.ping_interval),
            token_secret=Secret(client.token.hmac_secret_key),
            audience=client.token.audience,
            issuer=client.token.issuer,
            api_key=Secret(file.http_api.key),
        )

    def _section(self, data: dict[str, Any], shape: "type[Any]", path: str) -> Any:
        """A table as ``shape``, its faults noted and left out, so that reading goes on."""
        kept: dict[str, Any] = {}
        for field in msgspec.structs.fields(shape):
            if field.name not in data:
                continue
            name, value = f"{path}{field.name}", data[field.name]
            if isinstance(field.type, type) and issubclass(field.type, _Section):
                if isinstance(value, dict):
                    kept[field.name] = self._section(value, field.type, f"{name}.")
                else:
                    self._faults.append(f"{name} must be a table")
                continue
            try:
                kept[field.name] = _value(field.name, value, field.type)
            except ValueError as fault:
                self._faults.append(f"{name}: {_plain(fault)}")
        known = {field.name for field in msgspec.structs.fields(shape)}
        self._faults += [f"{path}{name} is unknown" for name in data if name not in known]
        return shape(**kept)

    def _namespace(self, data: dict[str, Any], path: str, *, named: bool = False) -> Namespace:
        hidden = _PRODUCT_ONLY if named else _PRODUCT_ONLY | {"name"}
        known = {field.name: field for field in msgspec.structs.fields(Namespace)}
        kept = dict(_OFF)
        for name, value in data.items():
            if name not in known or name in hidden:
                self._faults.append(f"{path}.{name} is unknown")
                continue
            try:
                kept[name] = _value(name, value, known[name].type)
            except ValueError as fault:
                self._faults.append(f"{path}.{name}: {_plain(fault)}")
        namespace = Namespace(**kept)
        if named and not _NAME.fullmatch(namespace.name):
            self._faults.append(f"{path}.name must be letters, digits, - _ or .")
        for option in ("force_recovery", "force_positioning", "allow_recovery"):
            if getattr(namespace, option) and not namespace.numbered:
                self._faults.append(f"{path}.{option} needs history_size and history_ttl")
        if namespace.history_meta_ttl < namespace.history_ttl:
            self._faults.append(f"{path}.history_meta_ttl must not be shorter than history_ttl")
        try:
            re.compile(namespace.channel_regex)
        except re.error as fault:
            self._faults.append(f"{path}.channel_regex is no regular expression: {fault}")
        return namespace

    def _check_names(self, names: list[str]) -> None:
        for name in sorted({each for each in names if names.count(each) > 1}):
            self._faults.append(f"channel.namespaces has {name} more than once")


def _value(name: str, value: Any, kind: Any) -> Any:
    """A value of the type its key wants. Raises ``ValueError``."""
    if name in _DURATIONS and isinstance(value, str):
        value = _seconds(value)
    return msgspec.convert(value, kind, strict=True)


def _seconds(text: str) -> int:
    """``300s``, ``24h`` or ``1h30m`` in seconds. Raises ``ValueError``."""
    found = _DURATION.fullmatch(text)
    if not text or found is None:
        raise ValueError('Expected whole seconds, or a duration like "300s", "5m" or "24h"')
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + seconds


def _plain(fault: ValueError) -> str:
    text = str(fault)
    return text[:1].lower() + text[1:]
