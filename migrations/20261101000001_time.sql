-- The one function that says what time it is.
-- Production sessions never set steward.now and get the server's clock; `replay` and tests set it,
-- so that every decision taken in SQL follows the same simulated time as the program.
CREATE FUNCTION steward_now() RETURNS timestamptz
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT coalesce(nullif(current_setting('steward.now', true), '')::timestamptz, now()) $$;
