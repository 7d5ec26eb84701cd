"""Identity: people, their devices, and how they prove who they are.

Personal data is sealed with a key per person (``people``); signing in takes a one-time code sent
to the phone (``sign_in``) and gives signed tokens (``tokens``) and a refreshable session
(``sessions``); feature phones use a PIN (``pins``). Knows nothing of money.
"""

from hub.identity.authentication import Authentication, authentication, has_role, signed_in
from hub.identity.devices import (
    devices_of,
    register_device,
    retire_device,
    retire_push_token,
    set_push_token,
)
from hub.identity.errors import PinLocked, PinWrong
from hub.identity.events import PinChanged, SignedIn
from hub.identity.model import ConnectionClaims, Device, Language, Person, Platform, Principal
from hub.identity.people import (
    erase_person,
    find_by_phone,
    get_person,
    legal_name_of,
    names_of,
    phone_of,
    register_person,
    set_language,
)
from hub.identity.pins import has_pin, set_pin, verify_pin
from hub.identity.sessions import sweep_sign_ins
from hub.identity.sign_in import CodeSender
from hub.identity.tokens import Tokens

__all__ = [
    "Authentication",
    "CodeSender",
    "ConnectionClaims",
    "Device",
    "Language",
    "Person",
    "PinChanged",
    "PinLocked",
    "PinWrong",
    "Platform",
    "Principal",
    "SignedIn",
    "Tokens",
    "authentication",
    "devices_of",
    "erase_person",
    "find_by_phone",
    "get_person",
    "has_pin",
    "has_role",
    "legal_name_of",
    "names_of",
    "phone_of",
    "register_device",
    "register_person",
    "retire_device",
    "retire_push_token",
    "set_language",
    "set_pin",
    "set_push_token",
    "signed_in",
    "sweep_sign_ins",
    "verify_pin",
]
