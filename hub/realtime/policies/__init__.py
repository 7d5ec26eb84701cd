"""Who may do what, and on which terms: pure rules, asked by the commands."""

from hub.realtime.policies.access import may_enter, may_look, may_publish, may_read
from hub.realtime.policies.client import ClientPolicy
from hub.realtime.policies.terms import (
    Credentials,
    Grant,
    Override,
    Standing,
    Terms,
    ordinary,
    terms_for,
)

__all__ = [
    "ClientPolicy",
    "Credentials",
    "Grant",
    "Override",
    "Standing",
    "Terms",
    "may_enter",
    "may_look",
    "may_publish",
    "may_read",
    "ordinary",
    "terms_for",
]
