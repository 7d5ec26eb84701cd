"""Every event that tries to reach people has words in every language, in the cheap alphabet."""

import msgspec
import pytest

import hub.root  # noqa: F401 - brings every event into the catalogue, as in a process
from channels.sms import is_gsm7, measure
from hub.events import catalogue
from hub.money import Money
from hub.notifications import Wording
from hub.notifications.rendering import LANGUAGES

KINDS = sorted(kind for kind, event in catalogue().items() if event.reach)

LONG = {  # about as long as these get in life
    "investor_name": "Adaeze Okonkwo",
    "sender_name": "Adaeze Okonkwo",
    "business_name": "Mama Wanjiru Foods",
    "offering_title": "A bigger oven for the shop",
}


@pytest.fixture(scope="module")
def wording() -> Wording:
    return Wording.load(catalogue())


def example(kind: str, currency: str) -> dict[str, object]:
    """An event's JSON with every field filled in."""
    data: dict[str, object] = {}
    for field in msgspec.structs.fields(catalogue()[kind]):
        amount = {"amount": 123_456_789, "currency": currency}
        data[field.name] = amount if field.type is Money else LONG.get(field.name, "some-value")
    return data


def test_there_are_events_to_word() -> None:
    expected = {
        "investment.made",
        "offering.funded",
        "escrow.released",
        "payment.settled",
        "message.sent",
    }
    assert expected <= set(KINDS)


def test_no_words_are_left_of_events_that_are_gone(wording: Wording) -> None:
    places = [place.split(": ")[1] for place, _ in wording.templates()]
    assert {place for place in places if "." in place} <= catalogue().keys()


def test_sms_wording_stays_within_gsm7(wording: Wording) -> None:
    costly = [
        (place, text)
        for place, text in wording.templates()
        if "push" not in place and not is_gsm7(text)
    ]
    assert costly == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_notice_fits_one_sms(kind: str, language: str, wording: Wording) -> None:
    for currency in ("KES", "XOF", "NGN"):
        words = wording.notice(kind, "sms", language, example(kind, currency), "Habari? " * 5)
        parts = measure(words.text)
        assert parts.encoding == "gsm7", words.text
        assert parts.parts == 1, words.text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_push_has_a_title_and_a_body(kind: str, language: str, wording: Wording) -> None:
    words = wording.notice(kind, "push", language, example(kind, "KES"))
    assert 0 < len(words.title) <= 65
    assert 0 < len(words.text) <= 240
    assert "{" not in words.title + words.text


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_one_time_code_comes_first_and_fits_one_sms(language: str, wording: Wording) -> None:
    text = wording.message("code", language, code="123456", minutes="10")
    assert text.startswith("123456")
    assert measure(text).parts == 1
