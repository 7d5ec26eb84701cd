"""Texts: the same in every language, and short enough to be shown whole."""

from string import Formatter

import pytest

from channels.ussd.gsm import is_gsm, septets
from channels.ussd.layout import BUDGET
from channels.ussd.wording import LANGUAGES, language_of_region, say, speak_money, texts_of
from hub.money import Money


def fields(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_the_same_texts_with_the_same_fields(language: str) -> None:
    english, other = texts_of("en"), texts_of(language)
    assert other.keys() == english.keys()
    assert {key: fields(text) for key, text in other.items()} == {
        key: fields(text) for key, text in english.items()
    }


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_in_gsm_letters_and_fits_a_screen(language: str) -> None:
    for key, text in texts_of(language).items():
        assert is_gsm(text), key
        assert septets(text) <= BUDGET - 24, key


def test_hints_are_short() -> None:
    for language in LANGUAGES:
        for key, text in texts_of(language).items():
            if key.startswith("hint."):
                assert septets(text) <= 40, (language, key)


def test_names_are_never_templates() -> None:
    assert (
        say("en", "messages.line", name="{text}", text="{0.__class__}") == "{text}: {0.__class__}"
    )


def test_an_unknown_language_is_english() -> None:
    assert say("xx", "home.balance") == "Balance"
    assert speak_money("xx", Money(125_050, "KES")) == "KES 1,250.50"


def test_strangers_are_greeted_in_a_language_of_their_country() -> None:
    assert [language_of_region(region) for region in ("KE", "TZ", "CI", "ZZ")] == [
        "en",
        "sw",
        "fr",
        "en",
    ]
