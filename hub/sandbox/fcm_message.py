"""What Google accepts as a message: the fields of FCM v1 and their types (pure).

Read from the API's discovery document, revision 20261023. As in proto3's JSON, a field may be
written in camelCase or snake_case, null is the same as absent, and an unknown field is an error.
"""

import re
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

__all__ = ["MessageFault", "target_of"]

_TARGETS = ("token", "fid", "topic", "condition")
_TOKEN = re.compile(r"[A-Za-z0-9_:.\-]{1,4096}")
_TOPIC = re.compile(r"[A-Za-z0-9_.~%\-]+")
_DURATION = re.compile(r"\d+(\.\d{1,9})?s")
_PAYLOAD_BYTES, _TOPIC_PAYLOAD_BYTES = 4_096, 2_048

_TEXT, _WHOLE, _FLAG, _DURATIONS, _TEXTS, _MAP, _OPEN = (
    "string",
    "integer",
    "boolean",
    "duration",
    "strings",
    "string map",
    "object",
)
_LABEL = {"analyticsLabel": _TEXT}
_NOTIFICATION = {"title": _TEXT, "body": _TEXT, "image": _TEXT}
_ANDROID_NOTIFICATION = {
    **_NOTIFICATION,
    **dict.fromkeys(
        (
            "icon",
            "color",
            "sound",
            "tag",
            "clickAction",
            "bodyLocKey",
            "titleLocKey",
            "channelId",
            "ticker",
            "eventTime",
            "notificationPriority",
            "visibility",
            "proxy",
        ),
        _TEXT,
    ),
    **dict.fromkeys(
        (
            "sticky",
            "localOnly",
            "defaultSound",
            "defaultVibrateTimings",
            "defaultLightSettings",
            "bypassProxyNotification",
        ),
        _FLAG,
    ),
    "bodyLocArgs": _TEXTS,
    "titleLocArgs": _TEXTS,
    "vibrateTimings": _TEXTS,
    "notificationCount": _WHOLE,
    "lightSettings": _OPEN,
}
_ANDROID = {
    "collapseKey": _TEXT,
    "priority": _TEXT,
    "ttl": _DURATIONS,
    "restrictedPackageName": _TEXT,
    "data": _MAP,
    "notification": _ANDROID_NOTIFICATION,
    "fcmOptions": _LABEL,
    "directBootOk": _FLAG,
    "bandwidthConstrainedOk": _FLAG,
    "restrictedSatelliteOk": _FLAG,
}
_WEBPUSH = {
    "headers": _MAP,
    "data": _MAP,
    "notification": _OPEN,
    "fcmOptions": {**_LABEL, "link": _TEXT},
}
_APNS = {
    "headers": _MAP,
    "payload": _OPEN,
    "fcmOptions": {**_LABEL, "image": _TEXT},
    "liveActivityToken": _TEXT,
}
_MESSAGE: dict[str, Any] = {
    "name": _TEXT,
    "data": _MAP,
    "notification": _NOTIFICATION,
    "android": _ANDROID,
    "androidV2": _OPEN,
    "webpush": _WEBPUSH,
    "apns": _APNS,
    "fcmOptions": _LABEL,
    **dict.fromkeys(_TARGETS, _TEXT),
}
_REQUEST: dict[str, Any] = {"validateOnly": _FLAG, "message": _MESSAGE}


class MessageFault(Exception):
    """A request Google would refuse with 400.

    ``reason`` is ``shape`` for JSON that does not fit the API, ``message`` for a message FCM
    itself refuses, ``token`` for a target that was never one.
    """

    def __init__(
        self,
        field: str,
        description: str,
        *,
        reason: Literal["shape", "message", "token"] = "shape",
    ) -> None:
        super().__init__(description)
        self.field = field
        self.description = description
        self.reason = reason


def target_of(body: bytes) -> tuple[str, dict[str, Any], bool]:
    """The target, the message in camelCase, and whether it is a dry run.

    Raises ``MessageFault``.
    """
    try:
        raw = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise MessageFault("", "Invalid JSON payload received. Parse error.") from None
    request = _checked(raw, _REQUEST, "")
    message = request.get("message")
    if message is None:
        raise MessageFault("message", "Message is required.", reason="message")
    targets = [name for name in _TARGETS if name in message]
    if len(targets) > 1:
        raise MessageFault(
            "message",
            f"Invalid value at 'message' (oneof), oneof field 'target' is already set."
            f" Cannot set '{targets[1]}'",
        )
    if not targets or not message[targets[0]]:
        raise MessageFault("message", "Recipient of the message is not set.", reason="message")
    _check_target(targets[0], message[targets[0]])
    _check_payload(message, topic=targets[0] in ("topic", "condition"))
    return message[targets[0]], message, bool(request.get("validateOnly"))


def _check_target(kind: str, target: str) -> None:
    if kind == "topic" and _TOPIC.fullmatch(target) is None:
        raise MessageFault("message.topic", "Invalid topic name", reason="message")
    if kind in ("token", "fid") and _TOKEN.fullmatch(target) is None:
        raise MessageFault(
            "message.token",
            "The registration token is not a valid FCM registration token",
            reason="token",
        )


def _check_payload(message: Mapping[str, Any], *, topic: bool) -> None:
    data: Mapping[str, str] = message.get("data", {})
    android: Mapping[str, Any] = message.get("android", {})
    for key in (*data, *android.get("data", {})):
        if key in ("from", "message_type") or key.startswith(("google", "gcm")):
            raise MessageFault("message.data", f"Invalid data payload key: {key}", reason="message")
    if android.get("priority", "NORMAL").upper() not in ("NORMAL", "HIGH"):
        raise MessageFault(
            "message.android.priority",
            "Invalid value at 'message.android.priority'"
            " (type.googleapis.com/google.firebase.fcm.v1.AndroidMessagePriority),"
            f' "{android["priority"]}"',
        )
    texts = [*data.items(), *message.get("notification", {}).items()]
    size = sum(len(name.encode()) + len(value.encode()) for name, value in texts)
    if size > (_TOPIC_PAYLOAD_BYTES if topic else _PAYLOAD_BYTES):
        raise MessageFault("message", "Message is too big", reason="message")


def _checked(value: Any, fields: Mapping[str, Any], path: str) -> dict[str, Any]:
    """The object with its names in camelCase. Raises ``MessageFault`` for what does not fit."""
    if not isinstance(value, dict):
        raise _wrong(path, "OBJECT", value)
    checked: dict[str, Any] = {}
    for name, inner in value.items():
        camel = re.sub(r"_([a-z0-9])", lambda found: found[1].upper(), name)
        if camel not in fields:
            where = f" at '{path}'" if path else ""
            raise MessageFault(
                path,
                f'Invalid JSON payload received. Unknown name "{name}"{where}: Cannot find field.',
            )
        if inner is not None:
            checked[camel] = _value(inner, fields[camel], f"{path}.{name}".lstrip("."))
    return checked


def _value(value: Any, kind: Any, path: str) -> Any:
    if isinstance(kind, dict):
        return _checked(value, kind, path)
    if kind == _MAP:
        if not isinstance(value, dict):
            raise _wrong(path, "OBJECT", value)
        for position, inner in enumerate(value.values()):
            if not isinstance(inner, str):
                raise _wrong(f"{path}[{position}].value", "TYPE_STRING", inner)
        return value
    fits = {
        _TEXT: isinstance(value, str),
        _WHOLE: isinstance(value, int) and not isinstance(value, bool),
        _FLAG: isinstance(value, bool),
        _DURATIONS: isinstance(value, str) and _DURATION.fullmatch(value) is not None,
        _TEXTS: isinstance(value, list) and all(isinstance(inner, str) for inner in value),
        _OPEN: isinstance(value, dict),
    }
    if not fits[kind]:
        raise _wrong(path, f"TYPE_{str(kind).upper()}", value)
    return value


def _wrong(path: str, kind: str, value: Any) -> MessageFault:
    shown = msgspec.json.encode(value).decode()
    return MessageFault(path, f"Invalid value at '{path}' ({kind}), {shown}")
