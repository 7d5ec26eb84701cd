"""Which publications a subscriber wants, told by their tags.

A filter is a tree. A leaf compares one tag with values; ``and``, ``or`` and ``not`` combine other
nodes. A tag that is absent satisfies only ``nex``, ``neq`` and ``nin``. Order comparisons are
numeric: a tag or value that is not a finite decimal number satisfies none of them.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation

from hub.realtime.wire import FilterNode

__all__ = ["matches", "well_formed"]

_MOST_NODES = 128
_DEEPEST = 16
_NOTHING: Mapping[str, str] = {}

_ORDER: Mapping[str, Callable[[Decimal, Decimal], bool]] = {
    "lt": lambda tag, value: tag < value,
    "lte": lambda tag, value: tag <= value,
    "gt": lambda tag, value: tag > value,
    "gte": lambda tag, value: tag >= value,
}
_TEXT: Mapping[str, Callable[[str, str], bool]] = {
    "eq": lambda tag, value: tag == value,
    "neq": lambda tag, value: tag != value,
    "sw": lambda tag, value: tag.startswith(value),
    "ew": lambda tag, value: tag.endswith(value),
    "ct": lambda tag, value: value in tag,
}
_AMONG = ("in", "nin")
_PRESENT = ("ex", "nex")


def well_formed(node: FilterNode) -> bool:
    """Whether a client's filter can be used: known operations with what they need, at most 128
    nodes, 16 deep."""
    return _nodes(node, 1) is not None


def matches(node: FilterNode, tags: Mapping[str, str] | None) -> bool:
    """Whether a publication with these tags passes a filter that is ``well_formed``."""
    if node.op == "and":
        return all(matches(each, tags) for each in node.nodes)
    if node.op == "or":
        return any(matches(each, tags) for each in node.nodes)
    if node.op == "not":
        return not matches(node.nodes[0], tags)
    tag = (tags or _NOTHING).get(node.key)
    if tag is None:
        return node.cmp in ("nex", "neq", "nin")
    if node.cmp in _TEXT:
        return _TEXT[node.cmp](tag, node.val)
    if node.cmp in _AMONG:
        return (tag in node.vals) is (node.cmp == "in")
    if node.cmp in _PRESENT:
        return node.cmp == "ex"
    one, other = _decimal(tag), _decimal(node.val)
    return one is not None and other is not None and _ORDER[node.cmp](one, other)


def _nodes(node: FilterNode, depth: int) -> int | None:
    """How many nodes there are from here; None if one is not right or they are too many."""
    if depth > _DEEPEST:
        return None
    if not node.op:
        return 1 if node.key and _comparison(node) else None
    if node.op not in ("and", "or", "not") or not node.nodes:
        return None
    if node.op == "not" and len(node.nodes) != 1:
        return None
    total = 1
    for each in node.nodes:
        below = _nodes(each, depth + 1)
        if below is None or total + below > _MOST_NODES:
            return None
        total += below
    return total


def _comparison(node: FilterNode) -> bool:
    """Whether a leaf has what its comparison needs, and nothing else."""
    if node.cmp in _PRESENT:
        return not (node.val or node.vals)
    if node.cmp in _AMONG:
        return bool(node.vals) and not node.val
    return (node.cmp in _TEXT or node.cmp in _ORDER) and bool(node.val) and not node.vals


def _decimal(text: str) -> Decimal | None:
    if len(text) > 64:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
