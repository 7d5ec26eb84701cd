"""What screens say, per language: ``texts/<language>.toml``, read once.

Every language has the same keys with the same fields, all in GSM letters (a test holds it). The
templates are ours; what people typed or are called goes in as a field and is never a template.
"""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

from channels.ussd.gsm import to_gsm
from hub.money import Money

__all__ = ["LANGUAGES", "language_of_region", "say", "speak_money", "texts_of"]

LANGUAGES = {"en": "English", "sw": "Kiswahili", "fr": "Français"}
"""Languages by code, each by its own name; texts exist for every one of them."""

_FRENCH = frozenset({"BF", "BJ", "CD", "CG", "CI", "CM", "GA", "GN", "ML", "NE", "SN", "TG"})
_SWAHILI = frozenset({"TZ"})


@cache
def texts_of(language: str) -> dict[str, str]:
    """All texts of a language by dotted key; English where the language is not known."""
    name = language if language in LANGUAGES else "en"
    text = (files("channels.ussd") / "texts" / f"{name}.toml").read_text("utf-8")
    return dict(_flat("", tomllib.loads(text)))


def _flat(prefix: str, table: dict[str, Any]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for key, value in table.items():
        if isinstance(value, dict):
            found += _flat(f"{prefix}{key}.", value)
        else:
            found.append((prefix + key, str(value)))
    return found


def say(language: str, key: str, **fields: object) -> str:
    """The text under ``key``, filled in and in GSM letters."""
    return to_gsm(texts_of(language)[key].format(**fields))


def speak_money(language: str, money: Money) -> str:
    """An amount as the language writes it, in GSM letters."""
    return to_gsm(money.format(language if language in LANGUAGES else "en"))


def language_of_region(region: str) -> str:
    """A polite guess for a caller nobody knows."""
    if region in _FRENCH:
        return "fr"
    return "sw" if region in _SWAHILI else "en"
