"""What the sandbox remembers: one SQLite file, written before anything is answered.

A statement commits by itself; WAL without a flush per commit survives any crash of the process,
which is all a stand-in promises. Statements take microseconds and run on the event loop, where
only one runs at a time, so there is nothing to lock.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["Row", "Store"]

Row = sqlite3.Row

_SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    msisdn TEXT NOT NULL,
    direction TEXT NOT NULL CHECK (direction IN ('in', 'out')),
    peer TEXT NOT NULL,
    text TEXT NOT NULL,
    at INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS messages_of_phone ON messages (msisdn, seq);
CREATE TABLE IF NOT EXISTS opted_out (msisdn TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS ussd_sessions (
    id TEXT PRIMARY KEY,
    msisdn TEXT NOT NULL,
    service_code TEXT NOT NULL,
    path TEXT NOT NULL,
    hops INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    last_response TEXT NOT NULL,
    status TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS pushes (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL,
    target TEXT NOT NULL,
    message TEXT NOT NULL,
    at INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS pushes_of_target ON pushes (target, seq);
CREATE TABLE IF NOT EXISTS access_tokens (
    token TEXT PRIMARY KEY,
    scope TEXT NOT NULL,
    expires_at INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS customers (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    email TEXT NOT NULL UNIQUE,
    code TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS transactions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    reference TEXT NOT NULL UNIQUE,
    access_code TEXT NOT NULL UNIQUE,
    customer_id INTEGER NOT NULL REFERENCES customers (id),
    requested_amount INTEGER NOT NULL,
    amount INTEGER NOT NULL,
    currency TEXT NOT NULL,
    channels TEXT NOT NULL,
    callback_url TEXT,
    metadata TEXT NOT NULL,
    status TEXT NOT NULL,
    channel TEXT NOT NULL,
    gateway_response TEXT NOT NULL,
    fees INTEGER,
    created_at INTEGER NOT NULL,
    opened_at INTEGER,
    paid_at INTEGER
);
CREATE TABLE IF NOT EXISTS calls (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    what TEXT NOT NULL,
    path TEXT NOT NULL,
    headers TEXT NOT NULL,
    body BLOB NOT NULL,
    due_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    insists INTEGER NOT NULL,
    problem TEXT NOT NULL DEFAULT '',
    given_up INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS calls_due ON calls (due_at) WHERE given_up = 0;
CREATE TABLE IF NOT EXISTS behaviours (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    provider TEXT NOT NULL,
    what TEXT NOT NULL,
    times INTEGER,
    match TEXT,
    value INTEGER
);
"""


class Store:
    """A SQLite file, opened for one process."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute("PRAGMA busy_timeout = 5000")
        self._connection.executescript(_SCHEMA)

    def close(self) -> None:
        self._connection.close()

    def run(self, sql: str, *values: Any) -> int:
        """Executes one statement; returns the row id of an insert, else the rows changed."""
        cursor = self._connection.execute(sql, values)
        return cursor.lastrowid or 0 if sql.startswith("INSERT") else cursor.rowcount

    def one(self, sql: str, *values: Any) -> Row | None:
        row: Row | None = self._connection.execute(sql, values).fetchone()
        return row

    def all(self, sql: str, *values: Any) -> list[Row]:
        return self._connection.execute(sql, values).fetchall()

    @contextmanager
    def together(self) -> Iterator[None]:
        """The statements of the block commit together or not at all; never await inside."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")
