"""``docs/asyncapi.json`` describes what is really sent, and is sound AsyncAPI 3.0.

The specification's own schema is not at hand offline; what it asks for and this document uses is
written here: the shape of its objects, references that lead somewhere, addresses whose parameters
are described, operations on messages of their channel.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args, get_type_hints
from uuid import UUID

import msgspec
import pytest
from jsonschema import Draft202012Validator, FormatChecker

import hub.root  # noqa: F401 - fills the catalogue
from hub.events import Event, Reach, catalogue, encode_event
from hub.ids import EventId
from hub.money import Money

PATH = Path(__file__).parents[2] / "docs" / "asyncapi.json"
DOCUMENT: dict[str, Any] = msgspec.json.decode(PATH.read_bytes())
MESSAGES = DOCUMENT["components"]["messages"]
ID = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
AT = datetime(2026, 11, 24, 9, tzinfo=UTC)

_REFERENCE = {
    "type": "object",
    "properties": {"$ref": {"type": "string", "pattern": "^#/"}},
    "required": ["$ref"],
    "additionalProperties": False,
}
_NAMED = {"propertyNames": {"pattern": r"^[A-Za-z0-9._\-]+$"}}


def _object(required: list[str] | None = None, **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": required or [],
        "patternProperties": {"^x-": {}},
        "additionalProperties": False,
    }


def _map(values: Any) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": values, **_NAMED}


_TEXT = {"type": "string", "minLength": 1}
SHAPE = _object(
    ["asyncapi", "info"],
    asyncapi={"const": "3.0.0"},
    id={"type": "string", "format": "uri"},
    info=_object(
        ["title", "version"],
        title=_TEXT,
        version=_TEXT,
        description=_TEXT,
        license=_object(["name"], name=_TEXT, url={"type": "string", "format": "uri"}),
    ),
    defaultContentType={"const": "application/json"},
    servers=_map(
        _object(
            ["host", "protocol"],
            host=_TEXT,
            protocol=_TEXT,
            pathname={"type": "string", "pattern": "^/"},
            description=_TEXT,
            variables=_map(_object(default=_TEXT, description=_TEXT)),
            security={"type": "array", "items": _REFERENCE},
        )
    ),
    channels=_map(
        _object(
            address={"type": "string", "minLength": 1},
            title=_TEXT,
            description=_TEXT,
            parameters=_map(_object(description=_TEXT, enum={"type": "array"}, default=_TEXT)),
            messages=_map(_REFERENCE),
        )
    ),
    operations=_map(
        _object(
            ["action", "channel"],
            action={"enum": ["send", "receive"]},
            channel=_REFERENCE,
            messages={"type": "array", "items": _REFERENCE, "minItems": 1},
        )
    ),
    components=_object(
        schemas=_map({"type": "object"}),
        messages=_map(
            _object(
                ["name", "payload"],
                name=_TEXT,
                title=_TEXT,
                summary=_TEXT,
                payload=_REFERENCE,
            )
        ),
        securitySchemes=_map(
            _object(
                ["type", "scheme"],
                type={"const": "http"},
                scheme={"const": "bearer"},
                bearerFormat=_TEXT,
                description=_TEXT,
            )
        ),
    ),
)


def _references(part: Any) -> Iterator[str]:
    match part:
        case {"$ref": str(reference)}:
            yield reference
        case dict():
            for each in part.values():
                yield from _references(each)
        case list():
            for each in part:
                yield from _references(each)


def _target(reference: str) -> Any:
    part: Any = DOCUMENT
    for name in reference.removeprefix("#/").split("/"):
        part = part[name]
    return part


def _payload_validator(kind: str) -> Draft202012Validator:
    """Judges the payload of a message by its schema, with what that refers to."""
    schema = {**_target(MESSAGES[kind]["payload"]["$ref"]), "components": DOCUMENT["components"]}
    return Draft202012Validator(schema, format_checker=FormatChecker())


def _sample(wanted: Any) -> Any:
    """A value of a field's type."""
    if wanted is UUID or getattr(wanted, "__supertype__", None) is UUID:
        return ID
    if wanted is Money:
        return Money(250_000, "KES")
    choices = get_args(wanted)
    if choices:
        return choices[0] if isinstance(choices[0], str) else _sample(choices[0])
    return {str: "Mama Njeri's shop", int: 7}[wanted]


def _event(kind: str) -> Event:
    made = catalogue()[kind]
    hints = get_type_hints(made)
    return made(**{name: _sample(hints[name]) for name in made.__struct_fields__})


def test_the_document_is_what_the_catalogue_says() -> None:
    """After a change: .venv/bin/hub asyncapi > docs/asyncapi.json"""
    hub = Path(sys.executable).parent / "hub"
    printed = subprocess.run([hub, "asyncapi"], capture_output=True, check=True)
    assert printed.stdout == PATH.read_bytes()


def test_it_has_the_shape_of_asyncapi_3() -> None:
    Draft202012Validator.check_schema(SHAPE)
    Draft202012Validator(SHAPE, format_checker=FormatChecker()).validate(DOCUMENT)


def test_every_reference_leads_somewhere() -> None:
    references = set(_references(DOCUMENT))
    assert len(references) > 50
    for reference in references:
        assert isinstance(_target(reference), dict), reference


@pytest.mark.parametrize("name", DOCUMENT["channels"])
def test_an_address_names_exactly_its_parameters(name: str) -> None:
    channel = DOCUMENT["channels"][name]
    assert set(re.findall(r"\{(\w+)\}", channel["address"])) == set(channel["parameters"])


@pytest.mark.parametrize("name", DOCUMENT["operations"])
def test_an_operation_receives_all_messages_of_its_channel(name: str) -> None:
    operation = DOCUMENT["operations"][name]
    channel = operation["channel"]["$ref"]
    messages = {each["$ref"] for each in operation["messages"]}
    assert messages == {f"{channel}/messages/{kind}" for kind in _target(channel)["messages"]}


@pytest.mark.parametrize("name", DOCUMENT["components"]["schemas"])
def test_every_schema_is_json_schema(name: str) -> None:
    Draft202012Validator.check_schema(DOCUMENT["components"]["schemas"][name])


@pytest.mark.parametrize("kind", sorted(set(MESSAGES) - {"typing"}))
def test_what_is_sent_fits_its_description(kind: str) -> None:
    sent = msgspec.json.decode(encode_event(_event(kind), EventId(ID), AT))
    validator = _payload_validator(kind)
    validator.validate(sent)
    for field in sent:
        assert not validator.is_valid({k: v for k, v in sent.items() if k != field}), field
    assert not validator.is_valid({**sent, "event": "another.kind"})


@pytest.mark.parametrize("kind", sorted(set(MESSAGES) - {"typing"}))
def test_how_hard_an_event_tries_is_described(kind: str) -> None:
    assert msgspec.convert(MESSAGES[kind].get("x-reach"), Reach | None) == catalogue()[kind].reach
