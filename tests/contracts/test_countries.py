"""Every country file, by itself: a new one is picked up without touching this test."""

from itertools import pairwise
from zoneinfo import ZoneInfo

import phonenumbers
import pytest

from hub.countries import Country, countries, country
from hub.errors import Invalid
from hub.money import currency_exponent


@pytest.mark.parametrize("entry", countries().values(), ids=lambda entry: entry.code)
def test_a_country_file_says_what_is_true(entry: Country) -> None:
    region = phonenumbers.region_code_for_country_code(int(entry.calling_code))
    assert entry.code in phonenumbers.region_codes_for_country_code(int(entry.calling_code)), region
    assert currency_exponent(entry.currency) in (0, 2)
    assert ZoneInfo(entry.timezone)
    assert entry.languages


@pytest.mark.parametrize("entry", countries().values(), ids=lambda entry: entry.code)
def test_a_higher_level_never_allows_less(entry: Country) -> None:
    tiers = sorted(entry.tiers, key=lambda tier: tier.level)
    for lower, higher in pairwise(tiers):
        for figure in ("transaction", "daily", "invested_yearly"):
            low, high = getattr(lower, figure), getattr(higher, figure)
            assert high is None or (low is not None and low <= high)
    assert all(tier.source and tier.as_of for tier in tiers)


def test_a_country_without_a_file_is_refused() -> None:
    with pytest.raises(Invalid, match="does not work in this country"):
        country("XX")
