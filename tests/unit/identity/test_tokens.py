"""Tokens: strict about algorithm, key, audience, issuer and time."""

from base64 import urlsafe_b64encode
from datetime import timedelta
from typing import Any

import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from hub.clock import ManualClock
from hub.identity import Principal, Tokens
from hub.identity.errors import TokenRefused
from hub.ids import DeviceId, PersonId, new_id
from hub.settings import Secret, SettingsFault


def pem(key: Any) -> Secret:
    return Secret(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())


@pytest.fixture
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


@pytest.fixture
def tokens(key: Ed25519PrivateKey, clock: ManualClock) -> Tokens:
    return Tokens(pem(key), clock)


@pytest.fixture
def principal(clock: ManualClock) -> Principal:
    now = clock.now()
    return Principal(
        PersonId(new_id(now)), frozenset({"support"}), DeviceId(new_id(now)), new_id(now)
    )


def test_what_goes_in_comes_out(tokens: Tokens, principal: Principal) -> None:
    assert tokens.verify_access(tokens.issue_access(principal)) == principal
    assert principal.actor == f"person:{principal.person_id}"
    claims = tokens.verify_connection(tokens.issue_connection(principal, name="Amina"))
    assert claims.device == str(principal.device_id)


def test_other_subscribers_see_a_name_and_no_device(tokens: Tokens, principal: Principal) -> None:
    claims = tokens.verify_connection(tokens.issue_connection(principal, name="Amina"))
    assert claims.info == {"name": "Amina"}


def test_a_session_without_a_device_has_tokens_too(tokens: Tokens, principal: Principal) -> None:
    bare = msgspec.structs.replace(principal, device_id=None)
    assert tokens.verify_access(tokens.issue_access(bare)) == bare
    assert tokens.verify_connection(tokens.issue_connection(bare)).device is None


def test_one_audience_does_not_open_the_other(tokens: Tokens, principal: Principal) -> None:
    with pytest.raises(TokenRefused):
        tokens.verify_access(tokens.issue_connection(principal))
    with pytest.raises(TokenRefused):
        tokens.verify_connection(tokens.issue_access(principal))


def test_an_expired_token_says_so(tokens: Tokens, principal: Principal, clock: ManualClock) -> None:
    token = tokens.issue_connection(principal)
    clock.advance(timedelta(hours=1))
    with pytest.raises(TokenRefused) as refused:
        tokens.verify_connection(token)
    assert refused.value.facts == {"expired": True}


def test_another_key_is_refused_even_under_our_key_id(
    tokens: Tokens, principal: Principal, clock: ManualClock
) -> None:
    stranger = Tokens(pem(Ed25519PrivateKey.generate()), clock)
    with pytest.raises(TokenRefused):
        tokens.verify_access(stranger.issue_access(principal))
    stranger.kid = tokens.kid
    with pytest.raises(TokenRefused):
        tokens.verify_access(stranger.issue_access(principal))


def test_a_remembered_token_still_expires_and_is_still_compared_to_the_letter(
    tokens: Tokens, principal: Principal, clock: ManualClock
) -> None:
    token = tokens.issue_access(principal)
    assert tokens.verify_access(token) == tokens.verify_access(token)
    head, body, signature = token.split(".")
    other = ("A" if signature[0] != "A" else "B") + signature[1:]
    for changed in (f"{head}.{body}.{other}", f"{token}x", token[:-2]):
        with pytest.raises(TokenRefused):
            tokens.verify_access(changed)
    clock.advance(timedelta(minutes=15))
    with pytest.raises(TokenRefused):
        tokens.verify_access(token)


def segment(value: object) -> str:
    return urlsafe_b64encode(msgspec.json.encode(value)).rstrip(b"=").decode()


def test_unsigned_and_symmetric_tokens_are_refused(tokens: Tokens, principal: Principal) -> None:
    claims = jwt.decode(tokens.issue_access(principal), options={"verify_signature": False})
    unsigned = f"{segment({'alg': 'none', 'kid': tokens.kid})}.{segment(claims)}."
    symmetric = jwt.encode(
        claims, tokens.jwks()["keys"][0]["x"], algorithm="HS256", headers={"kid": tokens.kid}
    )
    for token in (unsigned, symmetric):
        with pytest.raises(TokenRefused):
            tokens.verify_access(token)


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "someone"}, {"aud": "other"}, {"sub": "not-a-uuid"}, {"sid": None},
        {"exp": "soon"}, {"exp": None}, {"roles": 7}, {"sub": None},
    ],
)  # fmt: skip
def test_claims_that_do_not_fit_are_refused(
    tokens: Tokens, principal: Principal, key: Ed25519PrivateKey, change: dict[str, Any]
) -> None:
    claims = jwt.decode(tokens.issue_access(principal), options={"verify_signature": False})
    claims.update(change)
    given = {name: value for name, value in claims.items() if value is not None}
    token = jwt.encode(given, key, algorithm="EdDSA", headers={"kid": tokens.kid})
    with pytest.raises(TokenRefused):
        tokens.verify_access(token)


@pytest.mark.parametrize("token", ["", ".", "..", "a.b.c", "é", "x" * 10_000, "null.null.null"])
def test_garbage_is_refused(tokens: Tokens, token: str) -> None:
    with pytest.raises(TokenRefused):
        tokens.verify_access(token)


def test_only_an_ed25519_key_signs(clock: ManualClock) -> None:
    with pytest.raises(SettingsFault):
        Tokens(pem(generate_private_key(SECP256R1())), clock)
