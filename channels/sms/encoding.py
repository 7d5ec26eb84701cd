"""How an SMS text travels: alphabet, parts, and ways to keep it within GSM-7.

GSM-7 (3GPP TS 23.038): 160 septets in one SMS, 153 in each part of several; a character of the
extension table takes two and is not split over parts. Any other character turns the whole text
into UCS-2: 70 units, 67 in each part of several; a surrogate pair is not split.
"""

import unicodedata
from typing import Literal

import msgspec

__all__ = ["Parts", "is_gsm7", "measure", "plain_punctuation", "transliterate"]

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("\f^{}\\[~]|€")

_PUNCTUATION = str.maketrans(
    {
        "₦": "NGN ", "₵": "GHS ", "₹": "INR ", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"',
        "‘": "'", "’": "'", "‚": "'", "`": "'", "–": "-", "—": "-", "‑": "-", "−": "-",
        "…": "...", "•": "-", "\u00a0": " ", "\u202f": " ", "\u2009": " ", "\t": " ",
        "\u200b": "", "\u200d": "", "\ufeff": "",
    }
)  # fmt: skip
_LETTERS = str.maketrans(
    {
        "ç": "c", "Œ": "OE", "œ": "oe", "ẹ": "e", "Ẹ": "E", "ọ": "o", "Ọ": "O", "ṣ": "s",
        "Ṣ": "S", "ɓ": "b", "Ɓ": "B", "ɗ": "d", "Ɗ": "D", "ƙ": "k", "Ƙ": "K", "ƴ": "y",
        "Ƴ": "Y", "ŋ": "ng", "Ŋ": "Ng", "ɛ": "e", "Ɛ": "E", "ɔ": "o", "Ɔ": "O", "ı": "i",
        "đ": "d", "Đ": "D", "ł": "l", "Ł": "L",
    }
)  # fmt: skip


class Parts(msgspec.Struct, frozen=True):
    """``units`` are septets (GSM-7) or 16-bit units (UCS-2); ``parts`` is what is paid for."""

    encoding: Literal["gsm7", "ucs2"]
    units: int
    parts: int


def is_gsm7(text: str) -> bool:
    """Whether every character is in the GSM-7 alphabet or its extension."""
    return all(char in _BASIC or char in _EXTENDED for char in text)


def measure(text: str) -> Parts:
    """In what alphabet ``text`` travels and in how many parts. An empty text is one part."""
    if is_gsm7(text):
        widths = [2 if char in _EXTENDED else 1 for char in text]
        return _split("gsm7", widths, single=160, each=153)
    widths = [2 if ord(char) > 0xFFFF else 1 for char in text]
    return _split("ucs2", widths, single=70, each=67)


def _split(encoding: Literal["gsm7", "ucs2"], widths: list[int], single: int, each: int) -> Parts:
    total = sum(widths)
    if total <= single:
        return Parts(encoding, total, 1)
    parts, used = 1, 0
    for width in widths:  # a wide character that does not fit goes to the next part as a whole
        if used + width > each:
            parts, used = parts + 1, 0
        used += width
    return Parts(encoding, total, parts)


def plain_punctuation(text: str) -> str:
    """Typographic marks and currency signs in plain form. Changes no letter, so no meaning."""
    return text.translate(_PUNCTUATION)


def transliterate(text: str) -> str:
    """``text`` in GSM-7 as far as marks can be dropped; itself where it would not get there.

    For the product's own wording with names in it. Not for a person's own words: in tone
    languages the marks carry the meaning.
    """
    plain = plain_punctuation(text)
    if is_gsm7(plain):
        return plain
    folded = "".join(_fold(char) for char in unicodedata.normalize("NFC", plain))
    return folded if is_gsm7(folded) else plain


def _fold(char: str) -> str:
    """One character in GSM-7, if it is one with marks upon it."""
    if is_gsm7(char):
        return char
    mapped = char.translate(_LETTERS)
    if mapped != char:
        return mapped
    bare = "".join(c for c in unicodedata.normalize("NFKD", char) if not unicodedata.combining(c))
    return bare.translate(_LETTERS)
