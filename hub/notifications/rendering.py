"""Words for notices: one TOML file per language, one entry per event kind, checked at start.

A template names fields of its event in braces, as ``{amount}``; amounts are written by
``Money.format`` in the reader's language. Templates are parsed once, values are put in as they
are: what a person typed is never read as a template. ``Wording.load`` refuses a missing entry and
an unknown variable, so no notice can fail on its words later. Product wording stays within GSM-7
(tested in ``tests/contracts/test_wording.py``).
"""

from collections.abc import Iterable, Mapping
from importlib.resources import files
from string import Formatter
from typing import Any
from uuid import UUID

import msgspec

from hub.events import Event
from hub.money import Money
from hub.notifications.errors import WordingFault

__all__ = ["LANGUAGES", "Template", "Wording", "Words", "cut"]

LANGUAGES = ("en", "sw", "fr")

_BESIDE_THE_EVENT = {"message.sent": frozenset({"text"})}
"""Variables that are fetched for a notice and are not fields of its event."""

_MESSAGES = {
    "code": frozenset({"code", "minutes"}),
    "unknown_sender": frozenset[str](),
    "no_conversation": frozenset[str](),
    "refused": frozenset[str](),
}
"""SMS that are not notices of an event, and what each may name."""

_TEXT_LIMIT = 300  # what a notice quotes of a person's message: two SMS parts, or five in UCS-2


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sms: str
    push_title: str
    push_body: str


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    events: dict[str, _Entry]
    messages: dict[str, str]


class Template:
    """Text with ``{names}``; nothing else of Python's format language is accepted."""

    __slots__ = ("_pieces", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._pieces: list[tuple[str, str | None]] = []
        for literal, name, spec, conversion in Formatter().parse(text):
            if name is not None and (spec or conversion or not name.isidentifier()):
                raise ValueError(f"only plain names may stand in braces, not {{{name}}}")
            self._pieces.append((literal, name))

    @property
    def names(self) -> frozenset[str]:
        return frozenset(name for _, name in self._pieces if name)

    def render(self, values: Mapping[str, str]) -> str:
        return "".join(literal + (values[name] if name else "") for literal, name in self._pieces)


class Words(msgspec.Struct, frozen=True):
    """What a person reads. ``verbatim`` where it quotes another person."""

    title: str
    text: str
    verbatim: bool


class Wording:
    """All templates of all languages. Make one per process with ``load``."""

    def __init__(
        self,
        events: Mapping[tuple[str, str, str], Template],
        messages: Mapping[tuple[str, str], Template],
    ) -> None:
        self._events = events
        self._messages = messages

    @classmethod
    def load(cls, catalogue: Mapping[str, type[Event]]) -> "Wording":
        """Reads the files and checks them against the events that have a ``Reach``.

        Raises ``WordingFault`` listing every missing entry and unknown variable.
        """
        folder = files("hub.notifications") / "wording"
        return cls.parse(
            {language: (folder / f"{language}.toml").read_bytes() for language in LANGUAGES},
            catalogue,
        )

    @classmethod
    def parse(cls, sources: Mapping[str, bytes], catalogue: Mapping[str, type[Event]]) -> "Wording":
        """As ``load``, from TOML by language."""
        faults: list[str] = []
        events: dict[tuple[str, str, str], Template] = {}
        messages: dict[tuple[str, str], Template] = {}
        for language, source in sources.items():
            try:
                file = msgspec.toml.decode(source, type=_File)
            except msgspec.DecodeError as fault:
                faults.append(f"{language}: {fault}")
                continue
            reaching = {kind for kind, event in catalogue.items() if event.reach}
            missing = sorted(reaching - file.events.keys())
            faults.extend(f"{language}: {kind} has no wording" for kind in missing)
            for kind, entry in file.events.items():
                allowed = _variables(kind, catalogue.get(kind))
                for part in ("sms", "push_title", "push_body"):
                    where = f"{language}: {kind}: {part}"
                    template = _checked(getattr(entry, part), allowed, where, faults)
                    events[language, kind, part] = template
            for name, allowed in _MESSAGES.items():
                text = file.messages.get(name)
                if text is None:
                    faults.append(f"{language}: message {name} is missing")
                    continue
                messages[language, name] = _checked(text, allowed, f"{language}: {name}", faults)
        if faults:
            raise WordingFault("The wording does not fit the events:\n  " + "\n  ".join(faults))
        return cls(events, messages)

    def notice(
        self, kind: str, channel: str, language: str, data: Mapping[str, Any], text: str = ""
    ) -> Words:
        """Words for an event of ``kind``; ``data`` is the event's JSON, ``text`` a message's."""
        language = _known(language)
        values = {name: _written(value, language) for name, value in data.items()}
        values["text"] = cut(text, _TEXT_LIMIT)
        if channel == "sms":
            template = self._events[language, kind, "sms"]
            return Words("", template.render(values), "text" in template.names)
        title = self._events[language, kind, "push_title"].render(values)
        body = self._events[language, kind, "push_body"].render(values)
        return Words(title, body, verbatim=False)

    def message(self, name: str, language: str, **values: str) -> str:
        """The words of an SMS that is no notice: ``code``, ``unknown_sender`` and the like."""
        return self._messages[_known(language), name].render(values)

    def templates(self) -> Iterable[tuple[str, str]]:
        """Every template's place and text, for checks."""
        for (language, kind, part), template in self._events.items():
            yield f"{language}: {kind}: {part}", template.text
        for (language, name), template in self._messages.items():
            yield f"{language}: {name}", template.text


def cut(text: str, limit: int) -> str:
    """``text`` within ``limit`` characters, broken at a space where one is near, with dots."""
    text = text.strip()
    if len(text) <= limit:
        return text
    head = text[: limit - 3]
    space = head.rfind(" ", limit - 40)
    return (head[:space] if space > 0 else head).rstrip() + "..."


def _known(language: str) -> str:
    return language if language in LANGUAGES else LANGUAGES[0]


def _variables(kind: str, event: type[Event] | None) -> frozenset[str] | None:
    """What a template of ``kind`` may name: the event's fields without ids. None: no such event."""
    if event is None:
        return None
    fields = msgspec.structs.fields(event)
    names = frozenset(field.name for field in fields if not _is_id(field.type))
    return names | _BESIDE_THE_EVENT.get(kind, frozenset())


def _is_id(annotation: Any) -> bool:
    return getattr(annotation, "__supertype__", annotation) is UUID


def _checked(text: str, allowed: frozenset[str] | None, where: str, faults: list[str]) -> Template:
    try:
        template = Template(text)
    except ValueError as fault:
        faults.append(f"{where}: {fault}")
        return Template("")
    unknown = sorted(template.names - allowed) if allowed is not None else []
    faults.extend(f"{where}: {{{name}}} is not known" for name in unknown)
    return template


def _written(value: Any, language: str) -> str:
    """A field of an event as a person reads it."""
    match value:
        case {"amount": int(amount), "currency": str(currency)}:
            return Money(amount, currency).format(language)
        case _:
            return str(value)
