"""Logs and metrics: structured, with a trace id, and without secrets.

Logs are JSON lines in production and coloured text on a terminal. Keys that could hold a secret
or personal data are dropped by name before anything is written, whoever logged them.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog
from prometheus_client import Gauge

__all__ = [
    "OUTBOX_OLDEST",
    "OUTBOX_WAITING",
    "UNPUBLISHED",
    "configure_logging",
    "logger",
]

_FORBIDDEN = frozenset(
    {
        *("phone", "to", "text", "message", "body", "legal_name", "email"),
        *("code", "pin", "token", "password", "secret", "api_key", "authorization"),
        *("master_key", "signing_key", "refresh_token", "access_token"),
    }
)

OUTBOX_WAITING = Gauge("hub_outbox_waiting", "Events committed and not yet numbered")
OUTBOX_OLDEST = Gauge("hub_outbox_oldest_seconds", "Age of the oldest event not yet numbered")
UNPUBLISHED = Gauge("hub_streams_unpublished", "Numbered entries that Redis has not confirmed")


def configure_logging(*, json_lines: bool) -> None:
    """Sets up structlog and the standard library's logging for a process."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _drop_forbidden,
        structlog.processors.format_exc_info,
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if json_lines
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=30)
    )
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, format="%(name)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs whole URLs at INFO
    # While a server is away these repeat a traceback every second; who uses them says it in a line.
    for name in ("asyncpg.pool", "saq"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def logger(name: str) -> Any:
    """A bound logger; pass facts as keyword arguments, never inside the event's text."""
    return structlog.get_logger(part=name)


def _drop_forbidden(_: Any, __: str, facts: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replaces values whose key names a secret or personal data."""
    for key in facts.keys() & _FORBIDDEN:
        facts[key] = "…"
    return facts
