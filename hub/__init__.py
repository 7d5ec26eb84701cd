"""Bvester Hub: the live nervous system and transaction core of Bvester.

The hub decides, channels reach people, workers carry on afterwards. A committed transaction in
PostgreSQL is the only truth; Redis, sockets, push and SMS are ways of telling people about it.
"""

__version__ = "0.1.0"
