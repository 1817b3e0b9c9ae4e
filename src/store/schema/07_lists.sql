-- What lists are read by. Open cases are few among many, and what people look at.
CREATE INDEX open_cases_of_operator ON cases (operator, number) WHERE state <> 'closed';
CREATE INDEX open_cases_of_provider ON cases (provider, number) WHERE state <> 'closed';
