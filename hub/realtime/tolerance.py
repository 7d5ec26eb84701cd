"""Background work that may fail, because it will be tried again anyway."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["tolerating"]

logger = logging.getLogger(__name__)


@contextmanager
def tolerating(what: str) -> Iterator[None]:
    """Logs what goes wrong within the block and goes on behind it."""
    try:
        yield
    except Exception as fault:
        logger.warning("%s: %s", what, fault)
