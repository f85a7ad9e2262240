-- What counts as a change of a version, and when it was changed.

-- A look at an artefact that finds what the one before found is no change: it says when it was, and neither the revision (the
-- ETag) nor those who wait for the version hear of it. A change's time is that of the change, not that of its transaction's
-- start, and so never before the other times that the same change wrote.
CREATE OR REPLACE FUNCTION model_registry_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    -- Generated columns are not known yet in a trigger that runs before the change.
    passed_over text[] := '{artefact_checked_at, precedence, is_prerelease}';
BEGIN
    IF (NEW.id, NEW.model_name, NEW.version, NEW.created_at) IS DISTINCT FROM (OLD.id, OLD.model_name, OLD.version, OLD.created_at)
       OR (OLD.artefact_digest IS NOT NULL AND NEW.artefact_digest IS DISTINCT FROM OLD.artefact_digest)
       OR ((NOT OLD.auto_registered OR OLD.stage <> 'development')
           AND (NEW.model_path, NEW.training_data_path, NEW.hyperparameters, NEW.training_metadata, NEW.created_by, NEW.auto_registered)
               IS DISTINCT FROM (OLD.model_path, OLD.training_data_path, OLD.hyperparameters, OLD.training_metadata, OLD.created_by, OLD.auto_registered))
       OR (OLD.deleted_at IS NOT NULL) THEN
        RAISE EXCEPTION 'version % of model % is frozen', OLD.version, OLD.model_name USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.artefact_checked_at IS DISTINCT FROM OLD.artefact_checked_at
       AND to_jsonb(NEW) - passed_over = to_jsonb(OLD) - passed_over THEN
        RETURN NEW;
    END IF;
    NEW.revision := OLD.revision + 1;
    NEW.updated_at := greatest(steward_clock(), OLD.updated_at, NEW.promoted_at, NEW.artefact_checked_at, NEW.deleted_at);
    RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION model_registry_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' OR NEW.revision IS DISTINCT FROM OLD.revision THEN
        PERFORM pg_notify('steward_models', NEW.model_name);
    END IF;
    RETURN NULL;
END $$;

-- Nobody promoted what is in development: from here on a demotion takes these with it.
UPDATE model_registry SET promoted_at = NULL, approved_by = NULL
 WHERE stage = 'development' AND deleted_at IS NULL AND (promoted_at IS NOT NULL OR approved_by IS NOT NULL);
