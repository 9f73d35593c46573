//! What an import has to say about what it read.

use std::fmt;

/// What a note is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoteKind {
    /// It cannot be expressed, and is not in the file.
    LeftOut,
    /// It is in the file, and some people will get another answer than before.
    Differs,
    /// Nobody got an answer from it before either: something deleted, for example.
    Skipped,
}

/// Something that whoever imports should know.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note {
    /// What it is about.
    pub kind: NoteKind,
    /// What it concerns: `flag new-checkout`.
    pub subject: String,
    /// What is to be known, as a clause.
    pub message: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            NoteKind::LeftOut => "left out",
            NoteKind::Differs => "differs",
            NoteKind::Skipped => "skipped",
        };
        // A name may hold anything, and a note is one line.
        let line = format!("{kind}: {}: {}", self.subject, self.message);
        f.write_str(&line.replace(char::is_control, " "))
    }
}

/// Notes, each once.
#[derive(Debug, Default)]
pub(crate) struct Notes(Vec<Note>);

impl Notes {
    /// Notes that something is not in the file.
    pub(crate) fn left_out(&mut self, subject: &str, message: impl Into<String>) {
        self.add(NoteKind::LeftOut, subject, message.into());
    }

    /// Notes that something will answer differently.
    pub(crate) fn differs(&mut self, subject: &str, message: impl Into<String>) {
        self.add(NoteKind::Differs, subject, message.into());
    }

    /// Notes that something meant nothing before either.
    pub(crate) fn skipped(&mut self, subject: &str, message: impl Into<String>) {
        self.add(NoteKind::Skipped, subject, message.into());
    }

    fn add(&mut self, kind: NoteKind, subject: &str, message: String) {
        self.0.push(Note {
            kind,
            subject: subject.to_owned(),
            message,
        });
    }

    /// Returns the notes by kind and subject, without repetitions. What is left out answers nothing, so no difference is told
    /// of it.
    pub(crate) fn into_sorted(mut self) -> Vec<Note> {
        self.0.sort();
        self.0.dedup();
        let gone: Vec<String> = (self.0.iter())
            .filter(|note| note.kind == NoteKind::LeftOut)
            .map(|note| note.subject.clone())
            .collect();
        self.0
            .retain(|note| note.kind != NoteKind::Differs || !gone.contains(&note.subject));
        self.0
    }
}
