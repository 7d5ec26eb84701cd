"""Letters: what a screen may hold, and how it is counted."""

from hypothesis import given
from hypothesis import strategies as st

from channels.ussd.gsm import clip, is_gsm, septets, split, to_gsm


def test_text_of_the_alphabet_stays_as_it_is() -> None:
    text = "Habari Otieno! 10% @ KES 1,250.00 (Ziwa) {x} é è à ù ñ Ç\n€5"
    assert to_gsm(text) == text


def test_letters_outside_become_their_likeness() -> None:
    assert to_gsm("₦5 “Ọ̀ṣun” – façade… ça") == 'NGN 5 "Osun" - facade... ca'


def test_what_has_no_likeness_becomes_a_question_mark() -> None:
    assert to_gsm("ሰላም") == "???"


def test_extension_letters_count_twice() -> None:
    assert septets("{€}") == 6
    assert septets("abc") == 3


@given(st.text())
def test_anything_can_be_shown(text: str) -> None:
    assert is_gsm(to_gsm(text))
    assert all(letter == "\n" or letter.isprintable() for letter in to_gsm(text))


@given(st.text().map(to_gsm), st.integers(0, 200))
def test_clipped_text_fits(text: str, limit: int) -> None:
    assert septets(clip(text, limit)) <= limit


@given(st.text().map(to_gsm), st.integers(2, 200))
def test_a_split_loses_nothing(text: str, limit: int) -> None:
    head, rest = split(text, limit)
    assert head + rest == text
    assert septets(head) <= limit
