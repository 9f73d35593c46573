//! The paths of the admin API (chapter 9), and what each method of them does.
//!
//! All answer under `/api/projects` and `/api/environments`, with and without a trailing slash. A handler reads as a sentence:
//! who asks, what is asked, what is stored, what is answered.

mod activity;
mod cohorts;
mod flags;
mod members;
pub(super) mod openapi;
mod persons;
mod projects;
mod upload;
mod visit;

use super::{is_path_of, read_only as read};
use crate::error::AdminError;
use actix_web::http::Method;
use actix_web::http::header::ALLOW;
use actix_web::{HttpRequest, HttpResponse, Resource, web};

const PROJECTS: &str = "/api/projects";
const ENVIRONMENTS: &str = "/api/environments";

/// A path of the admin API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdminRoute {
    /// All flags
    Flags,
    /// The history of all flags
    FlagsActivity,
    /// One flag
    Flag,
    /// Its history
    FlagActivity,
    /// All cohorts
    Cohorts,
    /// One cohort
    Cohort,
    /// Its members
    CohortPersons,
    /// New members of it
    AddPersons,
    /// A member that it loses
    RemovePerson,
    /// Its history
    CohortActivity,
    /// The names of group types
    GroupTypes,
    /// Persons
    Persons,
    /// One person
    Person,
    /// The history of a project
    Activity,
    /// The projects of a key
    Projects,
    /// One project
    Project,
    /// The holder of a key
    Me,
}

impl AdminRoute {
    /// Every route; one that is more exact before those that take anything in its place.
    pub const ALL: [Self; 17] = [
        Self::Flags,
        Self::FlagsActivity,
        Self::Flag,
        Self::FlagActivity,
        Self::Cohorts,
        Self::Cohort,
        Self::CohortPersons,
        Self::AddPersons,
        Self::RemovePerson,
        Self::CohortActivity,
        Self::GroupTypes,
        Self::Persons,
        Self::Person,
        Self::Activity,
        Self::Projects,
        Self::Project,
        Self::Me,
    ];

    /// Returns the path, without a trailing slash.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Flags => "/api/projects/{project}/feature_flags",
            Self::FlagsActivity => "/api/projects/{project}/feature_flags/activity",
            Self::Flag => "/api/projects/{project}/feature_flags/{id}",
            Self::FlagActivity => "/api/projects/{project}/feature_flags/{id}/activity",
            Self::Cohorts => "/api/projects/{project}/cohorts",
            Self::Cohort => "/api/projects/{project}/cohorts/{id}",
            Self::CohortPersons => "/api/projects/{project}/cohorts/{id}/persons",
            Self::AddPersons => "/api/projects/{project}/cohorts/{id}/add_persons_to_static_cohort",
            Self::RemovePerson => {
                "/api/projects/{project}/cohorts/{id}/remove_person_from_static_cohort"
            }
            Self::CohortActivity => "/api/projects/{project}/cohorts/{id}/activity",
            Self::GroupTypes => "/api/projects/{project}/groups_types",
            Self::Persons => "/api/projects/{project}/persons",
            Self::Person => "/api/projects/{project}/persons/{id}",
            Self::Activity => "/api/projects/{project}/activity_log",
            Self::Projects => "/api/projects",
            Self::Project => "/api/projects/{project}",
            Self::Me => "/api/users/@me",
        }
    }

    /// Returns the methods it answers, as `Allow` lists them.
    pub const fn methods(self) -> &'static str {
        match self {
            Self::Flags | Self::Cohorts => "GET, POST, HEAD, OPTIONS",
            Self::Flag | Self::Cohort => "GET, PUT, PATCH, HEAD, OPTIONS",
            Self::AddPersons | Self::RemovePerson => "PATCH, OPTIONS",
            _ => "GET, HEAD, OPTIONS",
        }
    }

    /// Returns the route of a path without a trailing slash.
    pub(super) fn of(path: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        match path.strip_prefix(ENVIRONMENTS) {
            None => all.find(|route| is_path_of(path, route.label())),
            Some(rest) => all.find(|route| {
                let label = route.label().strip_prefix(PROJECTS);
                route.is_in_a_project() && label.is_some_and(|label| is_path_of(rest, label))
            }),
        }
    }

    /// Returns whether its path names a project.
    const fn is_in_a_project(self) -> bool {
        !matches!(self, Self::Projects | Self::Me)
    }

    /// Adds its methods to one of its paths.
    fn register(self, it: Resource) -> Resource {
        match self {
            Self::Flags => read(it, flags::list).route(web::post().to(flags::create)),
            Self::FlagsActivity => read(it, activity::of_flags),
            Self::Flag => read(it, flags::show)
                .route(web::patch().to(flags::update))
                .route(web::put().to(flags::update)),
            Self::FlagActivity => read(it, activity::of_flag),
            Self::Cohorts => read(it, cohorts::list).route(web::post().to(cohorts::create)),
            Self::Cohort => read(it, cohorts::show)
                .route(web::patch().to(cohorts::update))
                .route(web::put().to(cohorts::update)),
            Self::CohortPersons => read(it, members::list),
            Self::AddPersons => it.route(web::patch().to(members::add)),
            Self::RemovePerson => it.route(web::patch().to(members::remove)),
            Self::CohortActivity => read(it, activity::of_cohort),
            Self::GroupTypes => read(it, projects::group_types),
            Self::Persons => read(it, persons::list),
            Self::Person => read(it, persons::show),
            Self::Activity => read(it, activity::of_project),
            Self::Projects => read(it, projects::list),
            Self::Project => read(it, projects::show),
            Self::Me => read(it, projects::me),
        }
    }
}

/// Registers all of them.
pub(super) fn configure(config: &mut web::ServiceConfig) {
    for route in AdminRoute::ALL {
        let label = route.label();
        let mut paths = vec![label.to_owned()];
        if let Some(rest) = label.strip_prefix(PROJECTS)
            && route.is_in_a_project()
        {
            paths.push(format!("{ENVIRONMENTS}{rest}"));
        }
        for path in paths {
            for path in [format!("{path}/"), path] {
                let resource = route.register(web::resource(path));
                config.service(fallbacks(resource, route.methods()));
            }
        }
    }
}

/// Adds the answers to a plain `OPTIONS` and to methods that a route does not know.
fn fallbacks(resource: Resource, allow: &'static str) -> Resource {
    resource
        .route(web::method(Method::OPTIONS).to(move || async move {
            HttpResponse::NoContent()
                .insert_header((ALLOW, allow))
                .finish()
        }))
        .default_service(web::to(move |request: HttpRequest| async move {
            let method = request.method().to_string();
            Err::<HttpResponse, _>(AdminError::MethodNotAllowed { method, allow })
        }))
}

#[cfg(test)]
mod tests;
