"""Every error has a kind of its own that the documentation explains, with its true status."""

import re
from collections.abc import Iterator
from pathlib import Path

import hub.app
import hub.doctor
import hub.up  # noqa: F401 - these import everything that can go wrong
from hub.errors import HubError
from hub.problems import status_of

DOCS = Path(__file__).parents[2] / "docs" / "errors.md"


def _all(branch: type[HubError]) -> Iterator[type[HubError]]:
    for error in branch.__subclasses__():
        if error.__module__.split(".")[0] in ("hub", "channels", "workers"):
            yield error
            yield from _all(error)


ERRORS = list(_all(HubError))


def test_no_two_errors_share_a_kind() -> None:
    kinds = [error.kind for error in ERRORS]
    assert sorted(kinds) == sorted(set(kinds))


def test_every_kind_is_documented_with_its_status() -> None:
    text = DOCS.read_text("utf-8")
    rows = dict(re.findall(r"^\| `([a-z_]+)` \| (\d+)? ?", text, re.MULTILINE))
    assert rows.keys() == {error.kind for error in ERRORS}
    for error in ERRORS:
        if rows[error.kind]:
            assert int(rows[error.kind]) == status_of(error.__new__(error)), error.kind


def test_kinds_are_stable_words() -> None:
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", error.kind) for error in ERRORS)
    assert all(error.__doc__ for error in ERRORS)
