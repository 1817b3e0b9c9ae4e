-- Who may what, beyond the predefined roles: roles of a company's own, customers in their service
-- organisations, invitations, tokens for programs, and what a company set for itself.

-- CON-2: whether "Operator - internal Service Cases" turns switches. CON-3: the third provider role
-- that reads cases.
ALTER TABLE tenants ADD COLUMN internal_service_switches BIGINT NOT NULL DEFAULT 1
    CHECK (internal_service_switches IN (0, 1));
ALTER TABLE tenants ADD COLUMN case_reader TEXT NOT NULL DEFAULT 'customer_data_manager'
    CHECK (case_reader IN ('customer_data_manager', 'master_data_manager', 'nobody'));

-- Deleted people keep their row: cases, sessions and records speak of them.
ALTER TABLE people ADD COLUMN deleted_at BIGINT;

-- A role that one company made. What it holds beyond the company's tenant roles gives nothing.
CREATE TABLE individual_roles (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL REFERENCES tenants (id),
    name TEXT NOT NULL,
    -- JSON: the codes of its permissions.
    permissions TEXT NOT NULL,
    UNIQUE (tenant, name)
);

-- As before, and with roles of one's own and scopes by service organisation.
CREATE TABLE assignments_2 (
    id TEXT PRIMARY KEY,
    person TEXT NOT NULL REFERENCES people (id),
    role TEXT,
    individual TEXT REFERENCES individual_roles (id),
    scope TEXT NOT NULL CHECK (scope IN ('whole', 'facilities', 'service_organisations', 'customers')),
    CHECK ((role IS NULL) <> (individual IS NULL))
);
CREATE TABLE assignment_objects_2 (
    assignment TEXT NOT NULL REFERENCES assignments_2 (id),
    object TEXT NOT NULL,
    PRIMARY KEY (assignment, object)
);
INSERT INTO assignments_2 (id, person, role, scope) SELECT id, person, role, scope FROM assignments;
INSERT INTO assignment_objects_2 (assignment, object)
    SELECT assignment, object FROM assignment_objects;
DROP TABLE assignment_objects;
DROP TABLE assignments;
ALTER TABLE assignments_2 RENAME TO assignments;
ALTER TABLE assignment_objects_2 RENAME TO assignment_objects;
CREATE INDEX assignments_of_person ON assignments (person);
CREATE INDEX assignments_of_role ON assignments (individual);

-- What groups a provider's customers.
CREATE TABLE service_organisations (
    id TEXT PRIMARY KEY,
    provider TEXT NOT NULL REFERENCES tenants (id),
    name TEXT NOT NULL,
    UNIQUE (provider, name)
);

-- A provider's record of an operator company; its own id beside that of another provider.
CREATE TABLE customers (
    provider TEXT NOT NULL REFERENCES tenants (id),
    id TEXT NOT NULL,
    organisation TEXT NOT NULL REFERENCES service_organisations (id),
    name TEXT NOT NULL,
    -- Once it is onboarded: the operator's own company.
    tenant TEXT REFERENCES tenants (id),
    PRIMARY KEY (provider, id)
);
CREATE INDEX customers_of_organisation ON customers (organisation);

-- Machines of before had customers in name only.
INSERT INTO service_organisations (id, provider, name)
    SELECT DISTINCT 'org-' || provider, provider, 'All customers' FROM machines;
INSERT INTO customers (provider, id, organisation, name, tenant)
    SELECT m.provider, m.customer, 'org-' || m.provider, m.customer, MAX(a.operator)
    FROM machines m LEFT JOIN assets a ON a.id = m.asset AND m.link = 'linked'
    GROUP BY m.provider, m.customer;

-- Digests of one-time invitations, into one's own company or, for a customer, into a new one.
CREATE TABLE invitations (
    id TEXT PRIMARY KEY,
    digest TEXT NOT NULL UNIQUE,
    -- Who invites.
    tenant TEXT NOT NULL REFERENCES tenants (id),
    customer TEXT,
    -- In lower case.
    email TEXT NOT NULL,
    -- JSON: roles that the person is given, each with its scope.
    roles TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    accepted_at BIGINT
);
CREATE INDEX invitations_of_tenant ON invitations (tenant, id);

-- Digests of tokens with which programs read.
CREATE TABLE api_tokens (
    id TEXT PRIMARY KEY,
    person TEXT NOT NULL REFERENCES people (id),
    name TEXT NOT NULL,
    digest TEXT NOT NULL UNIQUE,
    created_at BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    UNIQUE (person, name)
);
