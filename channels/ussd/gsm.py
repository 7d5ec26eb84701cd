"""The letters a USSD screen may use: the GSM 7-bit default alphabet (3GPP TS 23.038).

``to_gsm`` turns any text into letters of that alphabet, ``septets`` measures one as the network
does (letters of the extension table count twice), ``clip`` and ``split`` cut at a length. Lossy on
purpose: what has no likeness in the alphabet becomes ``?``; a screen that flips to 16-bit letters
would lose half its room, and many networks drop it altogether.
"""

import unicodedata

__all__ = ["clip", "is_gsm", "septets", "split", "to_gsm"]

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = frozenset("^{}\\[~]|€")
_LIKENESS = str.maketrans(
    {
        "₦": "NGN ",
        "₵": "GHS ",
        "“": '"',
        "”": '"',
        "„": '"',
        "«": '"',
        "»": '"',
        "‘": "'",
        "’": "'",
        "`": "'",
        "–": "-",
        "—": "-",
        "−": "-",
        "…": "...",
        "œ": "oe",
        "Œ": "OE",
        "ɓ": "b",
        "ɗ": "d",
        "ƙ": "k",
        "ɛ": "e",
        "ɔ": "o",
        "ŋ": "ng",
        "\t": " ",
    }
)


def is_gsm(text: str) -> bool:
    """Whether every letter is in the alphabet or its extension table."""
    return all(letter in _BASIC or letter in _EXTENSION for letter in text)


def septets(text: str) -> int:
    """Length in 7-bit units: letters of the extension table take two."""
    return len(text) + sum(letter in _EXTENSION for letter in text)


def to_gsm(text: str) -> str:
    """``text`` in the alphabet: likeness first, then without its marks, else ``?``.

    Control characters other than the newline vanish.
    """
    if is_gsm(text):
        return text
    letters: list[str] = []
    for letter in text.translate(_LIKENESS):
        if letter in _BASIC or letter in _EXTENSION:
            letters.append(letter)
            continue
        category = unicodedata.category(letter)
        if category in ("Mn", "Cc", "Cf"):
            continue
        plain = unicodedata.normalize("NFKD", letter)
        kept = "".join(part for part in plain if part in _BASIC or part in _EXTENSION)
        letters.append(kept or (" " if category == "Zs" else "?"))
    return "".join(letters)


def clip(text: str, limit: int) -> str:
    """``text`` in at most ``limit`` septets; two dots tell that something is missing."""
    if septets(text) <= limit:
        return text
    if limit <= 2:
        return "." * max(limit, 0)
    return split(text, limit - 2)[0].rstrip() + ".."


def split(text: str, limit: int) -> tuple[str, str]:
    """The longest beginning of ``text`` within ``limit`` septets, and the rest.

    An extension letter is never cut in two, because letters are counted, not octets.
    """
    used = 0
    for position, letter in enumerate(text):
        used += 2 if letter in _EXTENSION else 1
        if used > limit:
            return text[:position], text[position:]
    return text, ""
