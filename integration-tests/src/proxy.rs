//! A proxy in front of a Postgres that makes it worse.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// What the proxy does to what the server says.
#[derive(Debug, Clone, Copy)]
enum Fault {
    /// It comes later.
    Late(Duration),
    /// Notifications do not come at all.
    Deaf,
}

/// A proxy; it ends with the process.
pub struct Proxy {
    address: SocketAddr,
}

impl Proxy {
    /// Makes one that passes on what the server says with a delay.
    pub fn slow(server: SocketAddr, delay: Duration) -> Self {
        Self::start(server, Fault::Late(delay))
    }

    /// Makes one that keeps notifications to itself.
    pub fn deaf(server: SocketAddr) -> Self {
        Self::start(server, Fault::Deaf)
    }

    fn start(server: SocketAddr, fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                thread::spawn(move || pass(client, server, fault));
            }
        });
        Self { address }
    }

    /// Returns the URL of a database of the server, by way of the proxy.
    pub fn url(&self, url: &str) -> String {
        let (before, rest) = url.split_once('@').expect("a URL with a user");
        let (_, name) = rest.split_once('/').expect("a URL with a database");
        // It reads along, so nothing may be hidden from it.
        format!("{before}@{}/{name}?sslmode=disable", self.address)
    }
}

fn pass(client: TcpStream, server: SocketAddr, fault: Fault) {
    let Ok(server) = TcpStream::connect(server) else {
        return;
    };
    let _ = client.set_nodelay(true);
    let _ = server.set_nodelay(true);
    thread::scope(|scope| {
        scope.spawn(|| {
            let _ = io::copy(&mut &client, &mut &server);
            let _ = server.shutdown(Shutdown::Write);
        });
        let _ = messages(&server, &client, fault);
        let _ = client.shutdown(Shutdown::Both);
    });
}

/// Passes on what the server says, a message at a time: a letter, a length that counts itself, and so many bytes.
fn messages(mut server: &TcpStream, mut client: &TcpStream, fault: Fault) -> io::Result<()> {
    // Nothing ever comes through it; waiting for that is a delay.
    let (_silent, clock) = mpsc::channel::<()>();
    loop {
        let mut head = [0; 5];
        server.read_exact(&mut head)?;
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
        let mut body = vec![0; usize::try_from(length).unwrap_or(0).saturating_sub(4)];
        server.read_exact(&mut body)?;
        match fault {
            Fault::Deaf if head[0] == b'A' => continue,
            // Once an answer: it ends with this one.
            Fault::Late(delay) if head[0] == b'Z' => drop(clock.recv_timeout(delay)),
            _ => {}
        }
        client.write_all(&[&head[..], &body].concat())?;
    }
}
