//! Parses and formats a query. Sends nothing to an engine.

use datasource::QueryError;
use promql::Tree;
use serde_json::Value;

use super::{Answer, bad_data, envelope::success, params::Params};

fn wrong(error: &promql::ParseError) -> QueryError {
    bad_data(format!("invalid parameter \"query\": {error}"))
}

pub(super) async fn format(params: Params) -> Answer {
    Ok(success(&promql::pretty(params.query()).map_err(|error| wrong(&error))?))
}

pub(super) async fn parse(params: Params) -> Answer {
    Ok(success(&json(promql::tree(params.query()).map_err(|error| wrong(&error))?)))
}

fn json(tree: Tree) -> Value {
    match tree {
        Tree::Null => Value::Null,
        Tree::Bool(value) => value.into(),
        Tree::Integer(value) => value.into(),
        Tree::Text(value) => value.into(),
        Tree::List(list) => list.into_iter().map(json).collect(),
        Tree::Map(fields) => fields.into_iter().map(|(name, value)| (name.to_owned(), json(value))).collect(),
    }
}
