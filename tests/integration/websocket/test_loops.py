"""The direct transport on the loop that production runs, and under TLS."""

import asyncio
import json
import ssl
from datetime import timedelta
from pathlib import Path
from typing import Any

import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from websockets.asyncio.client import connect

from hub.clock import SystemClock
from hub.database import Database
from hub.embedded import Addresses
from hub.redis_client import RedisClient, open_redis
from hub.settings import Settings


def certificate(folder: Path) -> tuple[Path, Path]:
    """A key and a certificate of its own for 127.0.0.1."""
    key, now = generate_private_key(SECP256R1()), SystemClock().now()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    keyfile, certfile = folder / "key.pem", folder / "cert.pem"
    keyfile.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    certfile.write_bytes(made.public_bytes(Encoding.PEM))
    return keyfile, certfile


async def converse(hub: Any, **more: Any) -> None:
    """Connect, get an event, be asked to come back."""
    socket = await connect(hub.url, proxy=None, **more)
    await socket.send(json.dumps({"id": 1, "connect": {"token": "ada"}}))
    assert "connect" in json.loads(await socket.recv())
    await hub.append("personal:#ada", {"event": "test.ticked", "n": 1})
    assert json.loads(await socket.recv())["push"]["pub"]["offset"] == 1
    hub.server.should_exit = True
    await socket.wait_closed()
    assert (socket.close_code, socket.close_reason) == (3001, "shutdown")


async def test_a_session_lives_under_uvloop(
    open_hub: Any, database_url: str, redis: RedisClient, servers: Addresses, settings: Settings
) -> None:
    async def scenario() -> None:
        async with (
            Database.open(database_url) as database,
            open_redis(servers.redis_url) as client,
            open_hub(database, client, settings, direct=True) as hub,
        ):
            await converse(hub)

    await asyncio.to_thread(uvloop.run, scenario())


async def test_a_session_lives_under_tls(
    open_hub: Any, database: Database, redis: RedisClient, settings: Settings, tmp_path: Path
) -> None:
    keyfile, certfile = certificate(tmp_path)
    trusted = ssl.create_default_context(cafile=str(certfile))
    trusted.check_hostname = False
    tls = {"ssl_keyfile": keyfile, "ssl_certfile": certfile}
    async with open_hub(database, redis, settings, direct=True, **tls) as hub:
        hub.url = hub.url.replace("ws://", "wss://")
        await converse(hub, ssl=trusted)
