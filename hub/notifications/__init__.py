"""Notifications: knows whether an event reached its person, and tries on until it did.

The relay opens an escalation for every recipient of an event that asks for it (``schedule``); live
sessions end it by acknowledging (``Acks``); the deliver worker takes what is due (``claim_due``),
sends by the channels, and writes down what became of it (``complete``). ``escalation.next_step``
decides, and is pure. Every step and its cost is on the notice's ``timeline``.
"""

from hub.notifications.acks import Acks
from hub.notifications.addresses import (
    address_hash,
    is_retired,
    retire_address,
    revive_address,
)
from hub.notifications.claim import Claim, claim_due
from hub.notifications.complete import Finished, complete
from hub.notifications.deciding import AddressBook, Dispatch
from hub.notifications.errors import NoSuchNotice, SendInDoubt, WordingFault
from hub.notifications.figures import AttemptCount, attempt_counts, escalation_counts
from hub.notifications.model import Address, Cost, Dead, Notice, Outcome, Retry, Sent
from hub.notifications.preferences import preferences_of, switch_channel
from hub.notifications.quiet import quiet_end
from hub.notifications.rendering import Wording, Words, cut
from hub.notifications.reports import Report, ReportOutcome, expect_report, record_report
from hub.notifications.schedule import Recipient, schedule
from hub.notifications.steps import Timeline, TimelineStep, timeline

__all__ = [
    "Acks",
    "Address",
    "AddressBook",
    "AttemptCount",
    "Claim",
    "Cost",
    "Dead",
    "Dispatch",
    "Finished",
    "NoSuchNotice",
    "Notice",
    "Outcome",
    "Recipient",
    "Report",
    "ReportOutcome",
    "Retry",
    "SendInDoubt",
    "Sent",
    "Timeline",
    "TimelineStep",
    "Wording",
    "WordingFault",
    "Words",
    "address_hash",
    "attempt_counts",
    "claim_due",
    "complete",
    "cut",
    "escalation_counts",
    "expect_report",
    "is_retired",
    "preferences_of",
    "quiet_end",
    "record_report",
    "retire_address",
    "revive_address",
    "schedule",
    "switch_channel",
    "timeline",
]
