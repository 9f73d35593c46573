//! Cases for whole evaluations, a file a chapter.

mod dependencies;
mod failures;
mod identifiers;
mod needs;
mod steps;
