//! `model_card`: the version has a model card.

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sqlx::PgConnection;

use super::{Gate, Question, Verdict, options};
use crate::db::model_names;

/// The gate.
pub struct ModelCard;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {}

#[async_trait]
impl Gate for ModelCard {
    fn name(&self) -> &'static str {
        "model_card"
    }

    fn summary(&self) -> &'static str {
        "The version has a model card."
    }

    fn check(&self, given: &Map<String, Value>) -> Result<(), String> {
        options::<Options>(given).map(drop)
    }

    async fn judge(
        &self,
        conn: &mut PgConnection,
        question: Question<'_>,
        _given: &Map<String, Value>,
    ) -> Result<Verdict, sqlx::Error> {
        Ok(match model_names::card(conn, question.version.id, None).await? {
            Some(card) => {
                let evidence = json!({ "edition": card.edition, "author": card.author, "created_at": card.created_at });
                Verdict::yes(format!("it has a model card (edition {})", card.edition), evidence)
            }
            None => Verdict::no("it has no model card", json!({})),
        })
    }
}
