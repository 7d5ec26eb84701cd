"""Logs and metrics: structured, with a trace id, and without secrets.

Logs are JSON lines in production and coloured text on a terminal. Keys that could hold a secret
or personal data are dropped by name before anything is written, whoever logged them.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog
from prometheus_client import Counter, Gauge, Histogram

__all__ = [
    "EVENTS_RELAYED",
    "OUTBOX_OLDEST",
    "RELAY_LAG",
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

EVENTS_RELAYED = Counter("hub_events_relayed_total", "Events numbered and published by the relay")
OUTBOX_OLDEST = Gauge("hub_outbox_oldest_seconds", "Age of the oldest event not yet numbered")
RELAY_LAG = Histogram(
    "hub_relay_lag_seconds",
    "From an event's record to its publication in Redis",
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)


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
