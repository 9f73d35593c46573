//! `burgee replay`: recorded requests to two servers, and what differs. 0 is no difference, 1 is some, 2 is that it could not run.

use super::BAD_INPUT;
use crate::config::ReplayOptions;
use crate::replay::{Replayed, Requests, replay};
use burgee_schema::chain;
use std::io::{self, IsTerminal, Write};

/// The exit code when answers differ.
const DIFFERENT: u8 = 1;

/// Replays, and returns the exit code.
pub fn run(options: &ReplayOptions, out: &mut impl Write, err: &mut impl Write) -> u8 {
    let config = match options.resolve() {
        Ok(config) => config,
        Err(error) => return refuse(&error.to_string(), err),
    };
    let is_watched = io::stderr().is_terminal();
    let requests = Requests::new(config.files.clone());
    let replayed =
        actix_web::rt::System::new().block_on(replay(&config, requests, |compared, differing| {
            if is_watched {
                // Progress that cannot be shown is not needed.
                let _ = write!(err, "\r{compared} requests, {differing} with differences");
                let _ = err.flush();
            }
        }));
    if is_watched {
        let _ = writeln!(err);
    }
    let replayed = match replayed {
        Ok(replayed) => replayed,
        Err(error) => return refuse(&chain(&error), err),
    };
    if let Some(why) = why_not(&replayed) {
        return refuse(&why, err);
    }
    let text = match config.json {
        true => format!("{}\n", replayed.json()),
        false => replayed.text(),
    };
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) if replayed.has_differences() => DIFFERENT,
        Ok(()) => 0,
        Err(error) => refuse(&error.to_string(), err),
    }
}

/// Returns why nothing can be said: no request was for flags, or a server answered none.
fn why_not(replayed: &Replayed) -> Option<String> {
    if replayed.compared() == 0 {
        return Some("there is no request for flags in what was recorded".to_owned());
    }
    let silent = ["a", "b"]
        .iter()
        .zip(replayed.answered)
        .zip(&replayed.silence);
    let mut silent = silent.filter(|((_, answered), _)| *answered == 0);
    silent.next().map(|((name, _), why)| {
        let why = why.as_ref().map(ToString::to_string).unwrap_or_default();
        format!("--{name} answered no request: {why}")
    })
}

fn refuse(why: &str, err: &mut impl Write) -> u8 {
    // Nobody is left to tell when standard error is closed.
    let _ = writeln!(err, "{why}");
    BAD_INPUT
}
