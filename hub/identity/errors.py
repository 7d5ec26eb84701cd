"""What can go wrong between a person and the hub's door.

Unauthenticated
    TokenRefused        the token is missing, forged, expired or for another audience
    SignInRefused       the code is wrong, used or expired
    RefreshRefused      the refresh token is unknown, expired or its session has ended
    SignInTooOld        this needs a sign-in younger than 10 minutes
Refused
    PinWrong            carries attempts_left
    PhoneTaken          somebody is registered with this number
TooManyRequests
    PinLocked           too many wrong PINs; carries retry_after
Invalid
    PinMalformed, PinTooEasy
NotFound
    PersonUnknown
"""

from hub.errors import Invalid, NotFound, Refused, TooManyRequests, Unauthenticated

__all__ = [
    "PersonUnknown",
    "PhoneTaken",
    "PinLocked",
    "PinMalformed",
    "PinTooEasy",
    "PinWrong",
    "RefreshRefused",
    "SignInRefused",
    "SignInTooOld",
    "TokenRefused",
]


class TokenRefused(Unauthenticated):
    """The token is missing, forged, expired or for another audience."""

    kind = "token_refused"


class SignInRefused(Unauthenticated):
    """The code is wrong, used up or expired; the answer never says which number is a member's."""

    kind = "sign_in_refused"


class RefreshRefused(Unauthenticated):
    """The refresh token is unknown, expired, or its session has ended: sign in again."""

    kind = "refresh_refused"


class SignInTooOld(Unauthenticated):
    """The request needs a sign-in younger than 10 minutes."""

    kind = "sign_in_too_old"


class PinWrong(Refused):
    """The PIN does not fit; ``attempts_left`` before it locks."""

    kind = "pin_wrong"

    def __init__(self, *, attempts_left: int) -> None:
        super().__init__("The PIN is wrong.", attempts_left=attempts_left)
        self.attempts_left = attempts_left


class PinLocked(TooManyRequests):
    """Too many wrong PINs; ``retry_after`` seconds until the next try."""

    kind = "pin_locked"

    def __init__(self, *, retry_after: int) -> None:
        super().__init__("Too many wrong PINs. Try again later.", retry_after=retry_after)


class PinMalformed(Invalid):
    """A PIN has 4 to 6 digits."""

    kind = "pin_malformed"


class PinTooEasy(Invalid):
    """One digit repeated, or a run such as 1234: the first that a thief tries."""

    kind = "pin_too_easy"


class PhoneTaken(Refused):
    """Somebody is registered with this number."""

    kind = "phone_taken"


class PersonUnknown(NotFound):
    """Nobody has this id."""

    kind = "person_unknown"
