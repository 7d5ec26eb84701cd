"""Delivery reports of Africa's Talking in the hub's terms."""

import pytest

from channels.sms.reports import to_report


@pytest.mark.parametrize(
    ("status", "outcome", "final"),
    [
        ("Sent", "sent", False),
        ("Submitted", "sent", False),
        ("Buffered", "sent", False),
        ("Success", "delivered", True),
        ("Failed", "failed", True),
        ("Rejected", "failed", True),
        ("AbsentSubscriber", "failed", True),
        ("NeverHeardOf", "sent", False),
    ],
)
def test_only_final_statuses_decide(status: str, outcome: str, final: bool) -> None:
    report = to_report("p", "id", b"h", status, "")
    assert (report.outcome, report.final, report.status) == (outcome, final, status)


def test_the_reason_of_a_failure_is_kept() -> None:
    assert (
        to_report("p", "id", b"h", "Failed", "DeliveryFailure").status == "Failed: DeliveryFailure"
    )
