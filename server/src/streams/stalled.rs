//! Connections whose other end reads nothing any more.
//!
//! Nobody above the socket notices them: what is written waits in the kernel, and an answer that waits for room is not asked
//! for more. The kernel itself can give up on them.

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::dev::Extensions;
use actix_web::rt::net::TcpStream;
use std::any::Any;
use std::time::Duration;

/// How long bytes may wait to be read by the other end before its connection is closed.
const STALLED_AFTER: Duration = Duration::from_secs(30);

/// Has the kernel close a new connection once its other end has read nothing for half a minute although it should; to be used
/// with `HttpServer::on_connect`. Where the system knows no such thing, nothing is done.
pub fn hang_up_when_stalled(connection: &dyn Any, _: &mut Extensions) {
    #[cfg(target_os = "linux")]
    if let Some(stream) = tcp(connection) {
        let socket = socket2::SockRef::from(stream);
        // A connection that was closed meanwhile needs it no more.
        let _closed = socket.set_tcp_user_timeout(Some(STALLED_AFTER));
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (tcp(connection), STALLED_AFTER);
}

/// Returns the socket below a connection.
fn tcp(connection: &dyn Any) -> Option<&TcpStream> {
    let below_tls = || {
        let stream = connection.downcast_ref::<TlsStream<TcpStream>>()?;
        Some(stream.get_ref().0)
    };
    connection.downcast_ref().or_else(below_tls)
}
