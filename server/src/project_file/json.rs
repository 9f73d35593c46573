//! JSON text to a [`Node`] tree.
//!
//! Our own reader, because every value must know its line and every number its digits, and because reading goes on after
//! faults that leave the structure clear.

use super::node::{
    Fault, MAX_DEPTH, Name, Node, Place, Value, drop_duplicates, is_json_number, number,
};

/// Reads one JSON value. `Err` is a text that has no structure; other faults are added to the list.
pub(crate) fn parse(text: &str, faults: &mut Vec<Fault>) -> Result<Node, Fault> {
    let mut reader = Reader {
        text,
        at: 0,
        line: 1,
        line_start: 0,
        faults,
    };
    reader.skip_blanks();
    let node = reader.value(0)?;
    reader.skip_blanks();
    if reader.peek().is_some() {
        return Err(reader.fault("unexpected text after the end of the value"));
    }
    Ok(node)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    line: usize,
    line_start: usize,
    faults: &'a mut Vec<Fault>,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn place(&self) -> Place {
        let before = self.text.get(self.line_start..self.at).unwrap_or("");
        Place {
            line: self.line,
            column: before.chars().count() + 1,
        }
    }

    fn fault(&self, message: impl Into<String>) -> Fault {
        Fault::new(self.place(), message)
    }

    fn skip_blanks(&mut self) {
        while let Some(byte) = self.text.as_bytes().get(self.at) {
            match byte {
                b'\n' => {
                    self.line += 1;
                    self.line_start = self.at + 1;
                }
                b' ' | b'\t' | b'\r' => {}
                _ => break,
            }
            self.at += 1;
        }
    }

    fn eat(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    fn expect(&mut self, wanted: char, what: &str) -> Result<(), Fault> {
        if self.eat(wanted) {
            Ok(())
        } else {
            Err(self.unexpected(what))
        }
    }

    fn unexpected(&self, wanted: &str) -> Fault {
        match self.peek() {
            Some(found) => self.fault(format!(
                "expected {wanted}, found `{}`",
                found.escape_debug()
            )),
            None => self.fault(format!("expected {wanted}, found the end of the text")),
        }
    }

    fn value(&mut self, depth: usize) -> Result<Node, Fault> {
        if depth > MAX_DEPTH {
            return Err(self.fault(format!("nested deeper than {MAX_DEPTH} levels")));
        }
        let place = self.place();
        let value = match self.peek() {
            Some('{') => self.map(depth)?,
            Some('[') => self.list(depth)?,
            Some('"') => Value::Text(self.string()?),
            _ => self.word(place)?,
        };
        Ok(Node { place, value })
    }

    fn map(&mut self, depth: usize) -> Result<Value, Fault> {
        self.expect('{', "`{`")?;
        let mut members = Vec::new();
        self.skip_blanks();
        if self.eat('}') {
            return Ok(Value::Map(members));
        }
        loop {
            self.skip_blanks();
            let place = self.place();
            if self.peek() != Some('"') {
                return Err(self.unexpected("a member name in double quotes"));
            }
            let text = self.string()?;
            self.skip_blanks();
            self.expect(':', "`:` after the member name")?;
            self.skip_blanks();
            members.push((Name { place, text }, self.value(depth + 1)?));
            self.skip_blanks();
            if !self.eat(',') {
                self.expect('}', "`,` or `}`")?;
                drop_duplicates(&mut members, self.faults);
                return Ok(Value::Map(members));
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<Value, Fault> {
        self.expect('[', "`[`")?;
        let mut items = Vec::new();
        self.skip_blanks();
        if self.eat(']') {
            return Ok(Value::List(items));
        }
        loop {
            self.skip_blanks();
            items.push(self.value(depth + 1)?);
            self.skip_blanks();
            if !self.eat(',') {
                self.expect(']', "`,` or `]`")?;
                return Ok(Value::List(items));
            }
        }
    }

    /// Finds the closing quote and leaves the escapes to `serde_json`.
    fn string(&mut self) -> Result<String, Fault> {
        let bytes = self.text.as_bytes();
        let mut end = self.at + 1;
        loop {
            match bytes.get(end) {
                Some(b'"') => break,
                Some(b'\\') => end += 2,
                Some(byte) if *byte < 0x20 => {
                    return Err(self.fault("a control character inside a text; escape it"));
                }
                Some(_) => end += 1,
                None => return Err(self.fault("a text without a closing quote")),
            }
        }
        let raw = self.text.get(self.at..=end).unwrap_or("");
        match serde_json::from_str(raw) {
            Ok(text) => {
                self.at = end + 1;
                Ok(text)
            }
            Err(error) => Err(self.fault(format!("a text that cannot be read: {error}"))),
        }
    }

    fn word(&mut self, place: Place) -> Result<Value, Fault> {
        let is_word = |c: char| c.is_alphanumeric() || matches!(c, '+' | '-' | '.' | '_');
        let word: &str = {
            let rest = self.rest();
            rest.get(..rest.find(|c| !is_word(c)).unwrap_or(rest.len()))
                .unwrap_or("")
        };
        let value = match word {
            "null" => Value::Null,
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            "" => return Err(self.unexpected("a value")),
            _ if is_json_number(word) => number(word).unwrap_or_else(|message| {
                self.faults.push(Fault::new(place, message));
                Value::Null
            }),
            _ => return Err(self.fault(format!("`{word}` is not a JSON value"))),
        };
        self.at += word.len();
        Ok(value)
    }
}

#[cfg(test)]
mod tests;
