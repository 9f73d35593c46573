//! The first minutes: `burgee serve --demo`, and the first request of the README with the answer printed there.

use burgee_integration_tests::clients::ClientProgram;
use burgee_integration_tests::deadline::eventually;
use burgee_integration_tests::http::{Connection, Request};
use burgee_integration_tests::{Kind, TestServer, program_path};
use serde_json::{Value, json};
use std::process::{Command, Stdio};

fn repository_file(name: &str) -> String {
    let path = format!("{}/../{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Returns the text of the first fenced block of this language.
fn block<'a>(text: &'a str, language: &str) -> &'a str {
    let start = format!("```{language}\n");
    let (_, rest) = text
        .split_once(&start)
        .unwrap_or_else(|| panic!("no {language} block in {text}"));
    rest.split_once("```").expect("the block ends").0
}

/// Makes the request of a curl command: its URL's path, its headers, its data.
fn request_of(curl: &str) -> Request {
    let joined = curl.replace("\\\n", " ");
    let words = shell_words(&joined);
    assert_eq!(words.first().map(String::as_str), Some("curl"), "{curl}");
    let url = words
        .iter()
        .find(|word| word.contains("/flags"))
        .expect("a URL");
    let (_, after_scheme) = url.split_once("://").unwrap_or(("", url));
    let target = &after_scheme[after_scheme.find('/').expect("a path")..];
    let after = |options: &[&str]| -> Vec<&str> {
        let pairs = words.iter().zip(words.iter().skip(1));
        pairs
            .filter(|(word, _)| options.contains(&word.as_str()))
            .map(|(_, next)| next.as_str())
            .collect()
    };
    let data = after(&["-d", "--data", "--json", "--data-raw"]);
    // What curl says of itself: a runtime is read from it.
    let request = Request::post(target).header("User-Agent", "curl/8.5.0");
    let mut request = request.body(*data.first().expect("data"));
    for header in after(&["-H", "--header"]) {
        let (name, value) = header.split_once(':').expect("a header");
        request = request.header(name, value.trim());
    }
    let typed = words.iter().any(|word| word == "--json") || !after(&["-H", "--header"]).is_empty();
    // What curl sends for `-d` alone is a form.
    if typed {
        request
    } else {
        request.header("Content-Type", "application/x-www-form-urlencoded")
    }
}

/// Splits as a shell does, as far as single and double quotes go.
fn shell_words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in text.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => word.get_or_insert_default().push(c),
            None if c == '\'' || c == '"' => {
                word.get_or_insert_default();
                quote = Some(c);
            }
            None if c.is_whitespace() => words.extend(word.take()),
            None => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// Takes out what differs from one answer to the next.
fn settle(mut answer: Value) -> Value {
    for member in ["requestId", "evaluatedAt"] {
        answer
            .as_object_mut()
            .unwrap()
            .remove(member)
            .expect(member);
    }
    answer
}

#[test]
fn the_demo_needs_nothing() {
    let server = TestServer::bare().arg("--demo").start();
    assert!(
        server.directory().join("burgee.db").is_file(),
        "the database is where one looks for it"
    );
    let answer = server.flags(
        2,
        &json!({"token": "phc_local_dev", "distinct_id": "someone", "evaluation_runtime": "all"}),
    );
    assert_eq!(answer["errorsWhileComputingFlags"], false);
    assert!(
        answer["flags"].as_object().unwrap().len() >= 3,
        "most features have a flag: {answer}"
    );
    server.stop();
}

#[test]
fn the_first_request_of_the_readme_gets_its_answer() {
    let readme = repository_file("README.md");
    let (_, rest) = readme
        .split_once("<!-- first-request -->")
        .expect("the marker");
    let (part, _) = rest.split_once("<!-- /first-request -->").expect("its end");
    let expected: Value = serde_json::from_str(block(part, "json")).expect("JSON");
    let server = TestServer::bare().arg("--demo").start();
    let answer = server.send(&request_of(block(part, "sh")));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(settle(answer.json()), settle(expected));
}

#[test]
fn the_first_flag_of_the_readme_comes_by_an_sdk() {
    let readme = repository_file("README.md");
    let (_, rest) = readme.split_once("<!-- first-flag -->").expect("a marker");
    let (part, _) = rest.split_once("<!-- /first-flag -->").expect("its end");
    let server = TestServer::bare().arg("--demo").start();
    let code = block(part, "python").replace("127.0.0.1:8080", server.address());
    let finished = ClientProgram::python_lines(&code)
        .run(|_| {})
        .expect_code(0);
    assert_eq!(finished.stdout, block(part, "text"), "{code}");
}

/// On a terminal the demo prints a request to paste and the answer it will give; Python's `pty` is the terminal here.
#[test]
fn what_a_terminal_shows_is_true() {
    let directory = tempfile::tempdir().unwrap();
    let script = format!("{}/clients/terminal.py", env!("CARGO_MANIFEST_DIR"));
    let mut terminal = Command::new("python3")
        .arg(script)
        .arg(program_path())
        .args(["serve", "--demo", "--listen", "127.0.0.1:0"])
        .current_dir(directory.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is here");
    let shown = Shown::of(terminal.stdout.take().unwrap());
    let (curl, expected) = eventually("the printed request and answer", || {
        shown.request_and_answer()
    });
    let address = address_of(&curl);
    let answer = Connection::open(&address).exchange(&request_of(&curl));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let mut answer = answer.json();
    let mut expected = expected;
    for value in [&mut answer, &mut expected] {
        let members = value.as_object_mut().unwrap();
        members.remove("requestId");
        members.remove("evaluatedAt");
    }
    assert_eq!(answer, expected);
    // The end of its input ends the terminal, and the program in it with exit code 0.
    drop(terminal.stdin.take());
    let status = eventually("the end of the terminal", || terminal.try_wait().unwrap());
    assert_eq!(status.code(), Some(0), "{}", shown.text());
}

fn address_of(curl: &str) -> String {
    let (_, rest) = curl.split_once("http://").expect("a URL");
    rest.split('/').next().unwrap().to_owned()
}

/// What a terminal has shown so far.
struct Shown(std::sync::Arc<std::sync::Mutex<String>>);

impl Shown {
    fn of(mut pipe: impl std::io::Read + Send + 'static) -> Self {
        let text = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
        let sink = std::sync::Arc::clone(&text);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = pipe.read(&mut buffer) {
                sink.lock()
                    .unwrap()
                    .push_str(&String::from_utf8_lossy(&buffer[..read]));
            }
        });
        Self(text)
    }

    fn text(&self) -> String {
        self.0.lock().unwrap().replace('\r', "")
    }

    /// Finds the curl command and the first JSON object after it, once both are complete.
    fn request_and_answer(&self) -> Option<(String, Value)> {
        let text = self.text();
        let start = text.find("curl ")?;
        let command_end = end_of_command(&text[start..])?;
        let (command, rest) = text[start..].split_at(command_end);
        let answer = serde_json::Deserializer::from_str(&rest[rest.find('{')?..])
            .into_iter()
            .next()?
            .ok()?;
        Some((command.to_owned(), answer))
    }
}

/// Returns where a shell command ends: at a line's end that is neither quoted nor escaped.
fn end_of_command(text: &str) -> Option<usize> {
    let mut quoted = false;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            '\'' => quoted = !quoted,
            '\n' if !quoted && !escaped => return Some(at),
            _ => {}
        }
        escaped = c == '\\';
    }
    None
}

#[test]
fn the_demo_prints_nothing_into_a_log() {
    let server = TestServer::bare().arg("--demo").start();
    assert!(!server.log().contains("curl "), "{}", server.log());
    let on_postgres = TestServer::on(Kind::Postgres).arg("--demo").start();
    let answer = on_postgres.flags(
        2,
        &json!({"token": "phc_local_dev", "distinct_id": "someone"}),
    );
    assert_eq!(answer["errorsWhileComputingFlags"], false);
}
