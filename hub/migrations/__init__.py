"""Forward-only migrations: plain SQL files, each applied once in its own transaction.

An advisory lock lets any number of processes start at once. Every applied file is remembered with
its checksum; a file that changed after it was applied stops the start, because the schema it
describes is no longer the one in the database.
"""

from hashlib import sha256
from importlib.resources import files

from hub.database import Connection, Database
from hub.errors import HubError

__all__ = ["MigrationChanged", "migrate", "pending"]

_LOCK = 0x6276_6573_7465_72
_LEDGER = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    name text PRIMARY KEY, checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now())
"""


class MigrationChanged(HubError):
    """A migration file differs from what was applied under its name."""

    kind = "migration_changed"


def _files() -> list[tuple[str, str]]:
    folder = files(__package__)
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [(name, (folder / name).read_text("utf-8")) for name in names]


async def pending(connection: Connection) -> list[tuple[str, str]]:
    """Names and texts not yet applied, in order. Raises ``MigrationChanged``."""
    await connection.execute(_LEDGER)
    rows = await connection.fetch("SELECT name, checksum FROM schema_migrations")
    applied = {row["name"]: row["checksum"] for row in rows}
    waiting = []
    for name, text in _files():
        if name not in applied:
            waiting.append((name, text))
        elif applied[name] != sha256(text.encode()).hexdigest():
            raise MigrationChanged(
                f"{name} was changed after it had been applied to this database. Put it back as"
                " it was, or (in development) start with a fresh HUB_DATA_DIR.",
                name=name,
            )
    return waiting


async def migrate(database: Database) -> list[str]:
    """Applies what is pending and returns the names of it."""
    async with database.connection() as connection:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        try:
            done = []
            for name, text in await pending(connection):
                async with connection.transaction():
                    await connection.execute("SET LOCAL statement_timeout = 0")
                    await connection.execute(text)
                    await connection.execute(
                        "INSERT INTO schema_migrations (name, checksum) VALUES ($1, $2)",
                        name,
                        sha256(text.encode()).hexdigest(),
                    )
                done.append(name)
            return done
        finally:
            await connection.execute("SELECT pg_advisory_unlock($1)", _LOCK)
