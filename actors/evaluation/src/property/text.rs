//! `icontains`, `starts_with`, `ends_with`, `icontains_multi` (section 4.4): only ASCII letters are folded.

use crate::text_form;
use serde_json::Value;

/// Where a text must stand in the property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Anywhere,
    Start,
    End,
}

/// The longest property that is searched in place, in bytes. The search below is quadratic at worst; longer texts are
/// copied once and searched in linear time.
const IN_PLACE: usize = 256;

/// The folded texts one of which the property must contain.
#[derive(Debug)]
pub(super) struct Needles {
    texts: Box<[Box<str>]>,
    place: Place,
}

impl Needles {
    /// The text form of a value, a list included.
    pub(super) fn one(place: Place, value: &Value) -> Self {
        Self {
            texts: Box::new([folded(value)]),
            place,
        }
    }

    /// The text forms of a list's elements; a scalar counts as a list of one.
    pub(super) fn any(value: &Value) -> Self {
        let texts = match value {
            Value::Array(elements) => elements.iter().map(folded).collect(),
            scalar => vec![folded(scalar)].into(),
        };
        let place = Place::Anywhere;
        Self { texts, place }
    }

    pub(super) fn found_in(&self, property: &Value) -> bool {
        let text = text_form(property);
        if self.place == Place::Anywhere && text.len() > IN_PLACE {
            let text = text.to_ascii_lowercase();
            return self.texts.iter().any(|needle| text.contains(&**needle));
        }
        let text = text.as_bytes();
        self.texts.iter().any(|needle| {
            let needle = needle.as_bytes();
            match self.place {
                Place::Anywhere => contains(text, needle),
                Place::Start => text
                    .get(..needle.len())
                    .is_some_and(|start| start.eq_ignore_ascii_case(needle)),
                Place::End => text
                    .len()
                    .checked_sub(needle.len())
                    .and_then(|start| text.get(start..))
                    .is_some_and(|end| end.eq_ignore_ascii_case(needle)),
            }
        })
    }
}

fn folded(value: &Value) -> Box<str> {
    text_form(value).to_ascii_lowercase().into()
}

/// Bytes are as good as characters here: a part of a UTF-8 sequence equals no other part.
fn contains(text: &[u8], needle: &[u8]) -> bool {
    needle.is_empty()
        || text
            .windows(needle.len())
            .any(|window| window.eq_ignore_ascii_case(needle))
}
