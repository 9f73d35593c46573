//! Requests with events as the OpenAPI document shows them, where they are read piece by piece.

use super::wire::WireEvent;
use crate::openapi::schemas::{filled, filled_identifier, having, named};
use std::borrow::Cow;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{AllOfBuilder, AnyOfBuilder, ArrayBuilder, ObjectBuilder, Schema};
use utoipa::{PartialSchema, ToSchema};

/// An event that is taken: it has a name, and somebody did it.
#[derive(Debug)]
pub struct EventBody;

/// A request of version 0.
#[derive(Debug)]
pub struct EventsBody;

/// A request of version 1.
#[derive(Debug)]
pub struct NumberedEventsBody;

/// What a request of version 0 is answered with.
#[derive(Debug, ToSchema)]
#[schema(as = EventsTaken)]
pub struct Taken {
    /// `Ok`.
    pub status: String,
}

/// Nothing to say.
#[derive(Debug, ToSchema)]
#[schema(as = Dropped)]
pub struct Dropped {}

impl PartialSchema for EventBody {
    fn schema() -> RefOr<Schema> {
        let members = ["distinct_id", "$distinct_id"];
        let beside = members.map(identified_by);
        let inside = members.map(|member| holding("properties", identified_by(member)));
        let whom = beside.into_iter().chain(inside);
        let whom = whom.fold(AnyOfBuilder::new(), AnyOfBuilder::item);
        let all = AllOfBuilder::new()
            .item(named(&WireEvent::name()))
            .item(having(&["event"]))
            .item(whom)
            .description(Some("An event: it has a name, and somebody did it."));
        Schema::AllOf(all.build()).into()
    }
}

impl ToSchema for EventBody {
    fn name() -> Cow<'static, str> {
        "Event".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        WireEvent::schemas(schemas);
        schemas.push((WireEvent::name().into_owned(), WireEvent::schema()));
    }
}

impl PartialSchema for EventsBody {
    fn schema() -> RefOr<Schema> {
        let list = || events(&EventBody::name());
        let batch = ObjectBuilder::new()
            .property("token", filled())
            .property("api_key", filled())
            .property("batch", list())
            .required("batch");
        let any = AnyOfBuilder::new()
            .item(batch)
            .item(list())
            .item(named(&EventBody::name()))
            .description(Some(
                "A batch with its token, a list of events, or one event. All events have the same token.",
            ));
        Schema::AnyOf(any.build()).into()
    }
}

impl ToSchema for EventsBody {
    fn name() -> Cow<'static, str> {
        "Events".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        EventBody::schemas(schemas);
        schemas.push((EventBody::name().into_owned(), EventBody::schema()));
    }
}

impl PartialSchema for NumberedEventsBody {
    fn schema() -> RefOr<Schema> {
        let number = ObjectBuilder::new().property("uuid", filled());
        let numbered = AllOfBuilder::new()
            .item(named(&EventBody::name()))
            .item(number.required("uuid"));
        let numbered: RefOr<Schema> = Schema::AllOf(numbered.build()).into();
        let batch = ObjectBuilder::new()
            .property(
                "batch",
                ArrayBuilder::new().items(numbered).min_items(Some(1)),
            )
            .required("batch")
            .description(Some("A batch of events; each is answered under its uuid."));
        Schema::Object(batch.build()).into()
    }
}

impl ToSchema for NumberedEventsBody {
    fn name() -> Cow<'static, str> {
        "NumberedEvents".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        EventsBody::schemas(schemas);
    }
}

fn events(name: &str) -> ArrayBuilder {
    ArrayBuilder::new().items(named(name)).min_items(Some(1))
}

fn identified_by(member: &str) -> RefOr<Schema> {
    holding(member, filled_identifier().into())
}

fn holding(member: &str, schema: RefOr<Schema>) -> RefOr<Schema> {
    let object = ObjectBuilder::new().property(member, schema);
    Schema::Object(object.required(member).build()).into()
}
