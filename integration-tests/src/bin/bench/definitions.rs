//! `definitions`: the answer that SDKs poll which evaluate flags themselves, against a bare actix-web server with the same bytes.
//!
//! What is asked for is one project's 1,000 flags: plain, compressed, and not at all because the client has them already.

use crate::bench::Bench;
use crate::limit::{Loaded, load};
use crate::load::wire::{exchange, exchange_for};
use crate::load::{Prepared, Traffic};
use crate::report::{Findings, cell};
use crate::server::Server;
use crate::world::{World, secret, token};
use anyhow::{Result, ensure};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

const FLAGS: usize = 1_000;
const LIMIT: Duration = Duration::from_secs(30);

/// What is polled.
struct Poll {
    name: &'static str,
    throughput: &'static str,
    cpu: &'static str,
    /// Beyond the key.
    header: String,
    status: u16,
}

/// Measures every kind of poll.
pub(crate) fn run(bench: &Bench) -> Result<Findings> {
    let world = World::new(&[FLAGS], 1)?;
    let burgee = Server::burgee(bench, world.url())?;
    let first = request("Accept-Encoding: identity");
    let (status, tag) = exchange_for(burgee.address, &first, "etag", LIMIT)?;
    ensure!(status == 200, "Burgee answered {status}");
    let poll = |name, (throughput, cpu), header: &str, status| Poll {
        name,
        throughput,
        cpu,
        header: header.to_owned(),
        status,
    };
    let known = format!("If-None-Match: {tag}\r\nAccept-Encoding: gzip, deflate");
    let polls = [
        poll(
            "plain",
            ("throughput_200", "cpu_200"),
            "Accept-Encoding: identity",
            200,
        ),
        poll(
            "gzip",
            ("throughput_200_gzip", "cpu_200_gzip"),
            "Accept-Encoding: gzip, deflate",
            200,
        ),
        poll("304", ("throughput_304", "cpu_304"), &known, 304),
    ];
    let heads = [
        "answer",
        "bytes",
        "bare /s",
        "burgee /s",
        "ratio",
        "bare µs",
        "burgee µs",
    ];
    let mut findings = Findings {
        heads: heads.to_vec(),
        ..Findings::default()
    };
    for poll in &polls {
        measure(bench, &world, &burgee, poll, &mut findings)?;
    }
    Ok(findings)
}

fn measure(
    bench: &Bench,
    world: &World,
    burgee: &Server,
    poll: &Poll,
    findings: &mut Findings,
) -> Result<()> {
    let bytes = request(&poll.header);
    let (status, answer) = exchange(burgee.address, &bytes, LIMIT)?;
    ensure!(
        status == poll.status,
        "Burgee answered {status} to {}",
        poll.name
    );
    let file = world.directory().join(format!("definitions-{}", poll.name));
    std::fs::write(&file, &answer)?;
    let traffic = Arc::new(Traffic::new(1, |_| Prepared {
        class: 0,
        bytes: bytes.clone(),
    }));
    let bare = Server::bare(&file)?;
    let of_bare = load(bench, &format!("bare, {}", poll.name), &bare, &traffic)?;
    drop(bare);
    let of_burgee = load(bench, &format!("burgee, {}", poll.name), burgee, &traffic)?;
    tell(poll, answer.len(), &of_bare, &of_burgee, findings)
}

fn tell(
    poll: &Poll,
    length: usize,
    of_bare: &Loaded,
    of_burgee: &Loaded,
    findings: &mut Findings,
) -> Result<()> {
    let [bare, burgee] = [of_bare, of_burgee].map(|loaded| loaded.samples.goodput());
    findings.ratio(poll.throughput, Some(burgee), Some(bare));
    findings.ratio(poll.cpu, of_burgee.each(), of_bare.each());
    if poll.status == 304 {
        // Not a ratio: what a poll costs that finds nothing new, in microseconds.
        findings.ratios.push(("cpu_304_us", of_burgee.each()));
    }
    findings.row([
        poll.name.to_owned(),
        length.to_string(),
        cell(Some(bare), 0),
        cell(Some(burgee), 0),
        cell(Some(burgee / bare), 2),
        cell(of_bare.each(), 1),
        cell(of_burgee.each(), 1),
    ]);
    let figures = json!({
        "answer_bytes": length,
        "bare": of_bare.figures()?,
        "burgee": of_burgee.figures()?,
    });
    findings.figure(poll.name, figures);
    Ok(())
}

/// Returns the request of an SDK that polls, with one more header.
fn request(header: &str) -> Vec<u8> {
    let (token, secret) = (token(0), secret(0));
    format!(
        "GET /flags/definitions?token={token}&send_cohorts HTTP/1.1\r\nHost: bench\r\n\
         User-Agent: posthog-python/7.91.1\r\nAuthorization: Bearer {secret}\r\n{header}\r\n\r\n"
    )
    .into_bytes()
}
