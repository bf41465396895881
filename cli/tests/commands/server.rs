//! An HTTP server on loopback whose answers a test writes itself.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// Runs until the process ends.
pub struct Server {
    pub url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

#[derive(Clone, Debug)]
pub struct Request {
    /// How many came before it.
    pub number: usize,
    /// The lines of the head.
    pub head: Vec<String>,
}

impl Request {
    /// The first byte that is asked for, if not the whole file is.
    pub fn from(&self) -> Option<usize> {
        let range = self.head.iter().find_map(|line| line.strip_prefix("range: bytes="))?;
        Some(range.strip_suffix('-').expect("an open range").parse().expect("a number"))
    }
}

impl Server {
    /// Calls `answer` for each connection, on a thread of its own.
    pub fn start<A>(answer: A) -> Server
    where
        A: Fn(&Request, &mut TcpStream) -> io::Result<()> + Send + Sync + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (answer, seen) = (Arc::new(answer), requests.clone());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.expect("a connection");
                let (answer, seen) = (answer.clone(), seen.clone());
                thread::spawn(move || {
                    let lines = BufReader::new(&stream).lines().map_while(Result::ok);
                    let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
                    if head.is_empty() {
                        return;
                    }
                    let mut seen = seen.lock().unwrap();
                    let request = Request { number: seen.len(), head };
                    seen.push(request.clone());
                    drop(seen);
                    // The program hangs up on answers that it does not want.
                    let _ = answer(&request, &mut stream);
                });
            }
        });
        Server { url, requests }
    }

    /// Where each request so far began.
    pub fn asked(&self) -> Vec<Option<usize>> {
        self.requests.lock().unwrap().iter().map(Request::from).collect()
    }
}

/// Announces the content, or the rest that is asked for, and sends it up to a byte.
pub fn send_up_to(
    end: usize,
    content: &[u8],
    request: &Request,
    stream: &mut impl Write,
) -> io::Result<()> {
    let size = content.len();
    let from = request.from().unwrap_or(0);
    match request.from() {
        None => write!(stream, "HTTP/1.1 200 OK\r\n")?,
        Some(from) => {
            write!(stream, "HTTP/1.1 206 Partial Content\r\n")?;
            write!(stream, "Content-Range: bytes {from}-{}/{size}\r\n", size - 1)?;
        }
    }
    write!(stream, "Content-Length: {}\r\n\r\n", size - from)?;
    stream.write_all(&content[from..end])
}

/// The content, or the rest that is asked for.
pub fn send(content: &[u8], request: &Request, stream: &mut impl Write) -> io::Result<()> {
    send_up_to(content.len(), content, request, stream)
}

/// An answer without a body.
pub fn send_status(status: &str, stream: &mut TcpStream) -> io::Result<()> {
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n")
}
