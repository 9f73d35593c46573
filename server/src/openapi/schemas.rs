//! Small schemas that several descriptions share.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaFormat, SchemaType, Type};
use utoipa::openapi::{Ref, RefOr};

/// Any text.
pub(crate) fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

/// One of these words.
pub(crate) fn words(words: &[&str]) -> ObjectBuilder {
    text().enum_values(Some(words.iter().copied()))
}

/// A whole number from this one on.
pub(crate) fn whole(minimum: i32) -> ObjectBuilder {
    let number = ObjectBuilder::new().schema_type(Type::Integer);
    number.minimum(Some(minimum))
}

/// True or false.
pub(crate) fn boolean() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Boolean)
}

/// An id: a text, or a number that counts as its digits.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Identifier {
    /// A text.
    Text(String),
    /// A number.
    Number(f64),
}

/// The same, where a schema is put together.
pub(crate) fn identifier() -> Schema {
    let scalar = SchemaType::from_iter([Type::String, Type::Number]);
    Schema::Object(ObjectBuilder::new().schema_type(scalar).build())
}

/// The same, with something in it.
pub(crate) fn filled_identifier() -> Schema {
    let scalar = SchemaType::from_iter([Type::String, Type::Number]);
    let scalar = ObjectBuilder::new().schema_type(scalar);
    Schema::Object(scalar.min_length(Some(1)).build())
}

/// A text with something in it.
pub(crate) fn filled() -> Schema {
    Schema::Object(text().min_length(Some(1)).build())
}

/// A UUID in lower case.
pub(crate) fn uuid() -> ObjectBuilder {
    text().format(Some(SchemaFormat::Custom("uuid".to_owned())))
}

/// A text that is base64 of JSON.
pub(crate) fn packed_json() -> Schema {
    let packed = text().content_encoding("base64");
    Schema::Object(packed.content_media_type("application/json").build())
}

/// An object that has these members, whatever they are.
pub(crate) fn having(members: &[&str]) -> RefOr<Schema> {
    let with = |object: ObjectBuilder, member: &&str| object.required(*member);
    let object = members.iter().fold(ObjectBuilder::new(), with);
    Schema::Object(object.build()).into()
}

/// An object whose member has this value.
pub(crate) fn saying(member: &str, value: Value) -> RefOr<Schema> {
    let value = ObjectBuilder::new().enum_values(Some([value]));
    let value = value.schema_type(SchemaType::AnyValue);
    let object = ObjectBuilder::new().property(member, value);
    Schema::Object(object.required(member).build()).into()
}

/// A schema that the document has under this name.
pub(crate) fn named(name: &str) -> RefOr<Schema> {
    Ref::from_schema_name(name).into()
}
