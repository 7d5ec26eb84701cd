"""How much text fits on the air: GSM 03.38, as the network counts it.

The sandbox counts for itself, so that it can disagree with the hub's own count.
"""

__all__ = ["message_parts", "ussd_screen"]

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_ESCAPED = frozenset("\f^{}\\[~]|€")
_USSD_SEPTETS, _USSD_UCS2 = 182, 80


def _widths(text: str) -> tuple[list[int], bool]:
    """Units of each character, and whether the text is GSM-7 (septets) or UCS-2 (16 bits)."""
    if all(character in _BASIC or character in _ESCAPED for character in text):
        return [2 if character in _ESCAPED else 1 for character in text], True
    return [len(character.encode("utf-16-be")) // 2 for character in text], False


def message_parts(text: str) -> int:
    """The number of SMS parts: 160 or 153 each in GSM-7, 70 or 67 in UCS-2."""
    widths, septets = _widths(text)
    single, each = (160, 153) if septets else (70, 67)
    if sum(widths) <= single:
        return 1
    parts, room = 1, each
    for width in widths:  # a pair is never split over two parts
        if width > room:
            parts, room = parts + 1, each
        room -= width
    return parts


def ussd_screen(text: str) -> str:
    """What a phone shows of a USSD text: 182 GSM-7 characters, or 80 of any others."""
    widths, septets = _widths(text)
    room = _USSD_SEPTETS if septets else _USSD_UCS2
    for position, width in enumerate(widths):
        room -= width
        if room < 0:
            return text[:position]
    return text
