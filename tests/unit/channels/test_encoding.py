"""SMS texts are counted as operators bill them (3GPP TS 23.038)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.sms import is_gsm7, measure, plain_punctuation, transliterate
from channels.sms.encoding import _BASIC, _EXTENDED


def test_the_alphabet_is_complete() -> None:
    assert len(_BASIC) == 127  # 128 code points, one of them the escape
    assert len(_EXTENDED) == 10
    assert not _BASIC & _EXTENDED


@pytest.mark.parametrize(
    ("text", "encoding", "units", "parts"),
    [
        ("", "gsm7", 0, 1),
        ("a" * 160, "gsm7", 160, 1),
        ("a" * 161, "gsm7", 161, 2),
        ("a" * 306, "gsm7", 306, 2),
        ("a" * 307, "gsm7", 307, 3),
        ("€" * 80, "gsm7", 160, 1),
        ("€" * 81, "gsm7", 162, 2),
        ("a" * 152 + "€" + "b" * 152, "gsm7", 306, 3),  # the pair is not split, a septet is lost
        ("ê" * 70, "ucs2", 70, 1),
        ("ê" * 71, "ucs2", 71, 2),
        ("ê" * 134, "ucs2", 134, 2),
        ("ê" * 135, "ucs2", 135, 3),
        ("😀" * 35, "ucs2", 70, 1),
        ("😀" * 36, "ucs2", 72, 2),
        ("😀" * 66, "ucs2", 132, 2),  # 33 to a part
        ("😀" * 67, "ucs2", 134, 3),
        ("à è é ì ò ù Ç {[]}|~^\\", "gsm7", 30, 1),
        ("ሰላም", "ucs2", 3, 1),
    ],
)
def test_parts(text: str, encoding: str, units: int, parts: int) -> None:
    measured = measure(text)
    assert (measured.encoding, measured.units, measured.parts) == (encoding, units, parts)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("“Duka” – 5…", '"Duka" - 5...'),
        ("₦5,000", "NGN 5,000"),
        ("Façade du cœur, garçon", "Facade du coeur, garcon"),
        ("Adébáyọ̀ Ṣadé Ọlá", "Adébayo Sadé Ola"),
        ("Ñandu é à", "Ñandu é à"),
        ("Abɗullahi Ƙasim", "Abdullahi Kasim"),
    ],
)
def test_names_are_brought_into_the_alphabet(text: str, plain: str) -> None:
    assert transliterate(text) == plain
    assert is_gsm7(plain)


def test_what_cannot_be_brought_in_keeps_its_letters() -> None:
    assert transliterate("ሰላም é ç") == "ሰላም é ç"


def test_a_persons_own_words_keep_their_marks() -> None:
    assert plain_punctuation("Ọjà “náà”") == 'Ọjà "náà"'


@given(st.text())
def test_transliteration_never_costs_more_than_punctuation_does(text: str) -> None:
    assert measure(transliterate(text)).parts <= measure(plain_punctuation(text)).parts
