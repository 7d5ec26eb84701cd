-- Conversations. Texts and subjects are sealed with the conversation's own key; only ids and times
-- stand in plain.

CREATE TABLE conversations (
    id              uuid PRIMARY KEY,
    business_id     uuid REFERENCES businesses (id),   -- the business that is talked to, if any
    started_by      uuid NOT NULL REFERENCES people (id),
    subject_sealed  bytea NOT NULL,
    wrapped_key     bytea NOT NULL,
    started_at      timestamptz NOT NULL,
    last_message_id uuid,                              -- ids ascend within a conversation
    last_message_at timestamptz,
    CHECK ((last_message_id IS NULL) = (last_message_at IS NULL))
);
CREATE UNIQUE INDEX conversations_one_per_business ON conversations (business_id, started_by)
    WHERE business_id IS NOT NULL;

CREATE TABLE conversation_members (
    conversation_id uuid NOT NULL REFERENCES conversations (id),
    person_id       uuid NOT NULL REFERENCES people (id),
    read_up_to      uuid,                              -- the last message this member has read
    PRIMARY KEY (conversation_id, person_id)
);
CREATE INDEX conversation_members_person ON conversation_members (person_id);

CREATE TABLE messages (
    id              uuid PRIMARY KEY,
    conversation_id uuid NOT NULL,
    sender_id       uuid NOT NULL,
    text_sealed     bytea NOT NULL,
    sent_via        text NOT NULL CHECK (sent_via IN ('app', 'sms', 'ussd')),
    sent_at         timestamptz NOT NULL,
    FOREIGN KEY (conversation_id, sender_id) REFERENCES conversation_members (conversation_id, person_id)
);
CREATE INDEX messages_of_conversation ON messages (conversation_id, id);
