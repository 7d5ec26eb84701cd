"""What every benchmark prints: one JSON object a line."""

import json
import sys

__all__ = ["report"]


def report(
    name: str,
    value: float,
    unit: str,
    *,
    peer: str | None = None,
    ratio: float | None = None,
    **more: object,
) -> None:
    """Prints one measurement. ``ratio`` is ours divided by the peer's, measured in the same run."""
    line: dict[str, object] = {"name": name, "value": _short(value), "unit": unit}
    if peer is not None:
        line["peer"] = peer
    if ratio is not None:
        line["ratio"] = _short(ratio)
    print(json.dumps({**line, **more}), file=sys.stdout, flush=True)


def _short(value: float) -> float:
    """Four significant digits: more would claim a precision no run has."""
    return value if isinstance(value, int) else float(f"{value:.4g}")
