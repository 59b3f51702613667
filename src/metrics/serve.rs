//! One thread that answers `GET /metrics`, one connection after the other.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, SigmaskHow};

use super::page::CONTENT_TYPE;
use super::publisher::Shared;

/// A request's head is a few hundred bytes.
const REQUEST_MAX: usize = 8 << 10;
/// For a whole request, however slowly it comes: one connection can't keep the next one waiting
/// longer, and Prometheus' own time limit is 10 s.
const READ_TIME: Duration = Duration::from_secs(2);
/// For the answer.
const WRITE_TIME: Duration = Duration::from_secs(5);
/// The thread keeps no more than a request and the page's pieces on its stack; in an unprivileged
/// container it is charged to what is being measured.
const STACK_BYTES: usize = 128 << 10;

/// An address that can't be served on.
#[derive(Debug, thiserror::Error)]
#[error(
    "can't serve metrics on {address}: {source}; give --metrics-listen HOST:PORT, or :PORT for all interfaces"
)]
pub struct ListenError {
    address: String,
    source: io::Error,
}

/// Answers scrapes until the program ends.
#[derive(Debug)]
pub struct Endpoint {
    address: SocketAddr,
}

impl Endpoint {
    /// Listens on `address` (`HOST:PORT`, or `:PORT` for all interfaces; port 0 takes a free one).
    ///
    /// # Errors
    /// When the address is not one, or is taken.
    pub fn start(address: &str, board: Shared) -> Result<Self, ListenError> {
        let failed = |source| ListenError {
            address: address.to_string(),
            source,
        };
        let listener = listen(address).map_err(failed)?;
        let local = listener.local_addr().map_err(failed)?;
        // Signals belong to the run's own loop: the thread starts with all of them blocked.
        let mask = SigSet::all()
            .thread_swap_mask(SigmaskHow::SIG_SETMASK)
            .map_err(|e| failed(e.into()))?;
        let started = thread::Builder::new()
            .name("metrics".into())
            .stack_size(STACK_BYTES)
            .spawn(move || answer_all(&listener, &board));
        mask.thread_set_mask().map_err(|e| failed(e.into()))?;
        started.map_err(failed)?;
        Ok(Endpoint { address: local })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

fn listen(address: &str) -> io::Result<TcpListener> {
    let all = address
        .strip_prefix(':')
        .map(|port| format!("0.0.0.0:{port}"));
    let addresses: Vec<SocketAddr> = all
        .as_deref()
        .unwrap_or(address)
        .to_socket_addrs()?
        .collect();
    TcpListener::bind(&addresses[..])
}

fn answer_all(listener: &TcpListener, board: &Shared) {
    for stream in listener.incoming() {
        match stream.and_then(|stream| answer(stream, board)) {
            Ok(()) => {}
            Err(error) => {
                log::debug!("metrics: {error}");
                // Out of descriptors, `accept` fails at once, again and again.
                if error.raw_os_error().is_some() {
                    thread::sleep(Duration::from_millis(10));
                }
            }
        }
    }
}

fn answer(mut stream: TcpStream, board: &Shared) -> io::Result<()> {
    stream.set_write_timeout(Some(WRITE_TIME))?;
    let request = read_head(&mut stream)?;
    let response = respond(&request, board);
    stream.write_all(response.as_bytes())?;
    stream.flush()
}

/// The request up to its empty line.
fn read_head(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let end = Instant::now() + READ_TIME;
    let mut request = Vec::new();
    let mut piece = [0; 1024];
    while !request.windows(4).any(|w| w == b"\r\n\r\n") && request.len() < REQUEST_MAX {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut piece)? {
            0 => break,
            read => request.extend_from_slice(&piece[..read]),
        }
    }
    Ok(request)
}

fn respond(request: &[u8], board: &Shared) -> String {
    let text = String::from_utf8_lossy(request);
    let mut words = text.lines().next().unwrap_or("").split(' ');
    let (method, target) = (words.next(), words.next().unwrap_or(""));
    let protocol = words.next().unwrap_or("");
    let path = target.split('?').next().unwrap_or("");
    if !text.contains("\r\n\r\n") || !protocol.starts_with("HTTP/1.") {
        return plain("400 Bad Request", "", "not an HTTP request\n");
    }
    match (method, path) {
        (Some("GET"), "/metrics") => {
            let body = board.lock().render();
            message("200 OK", CONTENT_TYPE, "", &body)
        }
        (Some("GET"), _) => plain("404 Not Found", "", "the metrics are at /metrics\n"),
        _ => plain("405 Method Not Allowed", "Allow: GET\r\n", "only GET\n"),
    }
}

fn plain(status: &str, more: &str, body: &str) -> String {
    message(status, "text/plain; charset=utf-8", more, body)
}

fn message(status: &str, content_type: &str, more: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n{more}\
         Connection: close\r\n\r\n{body}",
        body.len()
    )
}
