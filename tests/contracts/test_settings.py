"""Every setting stands in the operator's handbook, and the handbook names no other."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_handbook_lists_exactly_the_settings_there_are() -> None:
    read = set(re.findall(r'"(HUB_[A-Z_]+)"', (ROOT / "hub" / "settings.py").read_text("utf-8")))
    handbook = (ROOT / "docs" / "operating.md").read_text("utf-8")
    table = [line for line in handbook.splitlines() if line.startswith("| `HUB_")]
    told = {name for line in table for name in re.findall(r"`(HUB_[A-Z_]+)`", line.split("|")[1])}
    assert told == read
