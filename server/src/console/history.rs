//! The last few minutes, bounded in number and in age, so that a page that is opened in the night shows how it came to this.

use bytes::Bytes;
use std::collections::VecDeque;

/// How many samples are kept: five minutes at one a second.
const MOST: usize = 300;
/// How old one may become, in milliseconds: what was taken slowly, while nobody watched, reaches further back.
const OLDEST: i64 = 15 * 60 * 1_000;

/// Samples as JSON, the oldest first.
#[derive(Debug, Default)]
pub(super) struct History(VecDeque<(i64, Bytes)>);

impl History {
    /// Adds the newest. `at` is in milliseconds of Unix time.
    pub(super) fn push(&mut self, at: i64, sample: Bytes) {
        self.0.push_back((at, sample));
        while self.0.len() > MOST
            || self
                .0
                .front()
                .is_some_and(|(first, _)| *first < at - OLDEST)
        {
            self.0.pop_front();
        }
    }

    /// Writes all of them as a JSON array.
    pub(super) fn write(&self, text: &mut Vec<u8>) {
        let bytes: usize = self.0.iter().map(|(_, sample)| sample.len() + 1).sum();
        text.reserve(bytes + 2);
        text.push(b'[');
        for (index, (_, sample)) in self.0.iter().enumerate() {
            if index > 0 {
                text.push(b',');
            }
            text.extend_from_slice(sample);
        }
        text.push(b']');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(history: &History) -> Vec<i64> {
        let mut text = Vec::new();
        history.write(&mut text);
        serde_json::from_slice(&text).unwrap()
    }

    fn push(history: &mut History, at: i64) {
        history.push(at, at.to_string().into());
    }

    #[test]
    fn it_is_bounded_in_number_and_age() {
        let mut history = History::default();
        assert_eq!(kept(&history), [0; 0]);
        for at in 0..1_000 {
            push(&mut history, at);
        }
        assert_eq!(kept(&history), (700..1_000).collect::<Vec<_>>());
        push(&mut history, OLDEST + 998);
        assert_eq!(kept(&history), [998, 999, OLDEST + 998]);
    }
}
