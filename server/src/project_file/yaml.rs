//! YAML text to a [`Node`] tree, by the core schema of YAML 1.2.
//!
//! Built on parser events rather than on a serde reader: that would turn numbers into doubles, lose `5.0` and stop at the
//! first fault. Anchors, aliases and merge keys work; what aliases expand to is bounded.

use super::node::{
    Fault, MAX_DEPTH, Name, Node, Place, Value, drop_duplicates, is_json_number, number,
};
use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, Tag};
use std::borrow::Cow;
use std::collections::HashMap;

/// How many values all aliases of a file may stand for together.
pub(crate) const MAX_ALIASED: usize = 200_000;
/// How far apart a member name and its colon may be, in characters.
const MAX_NAME: usize = 1 << 20;

/// Reads one YAML document. `Err` is a text that has no structure; other faults are added to the list.
pub(crate) fn parse(text: &str, faults: &mut Vec<Fault>) -> Result<Node, Fault> {
    let options = granit_parser::options! {
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
        simple_key_max_lookahead: MAX_NAME,
    };
    Builder::new(faults).run(Parser::new_from_str_with_options(text, options))
}

enum Frame {
    List(Vec<Node>),
    Map(Members),
}

#[derive(Default)]
struct Members {
    list: Vec<(Name, Node)>,
    /// The name that waits for its value.
    waiting: Option<Key>,
    /// Whether a merge key was seen.
    merged: bool,
}

/// A member name; merge keys are kept apart from the text `"<<"`.
struct Key {
    name: Name,
    merge: bool,
}

struct Open {
    place: Place,
    anchor: usize,
    frame: Frame,
}

struct Builder<'f> {
    faults: &'f mut Vec<Fault>,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    aliased: usize,
    root: Option<Node>,
}

impl<'f> Builder<'f> {
    fn new(faults: &'f mut Vec<Fault>) -> Self {
        Self {
            faults,
            open: Vec::new(),
            anchors: HashMap::new(),
            aliased: 0,
            root: None,
        }
    }

    fn run<'a>(
        mut self,
        events: impl Iterator<Item = Result<(Event<'a>, Span), ScanError>>,
    ) -> Result<Node, Fault> {
        for event in events {
            let (event, span) = event.map_err(|error| scan_fault(&error))?;
            let place = place(&span);
            match event {
                Event::DocumentStart(..) if self.root.is_some() => {
                    return Err(Fault::new(place, "a second document; a file holds one"));
                }
                Event::Scalar(text, style, anchor, tag) => {
                    self.scalar(text, style, anchor, tag.as_deref(), place)?;
                }
                Event::SequenceStart(_, anchor, tag) => {
                    self.collection_tag(tag.as_deref(), "seq", place);
                    self.start(place, anchor, Frame::List(Vec::new()))?;
                }
                Event::MappingStart(_, anchor, tag) => {
                    self.collection_tag(tag.as_deref(), "map", place);
                    self.start(place, anchor, Frame::Map(Members::default()))?;
                }
                Event::SequenceEnd | Event::MappingEnd => self.end()?,
                Event::Alias(anchor) => self.alias(anchor, place)?,
                _ => {}
            }
        }
        self.root
            .ok_or_else(|| Fault::new(Place { line: 1, column: 1 }, "the file is empty"))
    }

    fn scalar(
        &mut self,
        text: Cow<'_, str>,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        place: Place,
    ) -> Result<(), Fault> {
        let plain = style == ScalarStyle::Plain && tag.is_none();
        if let Some(tag) = tag
            && !is_tag(tag, "str")
        {
            self.faults.push(Fault::new(
                place,
                format!("the tag `{tag}` is not supported"),
            ));
        }
        if let Some(waiting) = self.waiting_name() {
            let merge = plain && text == "<<";
            let text = text.into_owned();
            *waiting = Some(Key {
                name: Name { place, text },
                merge,
            });
            return Ok(());
        }
        let value = if plain {
            resolve(text).unwrap_or_else(|message| {
                self.faults.push(Fault::new(place, message));
                Value::Null
            })
        } else {
            Value::Text(text.into_owned())
        };
        self.finish(Node { place, value }, anchor)
    }

    /// Returns the slot of the next member name, if that is what the innermost collection waits for.
    fn waiting_name(&mut self) -> Option<&mut Option<Key>> {
        match self.open.last_mut().map(|open| &mut open.frame) {
            Some(Frame::Map(members)) if members.waiting.is_none() => Some(&mut members.waiting),
            _ => None,
        }
    }

    fn start(&mut self, place: Place, anchor: usize, frame: Frame) -> Result<(), Fault> {
        if self.waiting_name().is_some() {
            return Err(Fault::new(place, "a member name must be a plain value"));
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(too_deep(place));
        }
        self.open.push(Open {
            place,
            anchor,
            frame,
        });
        Ok(())
    }

    fn end(&mut self) -> Result<(), Fault> {
        let Some(open) = self.open.pop() else {
            return Ok(());
        };
        let value = match open.frame {
            Frame::List(items) => Value::List(items),
            Frame::Map(mut members) => {
                drop_duplicates(&mut members.list, self.faults);
                Value::Map(members.list)
            }
        };
        self.finish(
            Node {
                place: open.place,
                value,
            },
            open.anchor,
        )
    }

    fn alias(&mut self, anchor: usize, place: Place) -> Result<(), Fault> {
        let Some(node) = self.anchors.get(&anchor) else {
            return Err(Fault::new(
                place,
                "an alias inside the value that it stands for",
            ));
        };
        let (count, depth) = measure(node);
        self.aliased = self.aliased.saturating_add(count);
        if self.aliased > MAX_ALIASED {
            return Err(Fault::new(
                place,
                format!("the aliases of this file stand for more than {MAX_ALIASED} values"),
            ));
        }
        if self.open.len() + depth > MAX_DEPTH {
            return Err(too_deep(place));
        }
        let node = node.clone();
        if self.waiting_name().is_some() {
            let text = match node.value {
                Value::Text(text) => text,
                Value::Number(text) => text.into(),
                _ => return Err(Fault::new(place, "a member name must be a text")),
            };
            if let Some(waiting) = self.waiting_name() {
                *waiting = Some(Key {
                    name: Name { place, text },
                    merge: false,
                });
            }
            return Ok(());
        }
        self.finish(node, 0)
    }

    /// Puts a finished value where it belongs.
    fn finish(&mut self, node: Node, anchor: usize) -> Result<(), Fault> {
        if anchor != 0 {
            // What the aliases stand for was bounded above; what is anchored is at most the file, once for each level.
            self.aliased = self.aliased.saturating_add(measure(&node).0);
            if self.aliased > MAX_ALIASED {
                return Err(Fault::new(
                    node.place,
                    format!("the anchors of this file hold more than {MAX_ALIASED} values"),
                ));
            }
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut().map(|open| &mut open.frame) {
            None => self.root = Some(node),
            Some(Frame::List(items)) => items.push(node),
            Some(Frame::Map(members)) => match members.waiting.take() {
                Some(key) if key.merge => {
                    members.merged = true;
                    merge(&mut members.list, key.name.place, node)?;
                }
                Some(Key { name, .. }) => {
                    if members.merged {
                        members
                            .list
                            .retain(|(n, _)| n.text != name.text || !is_merged(n));
                    }
                    members.list.push((name, node));
                }
                None => return Err(Fault::new(node.place, "a value without a member name")),
            },
        }
        Ok(())
    }

    fn collection_tag(&mut self, tag: Option<&Tag>, allowed: &str, place: Place) {
        if let Some(tag) = tag
            && !is_tag(tag, allowed)
        {
            self.faults.push(Fault::new(
                place,
                format!("the tag `{tag}` is not supported"),
            ));
        }
    }
}

/// Merged members carry no line, so that members written beside the merge key win whichever comes first.
fn is_merged(name: &Name) -> bool {
    name.place.line == 0
}

fn merge(members: &mut Vec<(Name, Node)>, place: Place, node: Node) -> Result<(), Fault> {
    let sources = match node.value {
        Value::Map(source) => vec![source],
        Value::List(items) => items
            .into_iter()
            .map(|item| match item.value {
                Value::Map(source) => Ok(source),
                _ => Err(Fault::new(
                    place,
                    "`<<` takes an object or a list of objects",
                )),
            })
            .collect::<Result<_, _>>()?,
        _ => {
            return Err(Fault::new(
                place,
                "`<<` takes an object or a list of objects",
            ));
        }
    };
    for (mut name, node) in sources.into_iter().flatten() {
        if !members.iter().any(|(n, _)| n.text == name.text) {
            name.place = Place::default();
            members.push((name, node));
        }
    }
    Ok(())
}

/// Reads a plain scalar by the core schema. Numbers that JSON cannot write are refused rather than changed.
fn resolve(text: Cow<'_, str>) -> Result<Value, String> {
    match &*text {
        "" | "~" | "null" | "Null" | "NULL" => Ok(Value::Null),
        "true" | "True" | "TRUE" => Ok(Value::Bool(true)),
        "false" | "False" | "FALSE" => Ok(Value::Bool(false)),
        number_text if is_json_number(number_text) => number(number_text),
        number_text if is_other_number(number_text) => Err(format!(
            "`{number_text}` is a number that JSON cannot write; quote it to make it a text, or write it in plain decimals"
        )),
        _ => Ok(Value::Text(text.into_owned())),
    }
}

/// Numbers of YAML's core schema beyond JSON's: `+5`, `.5`, `5.`, `007`, `0x1F`, `0o17`, `.inf`, `.nan`.
fn is_other_number(text: &str) -> bool {
    let all = |s: &str, test: fn(&char) -> bool| !s.is_empty() && s.chars().all(|c| test(&c));
    if let Some(digits) = text.strip_prefix("0x") {
        return all(digits, char::is_ascii_hexdigit);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return all(digits, |c| ('0'..='7').contains(c));
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(
        unsigned,
        ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN"
    ) {
        return true;
    }
    unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && unsigned.contains(|c: char| c.is_ascii_digit())
        && unsigned.parse::<f64>().is_ok()
}

fn is_tag(tag: &Tag, suffix: &str) -> bool {
    let shown = tag.to_string();
    shown == format!("!!{suffix}") || shown == format!("tag:yaml.org,2002:{suffix}") || shown == "!"
}

/// Returns how many values a tree has, and how deep it is.
fn measure(node: &Node) -> (usize, usize) {
    let children: Vec<&Node> = match &node.value {
        Value::List(items) => items.iter().collect(),
        Value::Map(members) => members.iter().map(|(_, member)| member).collect(),
        _ => return (1, 1),
    };
    let (count, depth) = children
        .into_iter()
        .map(measure)
        .fold((0, 0), |(count, depth), (c, d)| (count + c, depth.max(d)));
    (count + 1, depth + 1)
}

fn too_deep(place: Place) -> Fault {
    Fault::new(place, format!("nested deeper than {MAX_DEPTH} levels"))
}

fn place(span: &Span) -> Place {
    Place {
        line: span.start.line(),
        column: span.start.col() + 1,
    }
}

fn scan_fault(error: &ScanError) -> Fault {
    let marker = error.marker();
    Fault::new(
        Place {
            line: marker.line(),
            column: marker.col() + 1,
        },
        error.kind().to_string(),
    )
}

#[cfg(test)]
mod tests;
