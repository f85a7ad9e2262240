-- What stands in a posted row beside its outcome: values of guardrails and secondary metrics by name, and what was known before the test.
ALTER TABLE ab_observations
    ADD COLUMN metrics   jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(metrics) = 'object'),
    ADD COLUMN covariate double precision;

-- A frozen plan stays frozen: no way leads back to a draft.
CREATE FUNCTION model_ab_tests_never_draft_again() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status <> 'draft' AND NEW.status = 'draft' THEN
        RAISE EXCEPTION 'A/B test % has been started and is no draft again', OLD.test_name USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER model_ab_tests_never_draft_again BEFORE UPDATE OF status ON model_ab_tests
    FOR EACH ROW EXECUTE FUNCTION model_ab_tests_never_draft_again();
