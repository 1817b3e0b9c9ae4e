-- Every id is text, every time milliseconds since 1970, every flag 0 or 1: SQLite and PostgreSQL
-- both run this.

CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE counters (
    name TEXT PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO counters (name, value) VALUES ('revision', 0), ('case', 0);

CREATE TABLE tenants (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    active BIGINT NOT NULL CHECK (active IN (0, 1))
);

CREATE TABLE tenant_roles (
    tenant TEXT NOT NULL REFERENCES tenants (id),
    role TEXT NOT NULL,
    PRIMARY KEY (tenant, role)
);

CREATE TABLE people (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL REFERENCES tenants (id),
    -- In lower case.
    email TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    active BIGINT NOT NULL CHECK (active IN (0, 1)),
    -- argon2id, PHC text.
    password_hash TEXT
);
CREATE INDEX people_of_tenant ON people (tenant);

CREATE TABLE assignments (
    id TEXT PRIMARY KEY,
    person TEXT NOT NULL REFERENCES people (id),
    role TEXT NOT NULL,
    scope TEXT NOT NULL CHECK (scope IN ('whole', 'facilities', 'customers'))
);
CREATE INDEX assignments_of_person ON assignments (person);

-- The facilities or customers that an assignment covers.
CREATE TABLE assignment_objects (
    assignment TEXT NOT NULL REFERENCES assignments (id),
    object TEXT NOT NULL,
    PRIMARY KEY (assignment, object)
);

CREATE TABLE devices (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL REFERENCES tenants (id),
    name TEXT NOT NULL,
    -- Digest of its public key: its identity.
    key_digest TEXT UNIQUE,
    active BIGINT NOT NULL CHECK (active IN (0, 1))
);
CREATE INDEX devices_of_owner ON devices (owner);

CREATE TABLE assets (
    id TEXT PRIMARY KEY,
    operator TEXT NOT NULL REFERENCES tenants (id),
    name TEXT NOT NULL,
    serial TEXT NOT NULL,
    facility TEXT,
    active BIGINT NOT NULL CHECK (active IN (0, 1)),
    switch_on BIGINT NOT NULL CHECK (switch_on IN (0, 1)),
    switch_until BIGINT,
    -- The paired edge device.
    device TEXT REFERENCES devices (id),
    CHECK (switch_on = 1 OR switch_until IS NULL)
);
CREATE INDEX assets_of_operator ON assets (operator);
CREATE INDEX assets_of_device ON assets (device);

CREATE TABLE machines (
    id TEXT PRIMARY KEY,
    provider TEXT NOT NULL REFERENCES tenants (id),
    customer TEXT NOT NULL,
    serial TEXT NOT NULL,
    link TEXT NOT NULL CHECK (link IN ('new', 'proposed', 'linked')),
    asset TEXT REFERENCES assets (id),
    CHECK ((link = 'new') = (asset IS NULL))
);
CREATE INDEX machines_of_provider ON machines (provider);
CREATE INDEX machines_of_asset ON machines (asset);

CREATE TABLE tunnels (
    id TEXT PRIMARY KEY,
    asset TEXT NOT NULL REFERENCES assets (id),
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    mode TEXT NOT NULL,
    -- JSON: what the targets are is for the program alone.
    targets TEXT NOT NULL,
    enabled BIGINT NOT NULL CHECK (enabled IN (0, 1)),
    UNIQUE (asset, name)
);

-- A provider-internal case has no operator, who alone could consent: it has no switch either. No
-- statement, of whatever program, can turn one on.
CREATE TABLE cases (
    id TEXT PRIMARY KEY,
    number BIGINT NOT NULL UNIQUE,
    title TEXT NOT NULL,
    type TEXT NOT NULL CHECK (type IN ('shared', 'operator_internal', 'provider_internal')),
    operator TEXT REFERENCES tenants (id),
    provider TEXT REFERENCES tenants (id),
    asset TEXT REFERENCES assets (id),
    machine TEXT REFERENCES machines (id),
    state TEXT NOT NULL CHECK (state IN ('new', 'in_progress', 'closed')),
    switch_on BIGINT CHECK (switch_on IN (0, 1)),
    switch_until BIGINT,
    created_by TEXT NOT NULL REFERENCES people (id),
    assignee TEXT REFERENCES people (id),
    created_at BIGINT NOT NULL,
    closed_at BIGINT,
    CHECK ((type = 'provider_internal') = (switch_on IS NULL)),
    CHECK ((type = 'provider_internal') = (operator IS NULL)),
    CHECK ((type = 'provider_internal') = (asset IS NULL)),
    CHECK ((type = 'provider_internal') = (machine IS NOT NULL)),
    CHECK ((type = 'operator_internal') = (provider IS NULL)),
    CHECK (switch_until IS NULL OR (switch_on IS NOT NULL AND switch_on = 1)),
    CHECK (state <> 'closed' OR switch_on IS NULL OR switch_on = 0),
    CHECK ((state = 'closed') = (closed_at IS NOT NULL))
);
CREATE INDEX cases_of_operator ON cases (operator, number);
CREATE INDEX cases_of_provider ON cases (provider, number);

-- What was granted, as it was then: tunnels may be deleted later.
CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    gateway TEXT NOT NULL,
    person TEXT NOT NULL REFERENCES people (id),
    tenant TEXT NOT NULL REFERENCES tenants (id),
    key_digest TEXT NOT NULL,
    source_ip TEXT,
    -- NULL: granted by the asset's own switch.
    case_id TEXT REFERENCES cases (id),
    asset TEXT NOT NULL REFERENCES assets (id),
    device TEXT NOT NULL REFERENCES devices (id),
    tunnel TEXT NOT NULL,
    tunnel_name TEXT NOT NULL,
    door TEXT NOT NULL,
    want TEXT NOT NULL,
    reason TEXT,
    side TEXT,
    role TEXT,
    requested_at BIGINT NOT NULL,
    started_at BIGINT,
    ended_at BIGINT,
    cause TEXT,
    bytes_up BIGINT NOT NULL,
    bytes_down BIGINT NOT NULL,
    CHECK ((ended_at IS NULL) = (cause IS NULL))
);
CREATE INDEX live_sessions_of_person ON sessions (person) WHERE ended_at IS NULL;
CREATE INDEX live_sessions_of_device ON sessions (device) WHERE ended_at IS NULL;
CREATE INDEX sessions_of_person ON sessions (person, id);
CREATE INDEX sessions_of_case ON sessions (case_id, id);
CREATE INDEX sessions_of_asset ON sessions (asset, id);

-- Digests of bearer tokens; the tokens themselves are nowhere.
CREATE TABLE tokens (
    digest TEXT PRIMARY KEY,
    person TEXT NOT NULL REFERENCES people (id),
    expires BIGINT NOT NULL
);
CREATE INDEX tokens_by_expiry ON tokens (expires);

-- Keys that people's programs had certified.
CREATE TABLE person_keys (
    digest TEXT PRIMARY KEY,
    person TEXT NOT NULL REFERENCES people (id),
    expires BIGINT NOT NULL
);
CREATE INDEX person_keys_by_expiry ON person_keys (expires);

-- Digests of one-time enrolment tokens.
CREATE TABLE enrolments (
    digest TEXT PRIMARY KEY,
    device TEXT NOT NULL REFERENCES devices (id),
    expires BIGINT NOT NULL,
    used_at BIGINT
);
CREATE INDEX enrolments_of_device ON enrolments (device);

CREATE TABLE records (
    seq BIGINT PRIMARY KEY,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    actor_name TEXT NOT NULL,
    tenant TEXT,
    role TEXT,
    event TEXT NOT NULL,
    object TEXT,
    case_id TEXT,
    asset TEXT,
    done BIGINT NOT NULL,
    reason TEXT,
    old_value TEXT,
    new_value TEXT,
    source_ip TEXT,
    session TEXT,
    previous TEXT NOT NULL,
    hash TEXT NOT NULL
);
CREATE INDEX records_of_case ON records (case_id, seq);
CREATE INDEX records_of_session ON records (session, seq);

-- The newest record, kept apart: a tail that was cut off is missed.
CREATE TABLE audit_head (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    seq BIGINT NOT NULL,
    hash TEXT NOT NULL
);

CREATE TABLE changes (
    revision BIGINT NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    PRIMARY KEY (revision, kind, id)
);
