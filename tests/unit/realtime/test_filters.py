"""Filters by tags: what passes, and which filters are refused."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.realtime.filters import matches, well_formed
from hub.realtime.wire import FilterNode

TAGS = {"sector": "solar energy", "price": "100", "empty": "", "odd": "1e"}


def tree(node: dict[str, Any]) -> FilterNode:
    return msgspec.json.decode(json.dumps(node), type=FilterNode)


def leaf(key: str, cmp: str, val: str = "", *vals: str) -> dict[str, Any]:
    return {"key": key, "cmp": cmp, "val": val, "vals": list(vals)}


@pytest.mark.parametrize(
    ("node", "passes"),
    [
        (leaf("sector", "eq", "solar energy"), True),
        (leaf("sector", "eq", "solar"), False),
        (leaf("absent", "eq", "solar"), False),
        (leaf("sector", "neq", "solar"), True),
        (leaf("sector", "neq", "solar energy"), False),
        (leaf("absent", "neq", "solar"), True),
        (leaf("sector", "in", "", "wind", "solar energy"), True),
        (leaf("sector", "in", "", "wind"), False),
        (leaf("absent", "in", "", "wind"), False),
        (leaf("sector", "nin", "", "wind"), True),
        (leaf("sector", "nin", "", "solar energy"), False),
        (leaf("absent", "nin", "", "wind"), True),
        (leaf("empty", "ex"), True),
        (leaf("absent", "ex"), False),
        (leaf("empty", "nex"), False),
        (leaf("absent", "nex"), True),
        (leaf("sector", "sw", "solar"), True),
        (leaf("sector", "sw", "energy"), False),
        (leaf("absent", "sw", "energy"), False),
        (leaf("sector", "ew", "energy"), True),
        (leaf("sector", "ew", "solar"), False),
        (leaf("sector", "ct", "r e"), True),
        (leaf("sector", "ct", "re"), False),
        (leaf("price", "lt", "100.01"), True),
        (leaf("price", "lt", "100"), False),
        (leaf("price", "lt", "20"), False),  # as a number, not as text
        (leaf("price", "lte", "100.0"), True),
        (leaf("price", "lte", "99"), False),
        (leaf("price", "gt", "99"), True),
        (leaf("price", "gt", "100"), False),
        (leaf("price", "gte", "100"), True),
        (leaf("price", "gte", "101"), False),
        (leaf("odd", "gte", "0"), False),
        (leaf("sector", "lt", "9"), False),
        (leaf("absent", "gte", "-5"), False),
    ],
)
def test_a_comparison(node: dict[str, Any], passes: bool) -> None:
    assert well_formed(tree(node))
    assert matches(tree(node), TAGS) is passes
    assert matches(tree({"op": "not", "nodes": [node]}), TAGS) is not passes


@given(st.lists(st.booleans(), min_size=1, max_size=6))
def test_and_or_not_are_what_they_are_everywhere(truths: list[bool]) -> None:
    nodes = [leaf("price", "eq", "100" if truth else "1") for truth in truths]
    assert matches(tree({"op": "and", "nodes": nodes}), TAGS) is all(truths)
    assert matches(tree({"op": "or", "nodes": nodes}), TAGS) is any(truths)
    neither = {"op": "not", "nodes": [{"op": "or", "nodes": nodes}]}
    assert matches(tree(neither), TAGS) is not any(truths)


def test_a_publication_without_tags_has_none_of_them() -> None:
    assert not matches(tree(leaf("price", "ex")), None)
    assert matches(tree(leaf("price", "nex")), None)


def nested(depth: int) -> dict[str, Any]:
    return leaf("a", "ex") if depth == 1 else {"op": "not", "nodes": [nested(depth - 1)]}


@pytest.mark.parametrize(
    "node",
    [
        {},
        leaf("a", ""),
        leaf("a", "like", "x"),
        leaf("", "eq", "x"),
        leaf("a", "eq"),
        leaf("a", "eq", "x", "y"),
        leaf("a", "in"),
        leaf("a", "in", "x", "y"),
        leaf("a", "ex", "x"),
        leaf("a", "gt"),
        {"op": "xor", "nodes": [leaf("a", "ex")]},
        {"op": "and"},
        {"op": "or", "nodes": []},
        {"op": "not", "nodes": [leaf("a", "ex"), leaf("a", "ex")]},
        {"op": "and", "nodes": [leaf("a", "ex"), {"op": "not", "nodes": []}]},
        {"op": "or", "nodes": [leaf("a", "ex")] * 200},
        nested(20),
    ],
)
def test_a_filter_that_makes_no_sense_is_not_well_formed(node: dict[str, Any]) -> None:
    assert not well_formed(tree(node))


def test_equal_filters_are_one() -> None:
    node = {"op": "and", "nodes": [leaf("a", "in", "", "x"), leaf("b", "nex")]}
    assert hash(tree(node)) == hash(tree(dict(node)))
    assert tree(node) == tree(dict(node))
