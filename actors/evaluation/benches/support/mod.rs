//! What all small benches share: a list of named cases, and the two ways to measure them.
//!
//! The server's benches use it too, by path. One list serves both ways, so that a case with a time has an instruction count.

pub(crate) mod world;

use criterion::Criterion;
use std::hint::black_box;

/// Something to measure. It is prepared only when it is its turn: most cases need a project compiled first.
pub(crate) struct Case {
    pub(crate) name: String,
    prepare: Box<dyn Fn() -> Box<dyn FnMut()>>,
}

impl Case {
    /// A case that prepares what it works on, and then works on it again and again.
    pub(crate) fn new<T: 'static, R>(
        name: impl Into<String>,
        prepare: impl Fn() -> T + 'static,
        work: impl Fn(&mut T) -> R + Copy + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            prepare: Box::new(move || {
                let mut prepared = prepare();
                Box::new(move || {
                    black_box(work(black_box(&mut prepared)));
                })
            }),
        }
    }
}

/// Measures times.
#[allow(dead_code, reason = "each bench measures in one of the two ways")]
pub(crate) fn times(cases: Vec<Case>) {
    let mut criterion = Criterion::default().configure_from_args();
    for case in cases {
        criterion.bench_function(&case.name, |bencher| {
            let mut work = (case.prepare)();
            bencher.iter(&mut work);
        });
    }
    criterion.final_summary();
}

/// Lists the cases, or, run under callgrind with the name of one, does its work once inside of [`counted`].
///
/// `integration-tests/bench-instructions` runs it, a process a case.
#[allow(dead_code, reason = "each bench measures in one of the two ways")]
#[expect(clippy::print_stdout, reason = "the list is what it is for")]
pub(crate) fn instructions(cases: Vec<Case>) {
    let wanted = std::env::args().nth(1).unwrap_or_default();
    for case in cases {
        if wanted == "--list" {
            println!("{}", case.name);
        } else if wanted == case.name {
            let mut work = (case.prepare)();
            // The first run pays for what is made on first use: caches of the pattern engine, thread locals.
            work();
            counted(&mut work);
        }
    }
}

/// What callgrind counts: it is told to collect between entry to and return from this function.
#[inline(never)]
fn counted(work: &mut dyn FnMut()) {
    work();
}
