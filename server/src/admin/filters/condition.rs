//! One condition set, an entry of `groups`.

use super::super::Definitions;
use super::super::members::{check_length, expected};
use super::{MAX_ENTRIES, group_type, member, percentage, property};
use crate::error::Invalid;
use crate::project_file::{Name, Node, Value};

/// What a condition set takes from its flag, and from the project.
pub(super) struct Context<'a> {
    pub(super) aggregation: Option<i64>,
    /// The keys of the flag's variants.
    pub(super) variants: &'a [String],
    pub(super) definitions: &'a Definitions,
}

impl Context<'_> {
    /// Checks a condition set and gives it its own group type.
    pub(super) fn check(&self, group: &mut Node, attr: &str) -> Result<(), Invalid> {
        let place = group.place;
        let Value::Map(members) = &mut group.value else {
            return Err(expected(attr, "an object", &group.value));
        };
        let name = "aggregation_group_type_index";
        let aggregation = match member(members, name) {
            own @ Some(_) => group_type(own, attr, self.definitions)?,
            None => {
                let value = match self.aggregation {
                    Some(index) => Value::Number(index.to_string().into()),
                    None => Value::Null,
                };
                let text = name.to_owned();
                members.push((Name { place, text }, Node { place, value }));
                self.aggregation
            }
        };
        let share = format!("{attr}__rollout_percentage");
        percentage(member(members, "rollout_percentage"), &share)?;
        self.variant(member(members, "variant"), attr)?;
        let attr = format!("{attr}__properties");
        let properties = match member(members, "properties").map(|node| &node.value) {
            None | Some(Value::Null) => return Ok(()),
            Some(Value::List(properties)) => properties,
            Some(other) => return Err(expected(&attr, "a list", other)),
        };
        check_length(&attr, properties.len(), MAX_ENTRIES)?;
        for (index, filter) in properties.iter().enumerate() {
            let attr = format!("{attr}__{index}");
            property::check(filter, aggregation, &attr, self.definitions)?;
        }
        Ok(())
    }

    fn variant(&self, variant: Option<&Node>, attr: &str) -> Result<(), Invalid> {
        let attr = format!("{attr}__variant");
        match variant.map(|node| &node.value) {
            None | Some(Value::Null) => Ok(()),
            Some(Value::Text(key)) if self.variants.contains(key) => Ok(()),
            Some(Value::Text(_)) => Err(Invalid::input(
                attr,
                "Filters are not valid (variant override does not exist)",
            )),
            Some(other) => Err(expected(&attr, "a text", other)),
        }
    }
}
