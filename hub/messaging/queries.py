"""SQL of conversations and messages."""

__all__ = [
    "ADD_MEMBER",
    "CONVERSATION",
    "CONVERSATIONS_OF",
    "INSERT_CONVERSATION",
    "INSERT_MESSAGE",
    "IS_MEMBER",
    "LOCK",
    "MEMBERS",
    "MESSAGES",
    "MOVE_READ",
    "NOTE_LAST",
    "ONE",
    "ONE_PER_BUSINESS",
    "REPLY_TARGET",
]

INSERT_CONVERSATION = """
INSERT INTO conversations (id, business_id, started_by, subject_sealed, wrapped_key, started_at)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (business_id, started_by) WHERE business_id IS NOT NULL DO NOTHING RETURNING id
"""
ONE_PER_BUSINESS = "SELECT id FROM conversations WHERE business_id = $1 AND started_by = $2"
ADD_MEMBER = "INSERT INTO conversation_members (conversation_id, person_id) VALUES ($1, $2)"

_SEEN_BY = """
SELECT c.id, c.business_id, c.subject_sealed, c.wrapped_key, c.last_message_at, (
    SELECT count(*) FROM messages m
    WHERE m.conversation_id = c.id AND m.sender_id <> me.person_id
    AND (me.read_up_to IS NULL OR m.id > me.read_up_to)
) AS unread
FROM conversation_members me JOIN conversations c ON c.id = me.conversation_id
"""
CONVERSATION = f"{_SEEN_BY} WHERE me.person_id = $1 AND c.id = $2"
CONVERSATIONS_OF = f"""{_SEEN_BY} WHERE me.person_id = $1
ORDER BY coalesce(c.last_message_at, c.started_at) DESC, c.id DESC LIMIT $2
"""
MEMBERS = """
SELECT conversation_id, person_id FROM conversation_members
WHERE conversation_id = ANY($1) ORDER BY conversation_id, person_id
"""
IS_MEMBER = """
SELECT true FROM conversation_members WHERE conversation_id = $1 AND person_id = $2
"""

# Locks the conversation, if the person is a member of it: messages get their ids one by one.
LOCK = """
SELECT c.wrapped_key, c.last_message_id FROM conversations c
JOIN conversation_members me ON me.conversation_id = c.id AND me.person_id = $2
WHERE c.id = $1 FOR UPDATE OF c
"""
INSERT_MESSAGE = """
INSERT INTO messages (id, conversation_id, sender_id, text_sealed, sent_via, sent_at)
VALUES ($1, $2, $3, $4, $5, $6)
"""
NOTE_LAST = "UPDATE conversations SET last_message_id = $2, last_message_at = $3 WHERE id = $1"
MESSAGES = """
SELECT m.id, m.conversation_id, m.sender_id, m.text_sealed, m.sent_via, m.sent_at, c.wrapped_key
FROM messages m JOIN conversations c ON c.id = m.conversation_id
WHERE m.conversation_id = $1 AND ($2::uuid IS NULL OR m.id < $2) ORDER BY m.id DESC LIMIT $3
"""
ONE = """
SELECT m.id, m.conversation_id, m.sender_id, m.text_sealed, m.sent_via, m.sent_at, c.wrapped_key
FROM messages m JOIN conversations c ON c.id = m.conversation_id WHERE m.id = $1
"""

# Moves forward only, to the newest message of somebody else up to $3 (NULL: the newest of all).
MOVE_READ = """
UPDATE conversation_members me SET read_up_to = upto.id
FROM (
    SELECT id FROM messages
    WHERE conversation_id = $1 AND sender_id <> $2 AND ($3::uuid IS NULL OR id <= $3)
    ORDER BY id DESC LIMIT 1
) AS upto
WHERE me.conversation_id = $1 AND me.person_id = $2
AND (me.read_up_to IS NULL OR me.read_up_to < upto.id) RETURNING me.read_up_to
"""
REPLY_TARGET = """
SELECT me.conversation_id FROM conversation_members me JOIN LATERAL (
    SELECT id, sent_at FROM messages
    WHERE conversation_id = me.conversation_id AND sender_id <> $1 ORDER BY id DESC LIMIT 1
) AS last ON true
WHERE me.person_id = $1 ORDER BY last.sent_at DESC, last.id DESC LIMIT 1
"""
