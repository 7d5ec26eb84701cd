"""Envelope encryption of personal data, and blind indexes to find it again.

A subject (a person, a conversation) has a data key of its own, stored wrapped by the master key.
Erasing the wrapped key erases everything sealed with it, wherever it was copied. Sealing is
AES-256-GCM with a random 96-bit nonce in front (NIST SP 800-38D); ``context`` binds a value to its
place, so that a ciphertext moved to another column or row does not open. Blind indexes are
HMAC-SHA256 under a key derived from the master key (HKDF, RFC 5869).
"""

import hmac
import os
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from hub.errors import HubError

__all__ = ["Keyring", "SealBroken", "SealingKey"]

_NONCE = 12


class SealBroken(HubError):
    """A sealed value does not open: wrong key, wrong place, or changed bytes."""

    kind = "seal_broken"


class SealingKey:
    """One subject's data key."""

    __slots__ = ("_aead", "_raw")

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._aead = AESGCM(raw)

    def seal(self, text: str, context: str) -> bytes:
        nonce = os.urandom(_NONCE)
        return nonce + self._aead.encrypt(nonce, text.encode(), context.encode())

    def open(self, sealed: bytes, context: str) -> str:
        """The text again. Raises ``SealBroken``."""
        try:
            plain = self._aead.decrypt(sealed[:_NONCE], sealed[_NONCE:], context.encode())
        except (InvalidTag, ValueError):
            raise SealBroken("A sealed value does not open.", context=context) from None
        return plain.decode()

    def __repr__(self) -> str:
        return "SealingKey(…)"


class Keyring:
    """Wraps and unwraps data keys with the master key (32 bytes), and makes blind indexes."""

    def __init__(self, master: bytes) -> None:
        self._wrapping = AESGCM(self._derive(master, b"wrap"))
        self._index_key = self._derive(master, b"index")

    @staticmethod
    def _derive(master: bytes, purpose: bytes) -> bytes:
        return HKDF(SHA256(), 32, salt=None, info=b"bvester-hub/" + purpose).derive(master)

    def new_key(self, subject: str) -> tuple[SealingKey, bytes]:
        """A fresh data key for ``subject`` and its wrapped form for the database."""
        raw = os.urandom(32)
        nonce = os.urandom(_NONCE)
        return SealingKey(raw), nonce + self._wrapping.encrypt(nonce, raw, subject.encode())

    def unwrap(self, wrapped: bytes, subject: str) -> SealingKey:
        """The data key of ``subject``. Raises ``SealBroken``."""
        try:
            raw = self._wrapping.decrypt(wrapped[:_NONCE], wrapped[_NONCE:], subject.encode())
        except (InvalidTag, ValueError):
            raise SealBroken("A wrapped key does not open.", subject=subject) from None
        return SealingKey(raw)

    def index(self, value: str, purpose: str) -> bytes:
        """A blind index: equal for equal values of one purpose, telling nothing else."""
        return hmac.new(self._index_key, f"{purpose}\0{value}".encode(), sha256).digest()

    def __repr__(self) -> str:
        return "Keyring(…)"
