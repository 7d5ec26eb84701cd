"""What Africa's Talking's delivery reports mean (PROVIDERS 1.3)."""

from hub.notifications import Report, ReportOutcome

__all__ = ["to_report"]

_ON_ITS_WAY = frozenset({"Sent", "Submitted", "Buffered", "Queued"})
_FAILED = frozenset({"Rejected", "Failed", "Expired", "AbsentSubscriber"})
_LIMIT = 80


def to_report(
    provider: str, provider_id: str, address_hash: bytes, status: str, failure: str
) -> Report:
    """A report in the hub's terms. A status nobody has seen before is kept and changes nothing."""
    words = f"{status}: {failure}" if failure else status
    final = status == "Success" or status in _FAILED
    outcome: ReportOutcome = "sent"
    if final:
        outcome = "delivered" if status == "Success" else "failed"
    return Report(
        provider=provider,
        provider_id=provider_id,
        address_hash=address_hash,
        outcome=outcome,
        final=final,
        status=words[:_LIMIT],
    )
