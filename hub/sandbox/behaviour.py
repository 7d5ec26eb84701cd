"""Bad manners on demand: what a provider can be told to do wrong, and how often.

Each is something the real provider has been seen to do, or may do by its own documents. They are
rows, so a restart keeps them.
"""

import msgspec

from hub.errors import Invalid, NotFound
from hub.sandbox.store import Row, Store

__all__ = ["KNOWN", "Behaviour", "BehaviourOrder", "Behaviours"]

KNOWN: dict[str, dict[str, str]] = {
    "africas_talking": {
        "429": "refuses a send with 429; value: Retry-After in seconds (default 1)",
        "500": "refuses a send with 500, nothing is sent",
        "500_but_sent": "sends, reports and answers 500 all the same",
        "empty_recipients": "201 InvalidSenderId with no recipients: nothing is sent",
        "blacklist": "the number is in the blacklist: statusCode 406",
        "status_code": "the recipient fails; value: its statusCode (default 502)",
        "dlr_failed": "accepted, then reported Failed with DeliveryFailure; never on the phone",
        "dlr_before_answer": "the final delivery report comes before the send is answered",
        "dlr_duplicate": "every delivery report comes twice",
        "dlr_out_of_order": "Success comes before Sent",
        "no_dlr": "no delivery report ever comes",
        "ussd_repeat": "the USSD request is posted a second time after its answer",
        "ussd_drop": "the network loses the hub's answer and ends the session",
        "ussd_bad_answer": "takes the hub's answer for an error page and ends the session",
    },
    "fcm": {
        "unregistered": "404 UNREGISTERED: the app was removed",
        "invalid_token": "400 INVALID_ARGUMENT with only an FcmError: no token at all",
        "sender_id_mismatch": "403 SENDER_ID_MISMATCH: the token belongs to another project",
        "429": "429 QUOTA_EXCEEDED; value: Retry-After in seconds (default 1)",
        "429_without_retry_after": "429 QUOTA_EXCEEDED that does not say when",
        "503": "503 UNAVAILABLE; value: Retry-After in seconds (default none)",
        "500": "500 INTERNAL",
        "third_party_auth_error": "401 THIRD_PARTY_AUTH_ERROR: Apple's or the web key is wrong",
        "expired_bearer": "401 UNAUTHENTICATED, as if the access token had run out",
        "token_503": "the token endpoint answers 503",
    },
    "paystack": {
        "429": "429; value: Retry-After in seconds (default 1)",
        "503": "503 from the gateway in front of the API, nothing was done",
        "503_but_done": "does it and answers 503",
        "duplicate_webhook": "the webhook comes twice",
        "late_webhook": "the webhook comes late; value: by how many ms (default 5000)",
        "no_webhook": "the webhook never comes",
        "wrong_signature": "the webhook is signed with another key",
        "amount_mismatch": "another amount is charged; value: it, in subunits (default: half)",
        "string_amounts": "amounts are strings in the webhook",
    },
}


class BehaviourOrder(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``POST /behaviour``."""

    provider: str
    what: str
    times: int | None = 1
    match: str | None = None
    value: int | None = None


class Behaviour(msgspec.Struct, frozen=True):
    """One that is on; ``times`` is how often it still applies, None for always."""

    id: int
    provider: str
    what: str
    times: int | None
    match: str | None
    value: int | None


class Behaviours:
    """Switched on by tests and people, used up by requests."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._active = [
            _behaviour(row) for row in store.all("SELECT * FROM behaviours ORDER BY id")
        ]

    def active(self) -> list[Behaviour]:
        return list(self._active)

    def add(self, order: BehaviourOrder) -> Behaviour:
        """Raises ``Invalid`` for what no provider here can do."""
        if order.what not in KNOWN.get(order.provider, {}):
            raise Invalid("No provider here can do that; GET /behaviour lists what there is.")
        if (order.times is not None and order.times < 1) or (order.value or 0) < 0:
            raise Invalid("times must be 1 or more, or null; value may not be negative.")
        given = (order.provider, order.what, order.times, order.match, order.value)
        number = self._store.run(
            "INSERT INTO behaviours (provider, what, times, match, value) VALUES (?, ?, ?, ?, ?)",
            *given,
        )
        added = Behaviour(number, *given)
        self._active.append(added)
        return added

    def remove(self, number: int) -> None:
        """Raises ``NotFound`` for one that is not on."""
        if not self._store.run("DELETE FROM behaviours WHERE id = ?", number):
            raise NotFound("No such behaviour is on.")
        self._active = [one for one in self._active if one.id != number]

    def clear(self) -> None:
        self._store.run("DELETE FROM behaviours")
        self._active = []

    def take(self, provider: str, what: str, subject: str) -> Behaviour | None:
        """The oldest one that applies to this subject, used up once; None for good manners."""
        for position, one in enumerate(self._active):
            if (one.provider, one.what) != (provider, what) or (one.match or "") not in subject:
                continue
            if one.times == 1:
                self.remove(one.id)
            elif one.times is not None:
                self._active[position] = msgspec.structs.replace(one, times=one.times - 1)
                self._store.run("UPDATE behaviours SET times = times - 1 WHERE id = ?", one.id)
            return one
        return None


def _behaviour(row: Row) -> Behaviour:
    return Behaviour(
        row["id"], row["provider"], row["what"], row["times"], row["match"], row["value"]
    )
