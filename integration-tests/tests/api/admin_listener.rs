//! An address of its own for what changes and shows the server.

use burgee_integration_tests::http::{Connection, Request};
use burgee_integration_tests::{Kind, TestServer};

fn status(address: &str, path: &str) -> u16 {
    Connection::open(address)
        .exchange(&Request::get(path))
        .status
}

fn address_in(server: &TestServer, message: &str) -> String {
    let line = server.wait_for_line(message, |line| line["message"] == message);
    line["address"].as_str().unwrap().to_owned()
}

#[test]
fn metrics_move_there_and_flags_do_not() {
    let server = TestServer::on(Kind::Sqlite)
        .arg("--admin-listen=127.0.0.1:0")
        .start();
    let admin = address_in(&server, "the admin side is served");
    for (path, on_main, on_admin) in [
        ("/metrics", 404, 200),
        ("/_liveness", 200, 200),
        ("/_readiness", 200, 200),
        ("/flags", 200, 404),
        ("/flags/definitions", 401, 404),
        ("/", 200, 200),
    ] {
        let main = status(server.address(), path);
        assert_eq!((main, status(&admin, path)), (on_main, on_admin), "{path}");
    }
    server.stop();
}

#[test]
fn metrics_stay_where_they_have_an_address_of_their_own() {
    let server = TestServer::on(Kind::Sqlite)
        .args(&["--admin-listen=127.0.0.1:0", "--metrics-listen=127.0.0.1:0"])
        .start();
    let admin = address_in(&server, "the admin side is served");
    let metrics = address_in(&server, "metrics are served");
    let statuses = [server.address(), &admin, &metrics].map(|it| status(it, "/metrics"));
    assert_eq!(statuses, [404, 404, 200]);
}
