"""What ``hub up`` writes down for its processes."""

import json
from pathlib import Path

import pytest

from hub.settings import SettingsFault
from hub.up import development_environment


def test_keys_stay_and_push_follows_the_sandbox_to_another_port(tmp_path: Path) -> None:
    first = development_environment({"HUB_PORT": "8000"}, tmp_path, None)
    second = development_environment({"HUB_PORT": "9000"}, tmp_path, None)
    assert first["HUB_MASTER_KEY"] == second["HUB_MASTER_KEY"]
    was, now = (json.loads(each["HUB_FCM_SERVICE_ACCOUNT"]) for each in (first, second))
    assert was["token_uri"] == "http://127.0.0.1:8001/token"
    assert now == {**was, "token_uri": "http://127.0.0.1:9001/token"}
    assert (tmp_path / "development.env").stat().st_mode & 0o077 == 0


def test_a_port_that_is_none_is_said_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SettingsFault, match="HUB_PORT must be a port number"):
        development_environment({"HUB_PORT": "abc"}, tmp_path, None)
