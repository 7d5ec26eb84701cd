"""What a message's text may be."""

import pytest

from hub.messaging.errors import TextRefused
from hub.messaging.model import check_text


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Habari", "Habari"),
        ("  Habari \n", "Habari"),
        ("one\r\ntwo\rthree", "one\ntwo\nthree"),
        ("Ẹ kú àárọ̀ 🐟 مرحبا", "Ẹ kú àárọ̀ 🐟 مرحبا"),
        ("x" * 1000, "x" * 1000),
        ("👩🏾‍🌾", "👩🏾‍🌾"),
    ],
)
def test_a_text_is_kept_as_it_was_meant(given: str, kept: str) -> None:
    assert check_text(given) == kept


@pytest.mark.parametrize(
    "text",
    ["", "  \n ", "x" * 1001, "a\x00b", "a\x1b[31mb", "a\x7fb", "tab\there", "\ud800", "a\u202eb"],
)
def test_what_is_empty_long_or_invisible_is_refused(text: str) -> None:
    with pytest.raises(TextRefused):
        check_text(text)
