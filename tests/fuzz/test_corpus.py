"""The corpus of the fuzzer, run through its target without one."""

import pytest

from tests.fuzz.commands import check, seeds


@pytest.mark.parametrize(("name", "seed"), list(seeds()), ids=lambda value: str(value)[:24])
def test_every_seed_keeps_the_promises(name: str, seed: bytes) -> None:
    check(seed)
    for cut in range(1, len(seed), max(1, len(seed) // 16)):
        check(seed[:cut])
