"""A file describes a gateway, or says by name why it does not."""

from pathlib import Path

import pytest

from hub.realtime import ConfigFault, load_config, read_config

EVERYTHING = """
[client]
insecure = true
allow_anonymous_connect_without_token = true
allowed_origins = ["https://app.example/", "https://other.example"]
history_max_publication_limit = 100
recovery_max_publication_limit = 200
channel_limit = 64
ping_interval = "1m30s"
pong_timeout = 5

[client.token]
hmac_secret_key = "secret"
audience = "us"
issuer = "them"

[client.subscribe_to_user_personal_channel]
enabled = true
personal_channel_namespace = "user"

[http_api]
key = "api"

[channel.without_namespace]
allow_subscribe_for_client = true
presence = true

[[channel.namespaces]]
name = "user"
history_size = 10
history_ttl = "300s"
history_meta_ttl = "24h"
force_recovery = true
force_positioning = true
allow_user_limited_channels = true

[[channel.namespaces]]
name = "prices"
history_size = 1
history_ttl = 3600
force_recovery_mode = "cache"
allow_recovery = true
allow_positioning = true
allow_subscribe_for_client = true
allow_subscribe_for_anonymous = true
allow_publish_for_client = true
allow_publish_for_subscriber = true
allow_publish_for_anonymous = true
allow_presence_for_client = true
allow_presence_for_subscriber = true
allow_presence_for_anonymous = true
allow_history_for_client = true
allow_history_for_subscriber = true
allow_history_for_anonymous = true
join_leave = true
force_push_join_leave = true
allowed_delta_types = ["fossil"]
delta_publish = true
allow_tags_filter = true
channel_regex = "^[a-z]+$"
"""


def test_every_option_has_its_place() -> None:
    config = read_config(EVERYTHING)
    assert config.client.insecure
    assert config.client.anonymous
    assert config.client.allowed_origins == ("https://app.example", "https://other.example")
    assert (config.limits.ping_seconds, config.client.pong_timeout) == (90, 5)
    assert (config.client.channel_limit, config.client.recovery_max_publication_limit) == (64, 200)
    assert config.token_secret.reveal() == "secret"
    assert (config.audience, config.issuer) == ("us", "them")
    assert config.api_key.reveal() == "api"
    user = config.namespaces.of("user:1")
    assert (user.history_ttl, user.history_meta_ttl) == (300, 86_400)
    assert user.force_recovery
    assert config.namespaces.of("anything").presence
    assert config.namespaces.personal_channel("ada") == "user:#ada"
    assert config.namespaces.of("prices:kes").cache


def test_a_file_that_says_nothing_allows_nothing() -> None:
    config = read_config("")
    anywhere = config.namespaces.of("anything")
    allowed = [each for each in anywhere.__struct_fields__ if each.startswith(("allow", "force"))]
    named = {each for each in allowed if getattr(anywhere, each)}
    assert named == {"force_recovery_mode"}  # which way, not whether
    assert not anywhere.numbered
    assert not config.client.insecure
    assert not config.client.anonymous
    assert not config.token_secret
    assert not config.api_key
    assert config.namespaces.personal_channel("ada") is None
    assert config.client.recovery_max_publication_limit == 300


@pytest.mark.parametrize(
    ("toml", "fault"),
    [
        ("nonsense = 1", "nonsense is unknown"),
        ("[client]\ninsecur = true", "client.insecur is unknown"),
        ("[client.token]\nhmac = 1", "client.token.hmac is unknown"),
        ("[client]\ntoken = 1", "client.token must be a table"),
        ('[client]\ninsecure = "true"', "client.insecure: expected `bool`, got `str`"),
        ("[client]\nping_interval = true", "client.ping_interval: expected `int`, got `bool`"),
        ('[client]\nping_interval = "500ms"', "client.ping_interval: expected whole seconds"),
        ('[client]\nping_interval = ""', "client.ping_interval: expected whole seconds"),
        ("[http_api]\nkey = 5", "http_api.key: expected `str`, got `int`"),
        ("[channel]\nnamespaces = 5", "channel.namespaces: expected `array`"),
        ("[channel.without_namespace]\nname = 'x'", "channel.without_namespace.name is unknown"),
        ("[channel.without_namespace]\ndurable = true", "without_namespace.durable is unknown"),
        ("[[channel.namespaces]]", "channel.namespaces[0].name must be"),
        ("[[channel.namespaces]]\nname = 'a b'", "channel.namespaces[0].name must be"),
        ("[[channel.namespaces]]\nname = 'ab'\nhistory = 1", "namespaces[0].history is unknown"),
        ("[[channel.namespaces]]\nname = 'ab'\nhistory_size = -1", "history_size: expected `int`"),
        ("[[channel.namespaces]]\nname = 'ab'\nforce_recovery = true", "needs history_size"),
        ("[[channel.namespaces]]\nname = 'ab'\nchannel_regex = '('", "no regular expression"),
        (
            "[[channel.namespaces]]\nname = 'ab'\nhistory_meta_ttl = 1\nhistory_ttl = 2",
            "must not be shorter than history_ttl",
        ),
        (
            "[[channel.namespaces]]\nname = 'ab'\n[[channel.namespaces]]\nname = 'ab'",
            "channel.namespaces has ab more than once",
        ),
        (
            "[client.subscribe_to_user_personal_channel]\npersonal_channel_namespace = 'ab'",
            "names no namespace: ab",
        ),
        (
            "[[channel.namespaces]]\nname = 'ab'\nforce_recovery_mode = 'sometimes'",
            "channel.namespaces[0].force_recovery_mode: invalid enum value",
        ),
        ("= 1", "It is not TOML"),
    ],
)
def test_what_is_wrong_is_named(toml: str, fault: str) -> None:
    with pytest.raises(ConfigFault) as refused:
        read_config(toml)
    assert fault in refused.value.message


def test_all_faults_are_said_at_once_and_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    with pytest.raises(ConfigFault, match=r"gateway\.toml cannot be read"):
        load_config(path)
    path.write_text("a = 1\nb = 2\n[client]\nc = 3")
    with pytest.raises(ConfigFault) as refused:
        load_config(path)
    lines = refused.value.message.splitlines()
    assert lines[0] == f"{path} does not describe a gateway:"
    assert [each.split()[0] for each in lines[1:]] == ["client.c", "a", "b"]
