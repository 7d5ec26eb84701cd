"""Keys for development: what a provider would hand out in its console."""

from secrets import token_hex

import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

__all__ = ["fresh_service_account", "service_account_at"]


def fresh_service_account(base_url: str, project_id: str = "bvester") -> str:
    """JSON of a new Google service account whose tokens come from ``{base_url}/token``."""
    pem = generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    account = {
        "type": "service_account",
        "project_id": project_id,
        "private_key_id": token_hex(20),
        "private_key": pem.decode(),
        "client_email": f"hub@{project_id}.iam.gserviceaccount.com",
        "client_id": str(int(token_hex(8), 16)),
        "token_uri": f"{base_url.rstrip('/')}/token",
    }
    return msgspec.json.encode(account).decode()


def service_account_at(base_url: str, account: str | None) -> str:
    """The account kept from an earlier start, its tokens now from ``base_url``; or a new one."""
    if account is None:
        return fresh_service_account(base_url)
    members = {**msgspec.json.decode(account), "token_uri": f"{base_url.rstrip('/')}/token"}
    return msgspec.json.encode(members).decode()
