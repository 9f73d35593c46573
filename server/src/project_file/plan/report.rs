//! What a plan says about each object.

use std::fmt;

/// What happens to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// It is new.
    Created,
    /// It differs.
    Changed,
    /// It is as the file says.
    Unchanged,
    /// It goes away.
    Removed,
}

impl Action {
    /// Returns the word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
            Self::Removed => "removed",
        }
    }
}

/// What kind of object it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A project and its settings.
    Project,
    /// A group type.
    GroupType,
    /// A secret token.
    SecretToken,
    /// A personal key.
    PersonalKey,
    /// A cohort.
    Cohort,
    /// A flag.
    Flag,
    /// A group.
    Group,
    /// A person.
    Person,
}

impl Kind {
    /// Returns the words for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Project => "project",
            Self::GroupType => "group type",
            Self::SecretToken => "secret token",
            Self::PersonalKey => "personal key",
            Self::Cohort => "cohort",
            Self::Flag => "flag",
            Self::Group => "group",
            Self::Person => "person",
        }
    }
}

/// One line of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What happens.
    pub action: Action,
    /// To what kind of object.
    pub kind: Kind,
    /// In which project.
    pub project: i64,
    /// To which object. Never a secret: tokens and keys show their fingerprint or label.
    pub name: String,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (action, kind, name) = (self.action.name(), self.kind.name(), &self.name);
        write!(f, "{action:<9} {kind} {name}")?;
        match self.kind {
            Kind::Project => Ok(()),
            _ => write!(f, " (project {})", self.project),
        }
    }
}

/// How many objects of each action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// New objects.
    pub created: usize,
    /// Objects that differ.
    pub changed: usize,
    /// Objects that are as the file says.
    pub unchanged: usize,
    /// Objects that go away.
    pub removed: usize,
}

impl Totals {
    /// Counts lines.
    pub fn of<'a>(lines: impl IntoIterator<Item = &'a Line>) -> Self {
        let mut totals = Self::default();
        for line in lines {
            match line.action {
                Action::Created => totals.created += 1,
                Action::Changed => totals.changed += 1,
                Action::Unchanged => totals.unchanged += 1,
                Action::Removed => totals.removed += 1,
            }
        }
        totals
    }

    /// Returns whether nothing has to be written.
    pub fn is_unchanged(&self) -> bool {
        self.created + self.changed + self.removed == 0
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} created, {} changed, {} unchanged, {} removed",
            self.created, self.changed, self.unchanged, self.removed
        )
    }
}
