"""The screens: one file per branch of the menu, found by themselves.

A file in this folder has ``screens``, a tuple of ``ScreenKind`` objects; adding a branch is adding
a file and an option on the home screen.
"""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from channels.ussd.screens.base import Look, ScreenKind

__all__ = ["Look", "ScreenKind", "screen_kind", "screen_kinds"]


@cache
def screen_kinds() -> dict[str, ScreenKind]:
    """Every screen by name."""
    found: dict[str, ScreenKind] = {}
    for entry in iter_modules(__path__):
        branch = import_module(f"{__name__}.{entry.name}")
        for kind in getattr(branch, "screens", ()):
            assert kind.name not in found, f"two screens are called {kind.name}"
            found[kind.name] = kind
    return found


def screen_kind(name: str) -> ScreenKind:
    """The screen of that name; home for one that a later version no longer has."""
    kinds = screen_kinds()
    return kinds.get(name, kinds["home"])
