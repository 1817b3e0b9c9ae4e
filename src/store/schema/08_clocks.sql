-- Clocks are set anew when a priority or a setting changes, which must not start that of a case which
-- somebody took up: whether somebody did is kept by itself. Of rows from before, as far as can be told.
ALTER TABLE case_places ADD COLUMN taken_up BIGINT NOT NULL DEFAULT 0 CHECK (taken_up IN (0, 1));
UPDATE case_places SET taken_up = 1
    WHERE (SELECT state FROM cases WHERE id = case_places.case_id) <> 'new';
DROP TRIGGER cases_are_taken_up;
CREATE TRIGGER cases_are_taken_up AFTER UPDATE OF state ON cases
WHEN NEW.state <> 'new'
BEGIN
    UPDATE case_places SET due = NULL, taken_up = 1 WHERE case_id = NEW.id AND taken_up = 0;
END;

-- When it moves on because nobody answers a request for remote access, if nobody does before.
ALTER TABLE case_places ADD COLUMN request_due BIGINT;
CREATE INDEX places_that_wait_for_answers ON case_places (request_due) WHERE request_due IS NOT NULL;
