"""Pages: within the budget, nothing lost, numbers that keep their meaning."""

import re

from hypothesis import given
from hypothesis import strategies as st

from channels.ussd.gsm import septets
from channels.ussd.layout import BUDGET, Footer, pages, render
from channels.ussd.model import (
    Home,
    Option,
    View,
)

FOOTER = Footer("0 Back 00 Home", "98 More 0 Back 00 Home")
words = st.text(st.characters(codec="utf-8"), max_size=200)


def view_of(head: str, labels: list[str]) -> View:
    return View(head, tuple(Option(label, Home()) for label in labels))


@given(words, st.lists(words, max_size=30), words.map(lambda text: text[:60]))
def test_every_page_fits_the_budget(head: str, labels: list[str], hint: str) -> None:
    for page in pages(view_of(head, labels), FOOTER):
        assert septets(render(page, FOOTER, hint)) <= BUDGET
        assert septets(render(page, FOOTER, "")) <= BUDGET


@given(st.lists(st.text("abc ", min_size=1, max_size=90).map(str.strip), max_size=40))
def test_every_option_stands_once_under_its_own_number(labels: list[str]) -> None:
    shown = "\n".join(render(page, FOOTER, "") for page in pages(view_of("Pick", labels), FOOTER))
    lines = [line for line in shown.split("\n") if line not in (FOOTER.last, FOOTER.more)]
    numbers = [int(line.split(" ")[0]) for line in lines if re.match(r"\d+( |$)", line)]
    assert numbers == list(range(1, len(labels) + 1))


@given(st.lists(st.text("abcdefg", min_size=1, max_size=12), min_size=1, max_size=120))
def test_a_long_text_is_told_to_its_end(told: list[str]) -> None:
    found = pages(view_of(" ".join(told), []), FOOTER)
    assert " ".join(" ".join(page.lines) for page in found).split() == told
    assert [page.more for page in found] == [True] * (len(found) - 1) + [False]


def test_what_fits_one_screen_is_one_page() -> None:
    found = pages(view_of("Your money:\nYou: KES 5,000", ["Top up"]), FOOTER)
    assert len(found) == 1
    assert render(found[0], FOOTER, "") == "Your money:\nYou: KES 5,000\n1 Top up\n0 Back 00 Home"


def test_a_hint_takes_its_room_from_the_longest_line_and_drops_no_option() -> None:
    page = pages(view_of("x" * 90, ["Yes, please do", "No"]), FOOTER)[0]
    text = render(page, FOOTER, "No such choice.")
    assert text.startswith("No such choice.\nxxx")
    assert text.endswith("1 Yes, please do\n2 No\n0 Back 00 Home")
