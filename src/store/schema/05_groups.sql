-- Resource groups, who takes part in single cases, workspaces, organisations: all of it widens who
-- reads and comments on a case within its parties, and nothing else.

CREATE TABLE resource_groups (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL REFERENCES tenants (id),
    name TEXT NOT NULL,
    parent TEXT REFERENCES resource_groups (id) CHECK (parent <> id),
    -- JSON: hours, escalation, stopwatch and the like are for the program alone.
    settings TEXT NOT NULL,
    UNIQUE (tenant, name)
);
CREATE INDEX groups_under ON resource_groups (parent);

CREATE TABLE group_members (
    grp TEXT NOT NULL REFERENCES resource_groups (id),
    person TEXT NOT NULL REFERENCES people (id),
    access TEXT NOT NULL CHECK (access IN ('read', 'write')),
    PRIMARY KEY (grp, person)
);
CREATE INDEX groups_of_person ON group_members (person);
CREATE TRIGGER members_are_colleagues BEFORE INSERT ON group_members
WHEN (SELECT tenant FROM people WHERE id = NEW.person)
    IS NOT (SELECT tenant FROM resource_groups WHERE id = NEW.grp)
BEGIN
    SELECT RAISE(ABORT, 'a member of a group is of its company');
END;

CREATE TABLE group_duties (
    person TEXT NOT NULL REFERENCES people (id),
    duty TEXT NOT NULL CHECK (duty IN ('dispatch', 'read_all', 'edit_all')),
    PRIMARY KEY (person, duty)
);

-- The group that a case is in, for each of its parties.
CREATE TABLE case_places (
    case_id TEXT NOT NULL REFERENCES cases (id),
    tenant TEXT NOT NULL REFERENCES tenants (id),
    grp TEXT NOT NULL REFERENCES resource_groups (id),
    since BIGINT NOT NULL,
    -- When it moves on, if nobody takes it up before.
    due BIGINT,
    PRIMARY KEY (case_id, tenant)
);
CREATE INDEX places_of_group ON case_places (grp, case_id);
CREATE INDEX places_that_move_on ON case_places (due) WHERE due IS NOT NULL;
CREATE TRIGGER places_are_of_a_party BEFORE INSERT ON case_places
WHEN NEW.tenant IS NOT (SELECT tenant FROM resource_groups WHERE id = NEW.grp)
    OR NOT EXISTS (SELECT 1 FROM cases c WHERE c.id = NEW.case_id
                   AND (c.operator = NEW.tenant OR c.provider = NEW.tenant))
BEGIN
    SELECT RAISE(ABORT, 'a case is in a group of one of its parties');
END;
-- Taken up once, its clock stands until it is put somewhere anew, whatever happens to it.
CREATE TRIGGER cases_are_taken_up AFTER UPDATE OF state ON cases
WHEN NEW.state <> 'new'
BEGIN
    UPDATE case_places SET due = NULL WHERE case_id = NEW.id AND due IS NOT NULL;
END;

-- Time spent in sessions: logged, or waiting for its person's answer.
CREATE TABLE efforts (
    session TEXT PRIMARY KEY REFERENCES sessions (id),
    case_id TEXT NOT NULL REFERENCES cases (id),
    person TEXT NOT NULL REFERENCES people (id),
    tenant TEXT NOT NULL REFERENCES tenants (id),
    started_at BIGINT NOT NULL,
    ended_at BIGINT NOT NULL CHECK (ended_at >= started_at),
    logged BIGINT NOT NULL CHECK (logged IN (0, 1))
);
CREATE INDEX efforts_of_case ON efforts (case_id, started_at);

CREATE TABLE workspaces (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL REFERENCES tenants (id),
    name TEXT NOT NULL,
    UNIQUE (tenant, name)
);

CREATE TABLE workspace_members (
    workspace TEXT NOT NULL REFERENCES workspaces (id),
    person TEXT NOT NULL REFERENCES people (id),
    user_type TEXT NOT NULL
        CHECK (user_type IN ('administrator', 'manager', 'staff', 'user', 'bot')),
    -- JSON: rights taken from a manager.
    revoked TEXT NOT NULL,
    PRIMARY KEY (workspace, person)
);
CREATE UNIQUE INDEX one_administrator ON workspace_members (workspace)
    WHERE user_type = 'administrator';
CREATE INDEX workspaces_of_person ON workspace_members (person);
CREATE TRIGGER administrators_stay BEFORE UPDATE ON workspace_members
WHEN OLD.user_type = 'administrator' OR NEW.user_type = 'administrator'
BEGIN
    SELECT RAISE(ABORT, 'the Administrator of a workspace stays');
END;
CREATE TRIGGER administrators_are_not_removed BEFORE DELETE ON workspace_members
WHEN OLD.user_type = 'administrator'
BEGIN
    SELECT RAISE(ABORT, 'the Administrator of a workspace stays');
END;

-- For each party, a case is in one workspace at most.
CREATE TABLE workspace_cases (
    case_id TEXT NOT NULL REFERENCES cases (id),
    tenant TEXT NOT NULL REFERENCES tenants (id),
    workspace TEXT NOT NULL REFERENCES workspaces (id),
    PRIMARY KEY (case_id, tenant)
);
CREATE INDEX cases_of_workspace ON workspace_cases (workspace, case_id);

-- Case roles beside staff, client and bot.
CREATE TABLE case_roles (
    id TEXT PRIMARY KEY CHECK (id NOT IN ('staff', 'client', 'bot')),
    workspace TEXT NOT NULL REFERENCES workspaces (id),
    name TEXT NOT NULL,
    -- JSON: the rights that are ticked.
    rights TEXT NOT NULL,
    UNIQUE (workspace, name)
);

-- Who takes part in a case, and as what.
CREATE TABLE case_participants (
    case_id TEXT NOT NULL REFERENCES cases (id),
    person TEXT NOT NULL REFERENCES people (id),
    -- staff, client, bot, or a case role.
    role TEXT NOT NULL,
    PRIMARY KEY (case_id, person)
);
CREATE INDEX cases_of_participant ON case_participants (person, case_id);
CREATE TRIGGER participants_are_of_a_party BEFORE INSERT ON case_participants
WHEN NOT EXISTS (SELECT 1 FROM cases c JOIN people p ON p.id = NEW.person
                 WHERE c.id = NEW.case_id AND (c.operator = p.tenant OR c.provider = p.tenant))
BEGIN
    SELECT RAISE(ABORT, 'who takes part in a case is of one of its parties');
END;

CREATE TABLE organisations (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL REFERENCES tenants (id),
    name TEXT NOT NULL,
    setting TEXT NOT NULL CHECK (setting IN ('own_only', 'view', 'comment')),
    -- A professional partner, which gives first-line support for others.
    partner BIGINT NOT NULL CHECK (partner IN (0, 1)),
    -- A client of a managed service.
    managed BIGINT NOT NULL CHECK (managed IN (0, 1)),
    -- It has agreed that its partners see all of its cases; they do.
    agreed BIGINT NOT NULL CHECK (agreed IN (0, 1)),
    wide BIGINT NOT NULL CHECK (wide IN (0, 1)),
    -- The change that last set it.
    change BIGINT,
    UNIQUE (tenant, name),
    CHECK (wide = 0 OR agreed = 1)
);

CREATE TABLE organisation_domains (
    organisation TEXT NOT NULL REFERENCES organisations (id),
    domain TEXT NOT NULL,
    PRIMARY KEY (organisation, domain)
);
CREATE INDEX organisations_by_domain ON organisation_domains (domain);

CREATE TABLE organisation_members (
    organisation TEXT NOT NULL REFERENCES organisations (id),
    person TEXT NOT NULL REFERENCES people (id),
    sees TEXT NOT NULL CHECK (sees IN ('own_only', 'organisation')),
    PRIMARY KEY (organisation, person)
);
CREATE INDEX organisations_of_person ON organisation_members (person);
-- Whoever writes a person: they belong by the whole domain of their address, as it is then. A
-- domain that is added later makes nobody a member who was there before.
CREATE TRIGGER people_belong_by_domain AFTER INSERT ON people
BEGIN
    INSERT INTO organisation_members (organisation, person, sees)
    SELECT o.id, NEW.id, 'own_only'
    FROM organisation_domains d JOIN organisations o ON o.id = d.organisation
    WHERE o.tenant = NEW.tenant AND d.domain = SUBSTR(NEW.email, INSTR(NEW.email, '@') + 1);
END;

CREATE TABLE organisation_approvers (
    organisation TEXT NOT NULL REFERENCES organisations (id),
    person TEXT NOT NULL REFERENCES people (id),
    PRIMARY KEY (organisation, person)
);

-- Every change of what an organisation's people see, for good: who asked, when, from what to what.
CREATE TABLE organisation_changes (
    id BIGINT PRIMARY KEY,
    organisation TEXT NOT NULL REFERENCES organisations (id),
    person TEXT NOT NULL REFERENCES people (id),
    at BIGINT NOT NULL,
    what TEXT NOT NULL,
    old_value TEXT NOT NULL,
    new_value TEXT NOT NULL
);
CREATE INDEX changes_of_organisation ON organisation_changes (organisation, id);
CREATE TRIGGER changes_stay_as_written BEFORE UPDATE ON organisation_changes
BEGIN
    SELECT RAISE(ABORT, 'a change that was recorded stays as it was');
END;
CREATE TRIGGER changes_stay BEFORE DELETE ON organisation_changes
BEGIN
    SELECT RAISE(ABORT, 'a change that was recorded stays');
END;
-- No setting changes, by whatever program, without such a record.
CREATE TRIGGER settings_change_on_record BEFORE UPDATE OF setting, partner, managed, agreed, wide
ON organisations
WHEN (NEW.setting <> OLD.setting OR NEW.agreed <> OLD.agreed OR NEW.wide <> OLD.wide
      OR NEW.managed <> OLD.managed OR NEW.partner <> OLD.partner)
    AND (NEW.change IS OLD.change
         OR NOT EXISTS (SELECT 1 FROM organisation_changes h
                        WHERE h.id = NEW.change AND h.organisation = NEW.id))
BEGIN
    SELECT RAISE(ABORT, 'a setting changes with a record of it');
END;

-- The organisation that a case was raised for, for each of its parties.
CREATE TABLE case_organisations (
    case_id TEXT NOT NULL REFERENCES cases (id),
    tenant TEXT NOT NULL REFERENCES tenants (id),
    organisation TEXT NOT NULL REFERENCES organisations (id),
    PRIMARY KEY (case_id, tenant)
);
CREATE INDEX cases_of_organisation ON case_organisations (organisation, case_id);

-- The copy list of a case.
CREATE TABLE case_copies (
    case_id TEXT NOT NULL REFERENCES cases (id),
    person TEXT NOT NULL REFERENCES people (id),
    -- Put there by who raised the case.
    by_requester BIGINT NOT NULL CHECK (by_requester IN (0, 1)),
    PRIMARY KEY (case_id, person)
);
CREATE INDEX copies_of_person ON case_copies (person, case_id);
CREATE TRIGGER copies_are_of_a_party BEFORE INSERT ON case_copies
WHEN NOT EXISTS (SELECT 1 FROM cases c JOIN people p ON p.id = NEW.person
                 WHERE c.id = NEW.case_id AND (c.operator = p.tenant OR c.provider = p.tenant))
BEGIN
    SELECT RAISE(ABORT, 'who is on a copy list is of one of the parties');
END;
