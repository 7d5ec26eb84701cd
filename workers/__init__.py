"""Processes that carry on after a commit: they read their work from tables and may die at any time.

Modules are imported by name: the relay's process needs nothing of the worker's and back.
"""

__all__: list[str] = []
