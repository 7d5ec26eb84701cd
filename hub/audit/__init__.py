"""The audit log: every event that commits, in one hash chain per shard.

``chain`` says how a link is computed and extends the chains within the relay's numbering
transaction (one writer per shard, so the chain is no hot row in money transactions). ``verify``
walks them again and names the first row that does not fit.
"""

from hub.audit.chain import Record, extend, link
from hub.audit.verify import ChainReport, verify_chains

__all__ = ["ChainReport", "Record", "extend", "link", "verify_chains"]
