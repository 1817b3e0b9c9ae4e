-- A case's number in the ticket system of each company that takes part in it. Before, a case had
-- one number, and of two parties the later took the other's away.
CREATE TABLE external_ids (
    tenant TEXT NOT NULL REFERENCES tenants (id),
    case_id TEXT NOT NULL REFERENCES cases (id),
    external_id TEXT NOT NULL,
    PRIMARY KEY (tenant, case_id),
    -- It names one case of a company.
    UNIQUE (tenant, external_id)
);
INSERT INTO external_ids (tenant, case_id, external_id)
    SELECT external_tenant, id, external_id FROM cases
    WHERE external_tenant IS NOT NULL AND external_id IS NOT NULL;
CREATE TRIGGER external_ids_are_of_a_party BEFORE INSERT ON external_ids
WHEN NOT EXISTS (SELECT 1 FROM cases c WHERE c.id = NEW.case_id
                 AND (c.operator = NEW.tenant OR c.provider = NEW.tenant))
BEGIN
    SELECT RAISE(ABORT, 'a case has an external id of one of its parties');
END;

DROP INDEX cases_by_external_id;
ALTER TABLE cases DROP COLUMN external_id;
ALTER TABLE cases DROP COLUMN external_tenant;
