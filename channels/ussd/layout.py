"""Screens within the budget: 160 septets with the prefix, however long the content.

A view is cut into pages. Options keep their number over all pages, so that a number means the
same wherever it is typed; ``98`` leads on, as phone menus in East Africa have it. A hint never
moves a page's options: it takes its room from the longest line.
"""

import msgspec

from channels.ussd.gsm import clip, septets, split, to_gsm
from channels.ussd.model import (
    View,
)

__all__ = ["BUDGET", "MORE", "Footer", "Page", "closing", "pages", "render"]

BUDGET = 160 - len("CON ")
"""Septets left after the aggregator's prefix; 160 is safe on every network (PROVIDERS 1.4)."""

MORE = "98"

_LABEL = 60
_WORTH_SPLITTING = 24


class Footer(msgspec.Struct, frozen=True):
    """The last line in the person's language: with and without a further page."""

    last: str
    more: str


class Page(msgspec.Struct, frozen=True):
    lines: tuple[str, ...]
    more: bool


def pages(view: View, footer: Footer) -> list[Page]:
    """The pages of a view; at least one."""
    head = [line for line in to_gsm(view.head).split("\n") if line]
    options = [
        f"{number} {clip(to_gsm(option.label), _LABEL)}"
        for number, option in enumerate(view.options, 1)
    ]
    if _fits([*head, *options, *([footer.last] if footer.last else [])]):
        return [Page((*head, *options), more=False)]
    room = BUDGET - septets(footer.more) - 1
    filled: list[list[str]] = [[]]
    left = room

    def put(line: str) -> None:
        nonlocal left
        filled[-1].append(line)
        left -= septets(line) + 1

    def turn() -> None:
        nonlocal left
        filled.append([])
        left = room

    for line in head:
        rest = line
        while septets(rest) > left:
            if left < _WORTH_SPLITTING:
                turn()
                continue
            piece, rest = _by_words(rest, left)
            put(piece)
        if rest:
            put(rest)
    for line in options:
        if septets(line) > left:
            turn()
        put(line)
    full = [lines for lines in filled if lines]
    last = len(full) - 1
    return [Page(tuple(lines), more=number < last) for number, lines in enumerate(full)]


def render(page: Page, footer: Footer, hint: str) -> str:
    """The text of a page, with a hint above it if there is one."""
    told = to_gsm(hint).strip()
    lines = [line for line in (told, *page.lines) if line]
    tail = [line for line in (footer.more if page.more else footer.last,) if line]
    while not _fits([*lines, *tail]):
        longest = max(range(len(lines)), key=lambda position: septets(lines[position]))
        excess = septets("\n".join([*lines, *tail])) - BUDGET
        size = septets(lines[longest])
        if size <= 8:  # nothing left to shorten; no screen of ours has that many lines
            return split("\n".join([*lines, *tail]), BUDGET)[0]
        lines[longest] = clip(lines[longest], max(8, size - max(excess, 1)))
    return "\n".join([*lines, *tail])


def closing(text: str) -> str:
    """A last screen, which has one page only."""
    return clip(to_gsm(text), BUDGET)


def _fits(lines: list[str]) -> bool:
    return septets("\n".join(lines)) <= BUDGET


def _by_words(line: str, limit: int) -> tuple[str, str]:
    """``line`` cut at the last space within ``limit``, or hard where there is no space."""
    piece, rest = split(line, limit)
    if rest and " " in piece and not rest.startswith(" "):
        at = piece.rindex(" ")
        if at > limit // 2:
            piece, rest = piece[:at], piece[at:] + rest
    return piece.rstrip(), rest.lstrip()
