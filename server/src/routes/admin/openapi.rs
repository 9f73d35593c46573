//! The admin API in the OpenAPI document.

use super::AdminRoute;
use crate::admin::activity::ActivityResponse;
use crate::admin::cohort::{CohortResponse, MembersResponse};
use crate::admin::flag::{FlagRequest, FlagResponse};
use crate::admin::openapi::{
    CohortUploaded, CohortWritten, FlagWritten, GroupTypesListed, MemberRemoved, MembersAdded,
};
use crate::admin::page::Page;
use crate::admin::person::{PersonResponse, uuid_of};
use crate::admin::project::{ProjectResponse, UserResponse};
use crate::body::{BodyError, BodyLimits};
use crate::credential::{Action, Resource, Scopes};
use crate::error::{AdminError, ApiError, Invalid, JsonError};
use crate::openapi::{Credential, Fault, Operation, Tag, path, query, schemas};
use crate::routes::faults;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa::openapi::path::{HttpMethod, Parameter};

/// The largest field of a form that is no file, in bytes.
const MAX_FIELD: usize = 1 << 20;

/// Describes the methods of one of the paths.
pub(in crate::routes) fn describe(route: AdminRoute) -> Vec<Operation> {
    use Action::Read;
    use Resource::{Cohorts, Flags, Groups, Persons, Projects, Users};
    let get = |id: &str, of, summary: &str, about: &str| {
        start(HttpMethod::Get, id, (of, Read)).about(summary, about)
    };
    match route {
        AdminRoute::Flags => flags(),
        AdminRoute::Flag => flag(),
        AdminRoute::Cohorts => cohorts(),
        AdminRoute::Cohort => cohort(),
        AdminRoute::AddPersons => vec![add_persons()],
        AdminRoute::RemovePerson => vec![remove_person()],
        AdminRoute::FlagsActivity => vec![history(get("flags_activity", Flags, "What was done to flags", HISTORY), None)],
        AdminRoute::FlagActivity => vec![history(get("flag_activity", Flags, "What was done to a flag", HISTORY), Some("3"))],
        AdminRoute::CohortActivity => vec![history(get("cohort_activity", Cohorts, "What was done to a cohort", HISTORY), Some("1"))],
        AdminRoute::Activity => {
            let scope = "Only what was done to this: `FeatureFlag`, `Cohort`, `Project` or `PersonalAPIKey`.";
            let all = get("activity", Resource::Activity, "What was done in a project", HISTORY);
            vec![history(all, None).parameters([
                query("scope", schemas::text(), scope),
                query("item_id", schemas::text(), "And only to the one with this id."),
            ])]
        }
        AdminRoute::CohortPersons => vec![paged::<PersonResponse>(
            get("cohort_persons", Cohorts, "Members of a static cohort", "Who is on its stored list."),
            Some("1"),
            &person(),
        )],
        AdminRoute::Persons => {
            let all = get("persons", Persons, "Persons", "All, or those that a distinct id leads to.");
            vec![paged::<PersonResponse>(all, None, &person()).parameters([
                query("distinct_id", schemas::text(), "The person with this distinct id."),
                query("search", schemas::text(), "Persons with this in a distinct id."),
            ])]
        }
        AdminRoute::Person => vec![
            get("person", Persons, "A person", "By its UUID or its number.")
                .parameters([project_in_path(), path("id", "The UUID or the number.", "1")])
                .answers::<PersonResponse>(200, "The person.", person())
                .fails::<JsonError>([not_found()]),
        ],
        AdminRoute::GroupTypes => vec![
            get("group_types", Groups, "Group types", "By index.")
                .parameters([project_in_path()])
                .answers::<GroupTypesListed>(
                    200,
                    "The group types.",
                    json!([{"group_type": "company", "group_type_index": 0, "name_singular": null, "name_plural": null}]),
                )
                .fails::<JsonError>([not_found()]),
        ],
        AdminRoute::Projects => {
            let all = get("projects", Projects, "The projects of a key", "There is one.");
            vec![with_page::<ProjectResponse>(all, &project())]
        }
        AdminRoute::Project => vec![
            get("project", Projects, "A project", "The project of the key.")
                .parameters([project_in_path()])
                .answers::<ProjectResponse>(200, "The project.", project())
                .fails::<JsonError>([not_found()]),
        ],
        AdminRoute::Me => vec![
            get("me", Users, "Whose a key is", "Keys belong to nobody with a name: they have labels.")
                .answers::<UserResponse>(200, "The holder of the key.", holder()),
        ],
    }
}

const HISTORY: &str =
    "Who did what, and when; what was before and what after. The newest comes first.";

fn flags() -> Vec<Operation> {
    let read = (Resource::Flags, Action::Read);
    let write = (Resource::Flags, Action::Write);
    let list = start(HttpMethod::Get, "list_flags", read)
        .about("Flags", "Those of a project that are not deleted.");
    let kinds = ["boolean", "multivariant", "experiment", "remote_config"];
    let orders = schemas::text();
    let list = paged::<FlagResponse>(list, None, &shown_flag()).parameters([
        query("search", schemas::text(), "Flags with this in key or name."),
        query("active", schemas::boolean(), "Whether they are on."),
        query("type", schemas::words(&kinds), "Of which kind they are."),
        query(
            "tags",
            schemas::text(),
            "Words of which they have one: JSON, or separated by commas.",
        ),
        query(
            "evaluation_runtime",
            schemas::words(&["all", "client", "server"]),
            "Where they are evaluated.",
        ),
        query("created_by_id", schemas::text(), "Who created them."),
        query(
            "order",
            orders,
            "The member by which the list is ordered, with `-` in front for the other way round.",
        ),
    ]);
    let create = start(HttpMethod::Post, "create_flag", write)
        .about("Create a flag", "It needs a key and a condition set. Members of `filters` that are not known here are kept.")
        .parameters([project_in_path()])
        .takes::<FlagWritten>(&["application/json"], &written_flag())
        .answers::<FlagResponse>(201, "The flag.", shown_flag())
        .fails::<JsonError>([not_found()])
        .fails::<JsonError>(written_faults())
        .fails::<JsonError>(flag_faults())
        .fails::<JsonError>([
            invalid("required", Invalid::new("key", "required", "This field is required.")),
            invalid("unique", Invalid::new("key", "unique", "There is already a feature flag with this key.")),
        ]);
    vec![list, create]
}

fn flag() -> Vec<Operation> {
    let id = || path("id", "The flag's id.", "3");
    let show = start(HttpMethod::Get, "flag", (Resource::Flags, Action::Read))
        .about("A flag", "Deleted or not.")
        .parameters([project_in_path(), id()])
        .answers::<FlagResponse>(200, "The flag.", shown_flag())
        .fails::<JsonError>([not_found()]);
    let change = |method, name| {
        start(method, name, (Resource::Flags, Action::Write))
            .about(
                "Change a flag",
                "What the body leaves out stays as it is; `filters` are replaced whole. `deleted` hides a flag, and brings it back.",
            )
            .parameters([project_in_path(), id()])
            .takes::<FlagWritten>(&["application/json"], &json!({"name": "Pricing page, second try"}))
            .answers::<FlagResponse>(200, "The flag.", shown_flag())
            .fails::<JsonError>([not_found(), admin("conflict", &AdminError::Conflict)])
            .fails::<JsonError>(written_faults())
            .fails::<JsonError>(flag_faults())
    };
    vec![
        show,
        change(HttpMethod::Patch, "change_flag"),
        change(HttpMethod::Put, "put_flag"),
    ]
}

fn cohorts() -> Vec<Operation> {
    let list = start(
        HttpMethod::Get,
        "list_cohorts",
        (Resource::Cohorts, Action::Read),
    )
    .about("Cohorts", "Those of a project that are not deleted.")
    .parameters([query(
        "search",
        schemas::text(),
        "Cohorts with this in their name.",
    )]);
    let create = start(
        HttpMethod::Post,
        "create_cohort",
        (Resource::Cohorts, Action::Write),
    )
    .about(
        "Create a cohort",
        "By properties, or as a stored list: of persons, or of distinct ids in a file.",
    )
    .parameters([project_in_path()])
    .answers::<CohortResponse>(201, "The cohort.", shown_cohort());
    let create = written_cohort(create, &json!({"name": "Beta testers", "is_static": true}));
    let required = Invalid::new("name", "required", "This field is required.");
    vec![
        paged::<CohortResponse>(list, None, &shown_cohort()),
        create.fails::<JsonError>([invalid("required", required)]),
    ]
}

fn cohort() -> Vec<Operation> {
    let id = || path("id", "The cohort's id.", "1");
    let show = start(HttpMethod::Get, "cohort", (Resource::Cohorts, Action::Read))
        .about("A cohort", "Deleted or not.")
        .parameters([project_in_path(), id()])
        .answers::<CohortResponse>(200, "The cohort.", shown_cohort())
        .fails::<JsonError>([not_found()]);
    let change = |method, name| {
        let operation = start(method, name, (Resource::Cohorts, Action::Write))
            .about(
                "Change a cohort",
                "What the body leaves out stays as it is. A file adds to the stored list.",
            )
            .parameters([project_in_path(), id()])
            .answers::<CohortResponse>(200, "The cohort.", shown_cohort())
            .fails::<JsonError>([admin("conflict", &AdminError::Conflict)]);
        written_cohort(
            operation,
            &json!({"description": "Those who try everything first."}),
        )
    };
    vec![
        show,
        change(HttpMethod::Patch, "change_cohort"),
        change(HttpMethod::Put, "put_cohort"),
    ]
}

/// Adds what all methods have in common that write a cohort.
fn written_cohort(operation: Operation, example: &Value) -> Operation {
    let blank = Invalid::new("name", "blank", "This field may not be blank.");
    let too_large = AdminError::UploadTooLarge { limit: MAX_FIELD };
    operation
        .takes::<CohortWritten>(&["application/json"], example)
        .takes::<CohortUploaded>(
            &["multipart/form-data"],
            &json!({"name": "Beta testers", "csv": "distinct_id\nada\n"}),
        )
        .fails::<JsonError>([
            not_found(),
            invalid("blank", blank),
            admin("upload_too_large", &too_large),
        ])
        .fails::<JsonError>(written_faults())
}

fn add_persons() -> Operation {
    let operation = start(
        HttpMethod::Patch,
        "add_persons",
        (Resource::Cohorts, Action::Write),
    )
    .about("Add members", "Persons become members of a static cohort.")
    .parameters([project_in_path(), path("id", "The cohort's id.", "1")])
    .takes::<MembersAdded>(
        &["application/json"],
        &json!({"person_ids": [uuid_of(1).to_string()]}),
    );
    let required = Invalid::new("person_ids", "required", "This field is required.");
    of_members(operation, required)
}

fn remove_person() -> Operation {
    let operation = start(
        HttpMethod::Patch,
        "remove_person",
        (Resource::Cohorts, Action::Write),
    )
    .about(
        "Remove a member",
        "A person is no member of a static cohort any more.",
    )
    .parameters([project_in_path(), path("id", "The cohort's id.", "1")])
    .takes::<MemberRemoved>(
        &["application/json"],
        &json!({"person_id": uuid_of(1).to_string()}),
    );
    let required = Invalid::new("person_id", "required", "This field is required.");
    of_members(operation, required)
}

fn of_members(operation: Operation, required: Invalid) -> Operation {
    operation
        .answers::<MembersResponse>(
            200,
            "What has changed.",
            json!({"success": true, "changed": 1, "unknown": 0}),
        )
        .fails::<JsonError>([not_found(), invalid("required", required)])
        .fails::<JsonError>(written_faults())
}

/// Begins an operation with what every one of them has: the key, and what may go wrong before anything is done.
fn start(method: HttpMethod, id: &str, (of, action): (Resource, Action)) -> Operation {
    let mut errors = vec![
        ("no_credentials", ApiError::NoCredentials),
        ("invalid_personal_key", ApiError::InvalidPersonalKey),
        ("invalid_secret_key", ApiError::InvalidSecretKey),
        ("database_unavailable", ApiError::DatabaseUnavailable),
        ("timed_out", ApiError::TimedOut),
        ("database", ApiError::Database),
        ("internal", ApiError::Internal),
    ];
    if let Err(lacking) = Scopes::default().require(of, action) {
        errors.push(("missing_scope", lacking.into()));
    }
    errors.extend(faults::refusals());
    let faults = errors.into_iter();
    let faults = faults.map(|(name, error)| Fault::api(name, &error.as_json()));
    Operation::new(method, id, Tag::Admin)
        .secured(&[Credential::PersonalKey])
        .fails::<JsonError>(faults)
}

fn history(operation: Operation, id: Option<&str>) -> Operation {
    let entry = json!({
        "id": 12, "user": author(), "activity": "updated", "scope": "FeatureFlag", "item_id": "3",
        "detail": {"name": "pricing-page", "changes": [
            {"type": "FeatureFlag", "action": "changed", "field": "active", "before": false, "after": true},
        ]},
        "created_at": "2026-01-05T09:00:00.000000Z",
    });
    paged::<ActivityResponse>(operation, id, &entry)
}

/// Answers with a part of a list, in a project, or of what has an id there.
fn paged<T>(operation: Operation, id: Option<&str>, entry: &Value) -> Operation
where
    T: ToSchema,
    Page<T>: ToSchema,
{
    let id = id.map(|example| path("id", "The id.", example));
    let operation = operation.parameters([project_in_path()]).parameters(id);
    with_page::<T>(operation, entry).fails::<JsonError>([not_found()])
}

fn with_page<T>(operation: Operation, entry: &Value) -> Operation
where
    T: ToSchema,
    Page<T>: ToSchema,
{
    let page = json!({"count": 1, "next": null, "previous": null, "results": [entry]});
    operation
        .parameters([
            query(
                "limit",
                schemas::whole(1),
                "How many entries, at most 1,000; 100 where it is not said.",
            ),
            query(
                "offset",
                schemas::whole(0),
                "How many entries of the list come before.",
            ),
        ])
        .answers_generic::<Page<T>, T>(200, "A part of the list.", page)
}

fn project_in_path() -> Parameter {
    let about = "The project's id, or `@current` for the key's project.";
    path("project", about, "@current")
}

fn admin(name: &'static str, error: &AdminError) -> Fault {
    Fault::admin(name, error)
}

fn invalid(name: &'static str, what: Invalid) -> Fault {
    Fault::admin(name, &what.into())
}

fn not_found() -> Fault {
    Fault::admin("no_such_object", &AdminError::NOT_FOUND)
}

/// What may be wrong with any body.
fn written_faults() -> Vec<Fault> {
    let limit = BodyLimits::default().received;
    let mut all = vec![
        admin("incomplete", &BodyError::Incomplete.into()),
        admin("too_slow", &BodyError::TimedOut.into()),
        admin("too_large", &BodyError::TooLarge { limit }.into()),
    ];
    // The reader says it in its own words.
    all.extend(
        FlagRequest::parse("{")
            .err()
            .map(|what| invalid("invalid_json", what)),
    );
    all
}

/// What may be wrong with a flag, whether it is new or not.
fn flag_faults() -> [Fault; 2] {
    let key = "Only letters, numbers, hyphens (-) & underscores (_) are allowed.";
    [
        invalid("invalid_key", Invalid::new("key", "invalid_key", key)),
        invalid(
            "invalid_input",
            Invalid::input("archived", "An archived flag must be inactive."),
        ),
    ]
}

fn author() -> Value {
    json!({"id": 977_215_841, "uuid": "0d3b9f7e-6a51-8c2d-9e4f-1a2b3c4d5e6f", "first_name": "deploy", "email": ""})
}

fn written_flag() -> Value {
    json!({
        "key": "beta-search",
        "name": "Beta search",
        "active": true,
        "filters": {"groups": [{"properties": [], "rollout_percentage": 25}]},
        "tags": ["search"],
    })
}

fn shown_flag() -> Value {
    json!({
        "id": 3, "name": "Pricing page", "key": "pricing-page",
        "filters": {"groups": [{"properties": [], "rollout_percentage": 25, "aggregation_group_type_index": null}]},
        "deleted": false, "active": true, "archived": false, "created_by": author(),
        "created_at": "2026-01-05T09:00:00.000000Z", "updated_at": "2026-01-05T09:00:00.000000Z",
        "last_modified_by": author(), "last_called_at": null, "version": 1,
        "ensure_experience_continuity": false, "tags": [], "evaluation_runtime": "all",
        "evaluation_contexts": [], "evaluation_tags": [], "bucketing_identifier": null,
        "is_remote_configuration": false, "has_encrypted_payloads": false, "rollout_percentage": 25,
        "status": "ACTIVE", "can_edit": true, "user_access_level": "manager", "experiment_set": [],
        "surveys": [], "features": [], "rollback_conditions": [], "analytics_dashboards": [],
        "usage_dashboard": null,
    })
}

fn shown_cohort() -> Value {
    json!({
        "id": 1, "name": "Beta testers", "description": "", "filters": null, "groups": [], "deleted": false,
        "is_static": true, "count": 1, "is_calculating": false, "version": 1,
        "created_at": "2026-01-05T09:00:00.000000Z", "created_by": author(), "last_calculation": null,
        "errors_calculating": 0, "cohort_type": null, "experiment_set": [],
    })
}

fn person() -> Value {
    json!({
        "id": 1, "uuid": uuid_of(1).to_string(), "name": "ada", "distinct_ids": ["ada", "ada-phone"],
        "properties": {"plan": "enterprise"}, "created_at": "2026-01-05T09:00:00.000000Z",
    })
}

fn project() -> Value {
    json!({
        "id": 1, "organization": "00000000-0000-8000-8000-000000000001", "name": "Shop",
        "api_token": "phc_local_dev", "secret_api_token": null, "timezone": "UTC",
    })
}

fn holder() -> Value {
    json!({
        "id": 977_215_841, "uuid": "0d3b9f7e-6a51-8c2d-9e4f-1a2b3c4d5e6f", "first_name": "deploy", "email": "",
        "team": project(),
        "organization": {"id": "00000000-0000-8000-8000-000000000001", "name": "Burgee"},
    })
}
