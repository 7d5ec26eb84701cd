"""Wording: checked at start, values put in as they are."""

from typing import ClassVar

import pytest

from hub.events import Event, Reach
from hub.ids import InvestmentId
from hub.money import Money
from hub.notifications import Wording, WordingFault, cut

MESSAGES = """
[messages]
code = "{code} {minutes}"
unknown_sender = "Who?"
no_conversation = "None."
refused = "No."
"""


class Planted(Event, frozen=True, kw_only=True):
    reach: ClassVar[Reach | None] = Reach()
    tree_id: InvestmentId
    gardener: str
    amount: Money


def parse(events: str, language: str = "en") -> Wording:
    return Wording.parse({language: (events + MESSAGES).encode()}, {"tree.planted": Planted})


GOOD = """
[events."tree.planted"]
sms = "{gardener} planted a tree for {amount}."
push_title = "{gardener}"
push_body = "A tree for {amount}"
"""
DATA = {
    "tree_id": "x",
    "gardener": "Ada {amount}",
    "amount": {"amount": 125_050, "currency": "KES"},
}


def test_values_are_put_in_as_they_are_and_amounts_are_written_out() -> None:
    words = parse(GOOD).notice("tree.planted", "sms", "en", DATA)
    assert words.text == "Ada {amount} planted a tree for KES 1,250.50."
    assert not words.verbatim


def test_a_push_has_title_and_body() -> None:
    words = parse(GOOD).notice("tree.planted", "push", "en", DATA)
    assert (words.title, words.text) == ("Ada {amount}", "A tree for KES 1,250.50")


def test_a_language_nobody_wrote_for_is_english() -> None:
    assert "planted" in parse(GOOD).notice("tree.planted", "sms", "am", DATA).text


def test_missing_wording_stops_the_start() -> None:
    with pytest.raises(WordingFault, match=r"tree\.planted has no wording"):
        parse("[events]\n")


@pytest.mark.parametrize("name", ["{owner}", "{tree_id}", "{text}"])
def test_an_unknown_variable_stops_the_start(name: str) -> None:
    with pytest.raises(WordingFault, match=f"{name[1:-1]}.* is not known"):
        parse(GOOD.replace("{gardener} planted", f"{name} planted"))


@pytest.mark.parametrize(
    "name", ["{amount.currency}", "{amount!r}", "{amount:>10}", "{0}", "{}", "{"]
)
def test_only_plain_names_may_stand_in_braces(name: str) -> None:
    with pytest.raises(WordingFault, match="sms"):
        parse(GOOD.replace("{gardener} planted", f"{name} planted"))


def test_every_fault_is_named_at_once() -> None:
    with pytest.raises(WordingFault) as caught:
        parse(GOOD.replace("{gardener}", "{a}").replace("{amount}", "{b}"))
    assert "{a}" in caught.value.message
    assert "{b}" in caught.value.message


def test_a_long_message_is_cut_at_a_word() -> None:
    text = "word " * 100
    short = cut(text, 100)
    assert len(short) <= 100
    assert short.endswith("word...")
    assert cut("short", 100) == "short"
    assert len(cut("x" * 500, 100)) == 100
