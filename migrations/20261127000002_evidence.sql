-- Evidence is never edited: what a gate or an approval stood on must still be there when somebody asks. What the tables refuse here the
-- audit trail can prove: its events carry the values, or a digest of them.

CREATE FUNCTION steward_evidence_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is evidence and is never changed', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER model_validation_metrics_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON model_validation_metrics
    FOR EACH STATEMENT EXECUTE FUNCTION steward_evidence_kept();
CREATE TRIGGER model_cards_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON model_cards
    FOR EACH STATEMENT EXECUTE FUNCTION steward_evidence_kept();
