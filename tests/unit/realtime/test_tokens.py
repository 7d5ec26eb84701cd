"""Tokens by shared secret: what they say, and everything that makes them worthless."""

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.clock import ManualClock, SystemClock
from hub.realtime import Grant, HmacTokens, TokenInvalid
from hub.settings import Secret

SECRET = "a secret that is long enough for everybody: even HS512 wants no more than this"
Sign = Callable[..., str]


@pytest.fixture
def tokens(clock: ManualClock) -> HmacTokens:
    return HmacTokens(Secret(SECRET), clock)


@pytest.fixture
def now(clock: ManualClock) -> int:
    return int(clock.now().timestamp())


def b64(value: object) -> str:
    return base64.b64encode(json.dumps(value).encode()).decode()


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_a_connection_token_says_who_and_until_when(
    tokens: HmacTokens, signed: Sign, now: int, algorithm: str
) -> None:
    claims = {"sub": "ada", "exp": now + 60, "info": {"name": "Ada"}, "meta": {"plan": 1}}
    found = tokens.verify_connection(signed(algorithm=algorithm, aud="anybody", **claims))
    assert (found.user, found.expires_at) == ("ada", now + 60)
    assert json.loads(bytes(found.info or b"")) == {"name": "Ada"}
    assert json.loads(found.meta) == {"plan": 1}


def test_a_token_without_a_subject_is_good_and_anonymous(
    tokens: HmacTokens, signed: Sign, now: int
) -> None:
    found = tokens.verify_connection(signed(iat=now))
    assert (found.user, found.expires_at, found.info) == ("", None, None)


def test_the_connection_may_end_at_another_time_than_the_token(
    tokens: HmacTokens, signed: Sign, now: int
) -> None:
    assert tokens.verify_connection(signed(exp=now + 9, expire_at=now + 99)).expires_at == now + 99
    assert tokens.verify_connection(signed(exp=now + 9, expire_at=0)).expires_at is None


def test_channels_and_subs_are_granted_and_subs_win(tokens: HmacTokens, signed: Sign) -> None:
    found = tokens.verify_connection(
        signed(
            sub="ada",
            b64info=b64({"n": 1}),
            channels=["a", "b"],
            subs={
                "b": {"info": {"x": 1}, "data": [1], "override": {"presence": {"value": True}}},
                "c": {"b64info": b64("i"), "b64data": b64("d")},
            },
        )
    )
    assert found.grants["a"] == Grant()
    assert (found.grants["b"].info, found.grants["b"].data) == (b'{"x":1}', b"[1]")
    assert found.grants["b"].override.presence is True
    assert found.grants["b"].override.join_leave is None
    assert (found.grants["c"].info, found.grants["c"].data) == (b'"i"', b'"d"')
    assert json.loads(bytes(found.info or b"")) == {"n": 1}


def test_time_is_the_clocks_and_a_fresh_token_would_do(
    tokens: HmacTokens, signed: Sign, clock: ManualClock, now: int
) -> None:
    soon, later = signed(exp=now + 5), signed(nbf=now + 5)
    tokens.verify_connection(soon)
    with pytest.raises(TokenInvalid) as early:
        tokens.verify_connection(later)
    assert early.value.facts == {"expired": True}
    clock.advance(timedelta(seconds=5))
    tokens.verify_connection(later)
    with pytest.raises(TokenInvalid) as late:
        tokens.verify_connection(soon)
    assert late.value.facts == {"expired": True}


def _unsigned() -> str:
    parts = ({"alg": "none"}, {"sub": "ada"})
    return ".".join(base64.urlsafe_b64encode(json.dumps(p).encode()).decode() for p in parts) + "."


@pytest.mark.parametrize(
    "claims",
    [
        {"secret": "another secret that is just as long, for whoever wants to be let in"},
        {"channel": "a"},
        {"channel": None},
        {"sub": 5},
        {"exp": "tomorrow"},
        {"exp": 1e300},
        {"channels": "a"},
        {"subs": ["a"]},
        {"subs": {"a": {"override": {"presence": True}}}},
        {"b64info": "no base64"},
        {"b64info": base64.b64encode(b"no json").decode()},
    ],
)
def test_a_bad_token_is_worthless(tokens: HmacTokens, signed: Sign, claims: dict[str, Any]) -> None:
    with pytest.raises(TokenInvalid) as refused:
        tokens.verify_connection(signed(**claims))
    assert refused.value.facts == {}


@pytest.mark.parametrize("token", [_unsigned(), "", "a", "a.b", "a.b.c", "é.b.c", "." * 40_000])
def test_what_is_no_token_is_worthless(tokens: HmacTokens, token: str) -> None:
    with pytest.raises(TokenInvalid):
        tokens.verify_connection(token)


@given(st.text(alphabet=st.characters(max_codepoint=0x2FF)))
def test_no_text_makes_it_fail_otherwise(text: str) -> None:
    with pytest.raises(TokenInvalid):
        HmacTokens(Secret(SECRET), SystemClock()).verify_connection(f"e30.{text}.e30")


def test_without_a_secret_no_token_is_good(clock: ManualClock, signed: Sign) -> None:
    with pytest.raises(TokenInvalid):
        HmacTokens(Secret(""), clock).verify_connection(signed(sub="ada"))


def test_audience_and_issuer_count_where_they_are_expected(
    clock: ManualClock, signed: Sign
) -> None:
    strict = HmacTokens(Secret(SECRET), clock, audience="us", issuer="them")
    strict.verify_connection(signed(aud=["others", "us"], iss="them"))
    strict.verify_connection(signed(aud="us", iss="them"))
    for claims in ({"aud": "others", "iss": "them"}, {"aud": "us"}, {"aud": "us", "iss": "us"}):
        with pytest.raises(TokenInvalid):
            strict.verify_connection(signed(**claims))


def test_a_subscription_token_is_for_one_user_and_channel(
    tokens: HmacTokens, signed: Sign, now: int
) -> None:
    token = signed(sub="ada", channel="$a", exp=now + 9, info=1, data={"x": 2})
    grant = tokens.verify_subscription(token, user="ada", client="c1", channel="$a")
    assert (grant.info, grant.data, grant.expires_at) == (b"1", b'{"x":2}', now + 9)
    for user, channel in (("bob", "$a"), ("ada", "$b")):
        with pytest.raises(TokenInvalid) as refused:
            tokens.verify_subscription(token, user=user, client="c1", channel=channel)
        assert refused.value.facts == {"foreign": True}
    bound = signed(sub="ada", channel="$a", client="c2")
    with pytest.raises(TokenInvalid) as foreign:
        tokens.verify_subscription(bound, user="ada", client="c1", channel="$a")
    assert foreign.value.facts == {"foreign": True}
    with pytest.raises(TokenInvalid) as nameless:
        tokens.verify_subscription(signed(sub="ada"), user="ada", client="c1", channel="$a")
    assert nameless.value.facts == {}
