-- Facilities, machine models with their tunnel templates, and edge devices that serve one asset or
-- several.

CREATE TABLE facilities (
    operator TEXT NOT NULL REFERENCES tenants (id),
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    -- An id says nothing of another tenant's: each has its own.
    PRIMARY KEY (operator, id)
);

-- Those that assets and scopes named while facilities had no rows.
INSERT INTO facilities (operator, id, name)
SELECT DISTINCT operator, facility, facility FROM assets WHERE facility IS NOT NULL;
INSERT INTO facilities (operator, id, name)
SELECT DISTINCT p.tenant, o.object, o.object
FROM assignment_objects o
JOIN assignments a ON a.id = o.assignment
JOIN people p ON p.id = a.person
WHERE a.scope = 'facilities'
ON CONFLICT DO NOTHING;

-- The number of the change that last wrote the row.
ALTER TABLE assets ADD COLUMN revision BIGINT NOT NULL DEFAULT 0;
-- Whether its operator confirms where tunnels lead that others set up.
ALTER TABLE assets ADD COLUMN confirm_targets BIGINT NOT NULL DEFAULT 0
    CHECK (confirm_targets IN (0, 1));

-- Whether it serves several assets.
ALTER TABLE devices ADD COLUMN multi BIGINT NOT NULL DEFAULT 0 CHECK (multi IN (0, 1));
UPDATE devices SET multi = 1
WHERE (SELECT COUNT(*) FROM assets a WHERE a.device = devices.id) > 1;

CREATE TRIGGER a_single_device_serves_one_asset_inserted
BEFORE INSERT ON assets WHEN NEW.device IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'a device that is not multi serves one asset')
    FROM devices d JOIN assets a ON a.device = d.id
    WHERE d.id = NEW.device AND d.multi = 0 AND a.id <> NEW.id;
END;

CREATE TRIGGER a_single_device_serves_one_asset_updated
BEFORE UPDATE OF device ON assets WHEN NEW.device IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'a device that is not multi serves one asset')
    FROM devices d JOIN assets a ON a.device = d.id
    WHERE d.id = NEW.device AND d.multi = 0 AND a.id <> NEW.id;
END;

CREATE TRIGGER a_facility_with_assets_stays
BEFORE DELETE ON facilities
WHEN EXISTS (SELECT 1 FROM assets a WHERE a.operator = OLD.operator AND a.facility = OLD.id)
BEGIN
    SELECT RAISE(ABORT, 'a facility with assets stays');
END;

-- A device on its way back to its owner. While a row is open, nobody is let through the device.
CREATE TABLE decommissions (
    device TEXT NOT NULL REFERENCES devices (id),
    asset TEXT NOT NULL REFERENCES assets (id),
    -- Whether the device was told to reset itself.
    reset_sent BIGINT NOT NULL DEFAULT 0 CHECK (reset_sent IN (0, 1)),
    began_at BIGINT NOT NULL,
    ended_at BIGINT,
    PRIMARY KEY (device, began_at)
);
CREATE UNIQUE INDEX one_open_decommission_of_device ON decommissions (device)
    WHERE ended_at IS NULL;

CREATE TABLE machine_models (
    id TEXT PRIMARY KEY,
    provider TEXT NOT NULL REFERENCES tenants (id),
    name TEXT NOT NULL,
    brand TEXT,
    technology TEXT,
    revision BIGINT NOT NULL,
    UNIQUE (provider, name)
);

CREATE TABLE tunnel_templates (
    id TEXT PRIMARY KEY,
    model TEXT NOT NULL REFERENCES machine_models (id),
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    mode TEXT NOT NULL,
    targets TEXT NOT NULL,
    enabled BIGINT NOT NULL CHECK (enabled IN (0, 1)),
    revision BIGINT NOT NULL,
    UNIQUE (model, name)
);

ALTER TABLE machines ADD COLUMN model TEXT REFERENCES machine_models (id);
CREATE INDEX machines_of_model ON machines (model);

-- The template that it follows, and the fields in which it does not (JSON: a list of names).
ALTER TABLE tunnels ADD COLUMN template TEXT REFERENCES tunnel_templates (id);
ALTER TABLE tunnels ADD COLUMN overridden TEXT NOT NULL DEFAULT '[]';
CREATE INDEX tunnels_of_template ON tunnels (template);
-- Whether the operator set up, or confirmed, where it leads now.
ALTER TABLE tunnels ADD COLUMN confirmed BIGINT NOT NULL DEFAULT 1 CHECK (confirmed IN (0, 1));
ALTER TABLE tunnels ADD COLUMN revision BIGINT NOT NULL DEFAULT 0;

CREATE INDEX records_of_asset ON records (asset, seq);
