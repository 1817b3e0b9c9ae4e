-- What a case tells people, its conversation, who turned which switch, and who asked for it.

-- The number of the change that last touched the case (see `changes`).
ALTER TABLE cases ADD COLUMN revision BIGINT NOT NULL DEFAULT 0;
ALTER TABLE cases ADD COLUMN description TEXT NOT NULL DEFAULT '';
ALTER TABLE cases ADD COLUMN severity TEXT CHECK (severity IN ('stopped', 'degraded', 'running'));
ALTER TABLE cases ADD COLUMN contact_phone TEXT;
ALTER TABLE cases ADD COLUMN contact_email TEXT;
-- The provider's own mark.
ALTER TABLE cases ADD COLUMN priority TEXT
    CHECK (priority IS NULL OR (provider IS NOT NULL AND priority IN ('low', 'normal', 'high', 'urgent')));
-- The number in an outside ticket system, and the company whose system it is.
ALTER TABLE cases ADD COLUMN external_id TEXT;
ALTER TABLE cases ADD COLUMN external_tenant TEXT REFERENCES tenants (id);
CREATE UNIQUE INDEX cases_by_external_id ON cases (external_tenant, external_id);

-- Which type, and whose case about what, is said once (domain.md B.5).
CREATE TRIGGER cases_keep_their_parties
BEFORE UPDATE OF id, type, operator, provider, asset, machine ON cases
WHEN NEW.id <> OLD.id OR NEW.type <> OLD.type OR NEW.operator IS NOT OLD.operator
    OR NEW.provider IS NOT OLD.provider OR NEW.asset IS NOT OLD.asset
    OR NEW.machine IS NOT OLD.machine
BEGIN
    SELECT RAISE(ABORT, 'a case keeps its type and its parties');
END;

-- The last turn of each switch.
CREATE TABLE switch_turns (
    kind TEXT NOT NULL CHECK (kind IN ('case', 'asset')),
    id TEXT NOT NULL,
    turned_on BIGINT NOT NULL CHECK (turned_on IN (0, 1)),
    -- NULL: nobody, its time was up.
    person TEXT REFERENCES people (id),
    at BIGINT NOT NULL,
    reason TEXT,
    PRIMARY KEY (kind, id)
);

-- Switches that end by themselves.
CREATE INDEX cases_that_switch_off ON cases (switch_until) WHERE switch_until IS NOT NULL;
CREATE INDEX assets_that_switch_off ON assets (switch_until) WHERE switch_until IS NOT NULL;

-- What was said stays said.
CREATE TABLE messages (
    case_id TEXT NOT NULL REFERENCES cases (id),
    -- Counted within the case.
    number BIGINT NOT NULL CHECK (number > 0),
    author TEXT NOT NULL REFERENCES people (id),
    at BIGINT NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (case_id, number)
);
CREATE TRIGGER messages_stay BEFORE UPDATE ON messages
BEGIN
    SELECT RAISE(ABORT, 'what was said stays said');
END;

CREATE TABLE mentions (
    case_id TEXT NOT NULL,
    number BIGINT NOT NULL,
    person TEXT NOT NULL REFERENCES people (id),
    PRIMARY KEY (case_id, number, person),
    FOREIGN KEY (case_id, number) REFERENCES messages (case_id, number)
);
CREATE INDEX mentions_of_person ON mentions (person);

-- Wishes that a case's switch be turned on.
CREATE TABLE access_requests (
    id TEXT PRIMARY KEY,
    case_id TEXT NOT NULL REFERENCES cases (id),
    person TEXT NOT NULL REFERENCES people (id),
    tenant TEXT NOT NULL REFERENCES tenants (id),
    reason TEXT NOT NULL,
    -- For how long; NULL: until somebody turns it off.
    seconds BIGINT CHECK (seconds > 0),
    asked_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'granted', 'declined', 'withdrawn', 'lapsed')),
    answered_by TEXT REFERENCES people (id),
    answered_at BIGINT,
    answer TEXT,
    CHECK ((state = 'open') = (answered_at IS NULL))
);
CREATE INDEX access_requests_of_case ON access_requests (case_id, id);
CREATE UNIQUE INDEX one_open_request ON access_requests (case_id, person) WHERE state = 'open';
CREATE INDEX open_requests_by_expiry ON access_requests (expires_at) WHERE state = 'open';
