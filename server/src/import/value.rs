//! Short ways to look into a tree of values, and to make one.

use crate::project_file::{Node, Value};

/// Returns a text.
pub(crate) fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

/// Returns an integer.
pub(crate) fn integer(value: i64) -> Value {
    Value::Number(value.to_string().into())
}

/// Returns a number in its shortest form.
pub(crate) fn number(value: f64) -> Value {
    Value::Number(value.to_string().into())
}

/// Returns a member that is there and not null.
pub(crate) fn member<'n>(node: &'n Node, name: &str) -> Option<&'n Node> {
    node.get(name).filter(|node| node.value != Value::Null)
}

/// Returns a member that is a text.
pub(crate) fn text_of<'n>(node: &'n Node, name: &str) -> Option<&'n str> {
    node.get(name).and_then(as_text)
}

/// Returns the text of a node that is one.
pub(crate) fn as_text(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

/// Returns the number of a node that is one, or a text of one.
pub(crate) fn as_number(node: &Node) -> Option<f64> {
    match &node.value {
        Value::Number(text) => text.parse().ok(),
        Value::Text(text) => text.trim().parse().ok().filter(|n: &f64| n.is_finite()),
        _ => None,
    }
}

/// Returns the items of a member that is a list; none for anything else.
pub(crate) fn items<'n>(node: &'n Node, name: &str) -> &'n [Node] {
    node.get(name).map_or(&[], as_list)
}

/// Returns the items of a list; none for anything else.
pub(crate) fn as_list(node: &Node) -> &[Node] {
    match &node.value {
        Value::List(items) => items,
        _ => &[],
    }
}

/// Returns whether a member is `true`.
pub(crate) fn is_true(node: &Node, name: &str) -> bool {
    node.get(name)
        .is_some_and(|node| node.value == Value::Bool(true))
}
