"""Jobs over SAQ: hints that wake a duty in whichever worker gets them.

``wake(queue, "settle")`` after a commit makes the settling duty run at once instead of at its next
turn. A job carries no facts, so a lost or repeated one changes nothing.
"""

from typing import Any

from saq import Queue, Worker
from saq.types import Context

from hub.redis_client import RedisError
from workers.duties import Duties

__all__ = ["QUEUE", "job_worker", "open_queue", "wake"]

QUEUE = "hub"


def open_queue(url: str) -> Queue:
    """The queue on ``HUB_JOBS_REDIS_URL`` (one node, not a cluster)."""
    return Queue.from_url(url, name=QUEUE)


async def wake(queue: Queue, duty: str) -> None:
    """Asks for a duty to run now. A Redis that is down is no error: the duty polls too."""
    try:
        await queue.enqueue("wake", duty=duty, timeout=10)
    except (RedisError, OSError):
        return


def job_worker(queue: Queue, duties: Duties) -> Worker[Any]:
    """The SAQ worker of this process; it only hands hints on."""

    async def wake(_: Context, *, duty: str) -> None:
        duties.wake(duty)

    return Worker(queue, functions=[("wake", wake)], concurrency=4)
