-- What leaves the gateway by itself: webhooks and mail.

CREATE TABLE hooks (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL REFERENCES tenants (id),
    name TEXT NOT NULL,
    url TEXT NOT NULL,
    -- JSON: the kinds of event that it hears of; none: all.
    kinds TEXT NOT NULL,
    -- As it is: messages are signed with it.
    secret TEXT NOT NULL,
    -- Signs beside the new one until then.
    old_secret TEXT,
    old_secret_until BIGINT,
    enabled BIGINT NOT NULL CHECK (enabled IN (0, 1)),
    disabled_reason TEXT,
    failing_since BIGINT,
    created_at BIGINT NOT NULL,
    CHECK ((old_secret IS NULL) = (old_secret_until IS NULL)),
    CHECK ((enabled = 0) = (disabled_reason IS NOT NULL))
);
CREATE INDEX hooks_of_tenant ON hooks (tenant);

-- Written with the record that it tells of, in its transaction; sent afterwards, until it was taken.
CREATE TABLE outbox (
    -- The order in which one webhook gets them.
    no BIGINT PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    -- To a webhook, or by mail to a person.
    hook TEXT REFERENCES hooks (id),
    person TEXT REFERENCES people (id),
    address TEXT,
    kind TEXT NOT NULL,
    subject TEXT,
    body TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    next_at BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'taken', 'failed')),
    -- What the receiver answered last, and what went wrong.
    status BIGINT,
    fault TEXT,
    ended_at BIGINT,
    CHECK ((hook IS NULL) = (address IS NOT NULL)),
    CHECK ((address IS NULL) = (subject IS NULL)),
    CHECK ((state = 'waiting') = (ended_at IS NULL))
);
CREATE INDEX outbox_of_hook ON outbox (hook, no);
CREATE INDEX outbox_waiting ON outbox (hook, no) WHERE state = 'waiting';
CREATE INDEX outbox_ended ON outbox (ended_at);
INSERT INTO counters (name, value) VALUES ('outbox', 0);

-- Records that people are to be told of by mail; who that is, is decided when the mail is written.
CREATE TABLE notices (
    record BIGINT PRIMARY KEY
);

-- What a person wants to be told of; without a row, what the program says.
CREATE TABLE notification_choices (
    person TEXT NOT NULL REFERENCES people (id),
    topic TEXT NOT NULL,
    wanted BIGINT NOT NULL CHECK (wanted IN (0, 1)),
    PRIMARY KEY (person, topic)
);
