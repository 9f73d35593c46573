//! A CSV of distinct ids, read as it arrives: a piece in, the ids that are complete out. What is held is one field.
//!
//! The ids are the first column, or the one whose name in the first line is `distinct_id`; then that line is a heading.

#[cfg(test)]
mod tests;

/// How long an id may be, in bytes. Longer ones are nobody's: none is stored that long.
const MAX_FIELD: usize = 4_096;
/// How many columns are looked at for a heading.
const MAX_COLUMNS: usize = 1_000;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads a CSV piece by piece.
#[derive(Debug, Default)]
pub struct CsvReader {
    state: State,
    field: Vec<u8>,
    /// Whether the field was longer than one is allowed to be.
    is_cut: bool,
    column: usize,
    /// The column of the ids; known after the first line.
    wanted: Option<usize>,
    /// What the first line may hold beside the ids: the id of its first column, until it is known not to be a heading.
    first: Option<Id>,
    line_is_empty: bool,
    is_past_first_line: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    /// At the beginning of a field.
    #[default]
    Start,
    /// Inside a field without quotes.
    Plain,
    /// Inside quotes.
    Quoted,
    /// Behind a quote inside quotes: it ends them, unless another one follows.
    Quote,
}

/// A distinct id of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Id {
    /// It is this one.
    Known(String),
    /// It is none that could be stored.
    Impossible,
}

impl CsvReader {
    /// Begins.
    pub fn new() -> Self {
        Self {
            line_is_empty: true,
            ..Self::default()
        }
    }

    /// Reads on; adds the ids of lines that are complete.
    pub fn read(&mut self, piece: &[u8], ids: &mut Vec<Id>) {
        for byte in piece {
            self.byte(*byte, ids);
        }
    }

    /// Ends; the last line need not have an end.
    pub fn finish(mut self, ids: &mut Vec<Id>) {
        if !self.line_is_empty || !self.field.is_empty() {
            self.end_line(ids);
        }
    }

    fn byte(&mut self, byte: u8, ids: &mut Vec<Id>) {
        match (self.state, byte) {
            (State::Quoted, b'"') => self.state = State::Quote,
            (State::Quoted, _) => self.push(byte),
            (State::Quote, b'"') => {
                self.push(b'"');
                self.state = State::Quoted;
            }
            (_, b',') => self.end_field(ids),
            (_, b'\n') => self.end_line(ids),
            // Blanks around an id are cut off at its end, this one too.
            (State::Start, b'"') => {
                self.line_is_empty = false;
                self.state = State::Quoted;
            }
            (_, byte) => {
                self.push(byte);
                if self.field == BYTE_ORDER_MARK && !self.is_past_first_line && self.column == 0 {
                    self.field.clear();
                    self.state = State::Start;
                } else {
                    self.state = State::Plain;
                }
            }
        }
    }

    fn push(&mut self, byte: u8) {
        if self.field.len() < MAX_FIELD {
            self.field.push(byte);
        } else {
            self.is_cut = true;
        }
    }

    fn end_field(&mut self, ids: &mut Vec<Id>) {
        let id = self.take();
        self.line_is_empty = false;
        let is_heading = matches!(&id, Some(Id::Known(name)) if is_name_of_ids(name));
        match self.wanted {
            Some(wanted) if self.column == wanted && self.is_past_first_line => ids.extend(id),
            Some(_) => {}
            None if is_heading => self.wanted = Some(self.column),
            None if self.column == 0 => self.first = id,
            None => {}
        }
        self.column = (self.column + 1).min(MAX_COLUMNS);
        self.state = State::Start;
    }

    fn end_line(&mut self, ids: &mut Vec<Id>) {
        if self.line_is_empty
            && self.field.iter().all(u8::is_ascii_whitespace)
            && self.state != State::Quote
        {
            self.field.clear();
        } else {
            self.end_field(ids);
            if !self.is_past_first_line {
                self.is_past_first_line = true;
                if self.wanted.is_none() {
                    self.wanted = Some(0);
                    ids.extend(self.first.take());
                }
            }
        }
        self.column = 0;
        self.line_is_empty = true;
        self.state = State::Start;
    }

    /// Takes the field; `None` when it is empty.
    fn take(&mut self) -> Option<Id> {
        let is_cut = std::mem::take(&mut self.is_cut);
        let field = std::mem::take(&mut self.field);
        let text = field.trim_ascii();
        if text.is_empty() {
            return None;
        }
        match std::str::from_utf8(text) {
            Ok(text) if !is_cut && !text.contains('\0') => Some(Id::Known(text.to_owned())),
            _ => Some(Id::Impossible),
        }
    }
}

fn is_name_of_ids(name: &str) -> bool {
    ["distinct_id", "distinct-id"]
        .iter()
        .any(|it| name.eq_ignore_ascii_case(it))
}
