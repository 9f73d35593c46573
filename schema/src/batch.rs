//! Statements over many keys at once. Each has one text for any number of keys, so that it is prepared once per
//! connection: the keys travel as one array per column (Postgres) or as one JSON text (SQLite).
//!
//! A statement's text stands around the keys, which it sees as a table `k` of its columns and `n`, counted from 1.

use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Integer, SmallInt, Text};
use diesel::sqlite::Sqlite;
use std::marker::PhantomData;
use std::sync::OnceLock;

/// A statement's text; the same for both databases.
pub(crate) trait Statement: Send + 'static {
    /// The SQL types of its answer; `()` when it has none.
    type Answer;
    /// Names of the key columns.
    const COLUMNS: &'static [&'static str];
    /// The text up to the keys, ending in `FROM`.
    const BEFORE: &'static str;
    /// The text after the keys.
    const AFTER: &'static str;
}

/// One column of keys.
pub(crate) enum Column {
    BigInt(Vec<i64>),
    Integer(Vec<i32>),
    SmallInt(Vec<i16>),
    Text(Vec<String>),
}

impl Column {
    fn push_postgres<'b>(&'b self, out: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        match self {
            Self::BigInt(values) => out.push_bind_param::<Array<BigInt>, _>(values),
            Self::Integer(values) => out.push_bind_param::<Array<Integer>, _>(values),
            Self::SmallInt(values) => out.push_bind_param::<Array<SmallInt>, _>(values),
            Self::Text(values) => out.push_bind_param::<Array<Text>, _>(values),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::BigInt(values) => values.len(),
            Self::Integer(values) => values.len(),
            Self::SmallInt(values) => values.len(),
            Self::Text(values) => values.len(),
        }
    }

    fn json(&self, row: usize) -> serde_json::Value {
        match self {
            Self::BigInt(values) => values.get(row).copied().into(),
            Self::Integer(values) => values.get(row).copied().into(),
            Self::SmallInt(values) => values.get(row).copied().into(),
            Self::Text(values) => values.get(row).map(String::as_str).into(),
        }
    }
}

/// A statement with its keys.
pub(crate) struct Batch<S> {
    columns: Vec<Column>,
    json: OnceLock<String>,
    statement: PhantomData<S>,
}

impl<S: Statement> Batch<S> {
    /// The columns stand in the order of [`Statement::COLUMNS`] and have one length.
    pub(crate) fn new(columns: Vec<Column>) -> Self {
        debug_assert_eq!(columns.len(), S::COLUMNS.len());
        debug_assert!(columns.windows(2).all(|pair| match pair {
            [left, right] => left.len() == right.len(),
            _ => true,
        }));
        Self {
            columns,
            json: OnceLock::new(),
            statement: PhantomData,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.columns.first().is_none_or(|column| column.len() == 0)
    }

    fn to_json(&self) -> String {
        let rows = self.columns.first().map_or(0, Column::len);
        let rows: Vec<Vec<serde_json::Value>> = (0..rows)
            .map(|row| self.columns.iter().map(|column| column.json(row)).collect())
            .collect();
        serde_json::Value::from(
            rows.into_iter()
                .map(serde_json::Value::from)
                .collect::<Vec<_>>(),
        )
        .to_string()
    }
}

impl<S: Statement> QueryId for Batch<S> {
    type QueryId = Self;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<S: Statement> Query for Batch<S> {
    type SqlType = S::Answer;
}

impl<S: Statement> QueryFragment<Pg> for Batch<S> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(S::BEFORE);
        out.push_sql(" unnest(");
        for (index, column) in self.columns.iter().enumerate() {
            if index > 0 {
                out.push_sql(", ");
            }
            column.push_postgres(&mut out)?;
        }
        out.push_sql(") WITH ORDINALITY AS k(");
        for name in S::COLUMNS {
            out.push_sql(name);
            out.push_sql(", ");
        }
        out.push_sql("n) ");
        out.push_sql(S::AFTER);
        Ok(())
    }
}

impl<S: Statement> QueryFragment<Sqlite> for Batch<S> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql(S::BEFORE);
        out.push_sql(" (SELECT ");
        for (index, name) in S::COLUMNS.iter().enumerate() {
            out.push_sql(&format!("value ->> {index} AS {name}, "));
        }
        out.push_sql("key + 1 AS n FROM json_each(");
        out.push_bind_param::<Text, _>(self.json.get_or_init(|| self.to_json()))?;
        out.push_sql(")) AS k ");
        out.push_sql(S::AFTER);
        Ok(())
    }
}

/// Whether a text can be stored at all. Postgres knows no zero byte in a text and refuses the whole statement, so a
/// key with one must be left out of a batch: it names nothing that could have been stored.
pub(crate) fn is_storable(text: &str) -> bool {
    !text.contains('\0')
}

/// Refuses a text that only one of the two databases would take.
pub(crate) fn check_storable<'a>(
    texts: impl IntoIterator<Item = &'a str>,
) -> Result<(), crate::StoreError> {
    if texts.into_iter().all(is_storable) {
        Ok(())
    } else {
        Err(crate::StoreError::Query(
            "a text contains a zero byte, which cannot be stored".into(),
        ))
    }
}
