//! Against servers that fail in every way.

#[path = "../../tests/commands/server.rs"]
mod server;

use super::*;
use server::{Request, Server, send, send_status, send_up_to};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::{self, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::Instant;
use ureq::tls::RootCerts;

const LIMITS: Limits = Limits {
    size: 1 << 20,
    silence: Duration::from_secs(20),
    request: Duration::from_secs(60),
    resumes: 3,
    pause: Duration::from_millis(1),
};

/// What the servers have, or should.
fn content() -> Vec<u8> {
    (0..100_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

fn digits(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A folder of its own to fetch [`content`] into.
struct Case {
    folder: PathBuf,
    limits: Limits,
}

impl Case {
    fn new(test: &str) -> Case {
        let name = format!("shufflenet-transfer-{}-{test}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).unwrap();
        Case { folder, limits: LIMITS }
    }

    fn path(&self) -> PathBuf {
        self.folder.join("file")
    }

    fn part(&self) -> PathBuf {
        self.folder.join("file.part")
    }

    fn fetch(&self, server: &Server) -> Result<Fetched, String> {
        let client = Client::with_proxy(self.limits.clone(), None, RootCerts::WebPki);
        let url = format!("{}/file", server.url);
        let sha256 = &digits(&content())[..10];
        fetch(&client, &Source { url: &url, sha256 }, &self.path(), &ProgressBar::hidden())
    }

    #[track_caller]
    fn succeeds(&self, server: &Server) {
        assert_eq!(self.fetch(server), Ok(Fetched::Now));
        assert!(fs::read(self.path()).unwrap() == content());
        assert!(!self.part().exists());
    }

    /// The error, which says first which URL is concerned.
    #[track_caller]
    fn fails(&self, server: &Server) -> String {
        let error = self.fetch(server).unwrap_err();
        assert!(!self.path().exists(), "{error}");
        let error = error.strip_prefix(&format!("{}/file: ", server.url)).expect(&error);
        error.to_owned()
    }

    #[track_caller]
    fn fails_and_keeps_nothing(&self, server: &Server) -> String {
        let error = self.fails(server);
        assert!(!self.part().exists(), "{error}");
        error
    }
}

impl Drop for Case {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A server that always answers with the same bytes.
fn always(answer: impl Into<Vec<u8>>) -> Server {
    let answer = answer.into();
    Server::start(move |_, stream| stream.write_all(&answer))
}

fn honest() -> Server {
    Server::start(|request, stream| send(&content(), request, stream))
}

#[test]
fn a_file_comes_once() {
    let (case, server) = (Case::new("once"), honest());
    case.succeeds(&server);
    assert_eq!(case.fetch(&server), Ok(Fetched::AlreadyThere));
    assert_eq!(server.asked(), [None]);
    // A damaged file is replaced.
    fs::write(case.path(), "damaged").unwrap();
    case.succeeds(&server);
}

#[test]
fn a_cut_connection_is_resumed() {
    let case = Case::new("cut");
    let server = Server::start(|request, stream| {
        let end = [0, 1, 60_000, 100_000][request.number];
        send_up_to(end, &content(), request, stream)
    });
    case.succeeds(&server);
    assert_eq!(server.asked(), [None, None, Some(1), Some(60_000)]);

    // For a while there may be no answer at all.
    let case = Case::new("cut-and-away");
    let server = Server::start(|request, stream| match request.number {
        0 => send_up_to(1, &content(), request, stream),
        1 => Ok(()),
        _ => send(&content(), request, stream),
    });
    case.succeeds(&server);
    assert_eq!(server.asked(), [None, Some(1), Some(1)]);
}

#[test]
fn what_came_is_kept_for_the_next_run() {
    let case = Case::new("kept");
    let server = Server::start(|request, stream| {
        let end = 10_000 * (request.number + 1);
        send_up_to(end, &content(), request, stream)
    });
    let error = case.fails(&server);
    assert_eq!(error, "the connection was cut; 40,000 bytes are kept for a new try");
    assert!(fs::read(case.part()).unwrap() == content()[..40_000]);
    let server = honest();
    case.succeeds(&server);
    assert_eq!(server.asked(), [Some(40_000)]);
}

#[test]
fn a_part_that_is_whole_needs_no_network() {
    let (case, server) = (Case::new("whole"), honest());
    fs::write(case.part(), content()).unwrap();
    case.succeeds(&server);
    assert_eq!(server.asked(), []);
}

#[test]
fn a_server_that_cannot_resume_begins_again() {
    type Answer = fn(&mut TcpStream) -> io::Result<()>;
    let answers: [(&str, Answer); 4] = [
        ("416", |stream| send_status("416 Range Not Satisfiable", stream)),
        ("other", |stream| {
            write!(
                stream,
                "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 49-99/100000\r\n"
            )?;
            write!(stream, "Content-Length: 51\r\n\r\n{}", "x".repeat(51))
        }),
        ("unsaid", |stream| {
            write!(stream, "HTTP/1.1 206 Partial Content\r\nContent-Length: 4\r\n\r\nrest")
        }),
        ("odd", |stream| {
            write!(stream, "HTTP/1.1 206 Partial Content\r\nContent-Range: lines 50-/\r\n")?;
            write!(stream, "Content-Length: 4\r\n\r\nrest")
        }),
    ];
    for (name, answer) in answers {
        let case = Case::new(&format!("restart-{name}"));
        fs::write(case.part(), &content()[..50]).unwrap();
        let server = Server::start(move |request, stream| match request.from() {
            Some(_) => answer(stream),
            None => send(&content(), request, stream),
        });
        case.succeeds(&server);
        assert_eq!(server.asked(), [Some(50), None], "{name}");
    }

    // Or sends everything at once.
    let case = Case::new("restart-200");
    fs::write(case.part(), "rubbish").unwrap();
    let whole = |_: &Request, stream: &mut TcpStream| {
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")?;
        stream.write_all(&content())
    };
    let server = Server::start(whole);
    case.succeeds(&server);
    assert_eq!(server.asked(), [Some(7)]);
}

#[test]
fn a_range_may_be_shorter_than_asked_for() {
    let case = Case::new("short-range");
    fs::write(case.part(), &content()[..50_000]).unwrap();
    let server = Server::start(|request, stream| {
        let from = request.from().unwrap();
        let end = content().len().min(from + 25_000);
        write!(stream, "HTTP/1.1 206 Partial Content\r\nContent-Length: {}\r\n", end - from)?;
        write!(stream, "Content-Range: bytes {from}-{}/{}\r\n\r\n", end - 1, content().len())?;
        stream.write_all(&content()[from..end])
    });
    case.succeeds(&server);
    assert_eq!(server.asked(), [Some(50_000), Some(75_000)]);
}

#[test]
fn a_wrong_checksum_keeps_nothing() {
    let case = Case::new("checksum");
    let expected = format!(
        "wrong checksum, so nothing of it is kept: found SHA-256 {}, expected one that begins with {}",
        digits(b"not it"),
        &digits(&content())[..10]
    );
    let server = always("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nnot it");
    assert_eq!(case.fails_and_keeps_nothing(&server), expected);

    // The same, if what was kept is of another file; a new try then begins again.
    fs::write(case.part(), "of another file").unwrap();
    let server = honest();
    assert!(case.fails_and_keeps_nothing(&server).starts_with("wrong checksum"));
    case.succeeds(&server);
    assert_eq!(server.asked(), [Some(15), None]);
}

#[test]
fn more_or_less_than_announced_is_noticed() {
    let case = Case::new("announced");
    // Bytes after the end are not of the file.
    let server = Server::start(|request, stream| {
        send(&content(), request, stream)?;
        stream.write_all(b"and more")
    });
    case.succeeds(&server);

    let case = Case::new("announced-range");
    fs::write(case.part(), &content()[..99_000]).unwrap();
    let server = Server::start(|_, stream| {
        write!(stream, "HTTP/1.1 206 Partial Content\r\nContent-Length: 1008\r\n")?;
        write!(stream, "Content-Range: bytes 99000-99999/100000\r\n\r\n")?;
        stream.write_all(&content()[99_000..])?;
        stream.write_all(b"and more")
    });
    assert!(case.fails_and_keeps_nothing(&server).starts_with("wrong checksum"));

    // Without a size, the end of the connection is the end of the file.
    let case = Case::new("announced-not");
    let server = Server::start(|request, stream| {
        write!(stream, "HTTP/1.1 200 OK\r\n\r\n")?;
        stream.write_all(&content()[..50_000 * (request.number + 1)])
    });
    assert!(case.fails_and_keeps_nothing(&server).starts_with("wrong checksum"));
    case.succeeds(&server);
}

#[test]
fn a_server_that_sends_forever_is_left() {
    let endless = |head: &str| {
        let head = head.to_owned();
        Server::start(move |_, stream| {
            stream.write_all(head.as_bytes())?;
            loop {
                stream.write_all(&[b'x'; 1 << 16])?;
            }
        })
    };
    let sends = "the server sends more than 1,048,576 bytes";
    let announces = "the server announces more than 1,048,576 bytes";
    let heads = [
        ("HTTP/1.1 200 OK\r\n\r\n", sends),
        ("HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n", announces),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n", announces),
    ];
    let case = Case::new("endless");
    for (head, expected) in heads {
        assert_eq!(case.fails_and_keeps_nothing(&endless(head)), expected);
    }

    // Chunks without end.
    let server = Server::start(|_, stream| {
        write!(stream, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        loop {
            write!(stream, "1000\r\n{}\r\n", "x".repeat(4096))?;
        }
    });
    assert_eq!(case.fails_and_keeps_nothing(&server), sends);

    // What is there counts.
    let part = vec![b'x'; 1 << 20];
    let ranges = [
        ("1048576-9/*", "", sends),
        ("1048576-9/1048577", "", announces),
        ("1048576-9/*", "Content-Length: 1\r\n", announces),
        ("1048576-9/9", "Content-Length: 18446744073709551615\r\n", announces),
    ];
    for (range, length, expected) in ranges {
        fs::write(case.part(), &part).unwrap();
        let head = format!("HTTP/1.1 206 OK\r\nContent-Range: bytes {range}\r\n{length}\r\n");
        assert_eq!(case.fails(&endless(&head)), expected, "{head}");
    }

    // A head without end.
    let case = Case::new("endless-head");
    let error = case.fails_and_keeps_nothing(&endless("HTTP/1.1 200 OK\r\nX: "));
    assert!(error.contains("header"), "{error}");
}

#[test]
fn a_silent_server_is_left() {
    let mut case = Case::new("silent");
    case.limits.silence = Duration::from_millis(300);
    case.limits.request = Duration::from_secs(1);
    case.limits.resumes = 1;
    let started = Instant::now();

    let silent = "the server is silent for 300ms";
    let server = Server::start(|_, _| loop_forever());
    assert_eq!(case.fails_and_keeps_nothing(&server), silent);
    assert_eq!(server.asked().len(), 1);

    let server = Server::start(|_, stream| drip(stream, b"HTTP/1.1 200 OK\r\nX-Long: "));
    assert_eq!(case.fails_and_keeps_nothing(&server), silent);

    let server = Server::start(|_, stream| {
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nabc")?;
        loop_forever()
    });
    assert_eq!(case.fails(&server), format!("{silent}; 3 bytes are kept for a new try"));
    assert_eq!(server.asked(), [None, Some(3)]);
    fs::remove_file(case.part()).unwrap();

    // Never silent, and never done. A slow machine may be silent.
    case.limits.silence = Duration::from_secs(10);
    let server = Server::start(|_, stream| drip(stream, b"HTTP/1.1 200 OK\r\n\r\n"));
    let error = case.fails(&server);
    assert!(error.starts_with("not done after 1s; "), "{error}");
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
}

fn loop_forever() -> ! {
    loop {
        thread::park();
    }
}

/// Sends the head, and then now and then a byte.
fn drip(stream: &mut TcpStream, head: &[u8]) -> io::Result<()> {
    stream.write_all(head)?;
    loop {
        stream.write_all(b"x")?;
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn other_answers_are_errors() {
    let case = Case::new("answers");
    for status in ["404 Not Found", "403 Forbidden", "500 Internal Server Error", "204 No Content"]
    {
        let server = Server::start(move |_, stream| send_status(status, stream));
        let error = case.fails_and_keeps_nothing(&server);
        assert_eq!(error, format!("the server answers {status}"));
        assert_eq!(server.asked().len(), 1);
    }
    for answer in
        ["", "HTTP/1.1 200", "SSH-2.0-server\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"]
    {
        let error = case.fails_and_keeps_nothing(&always(answer));
        assert!(!error.is_empty() && !error.contains('\n'), "{answer:?}: {error}");
    }
    // What an earlier run has brought is not lost by it.
    fs::write(case.part(), &content()[..50]).unwrap();
    let server = Server::start(|_, stream| send_status("503 Service Unavailable", stream));
    assert_eq!(case.fails(&server), "the server answers 503 Service Unavailable");
    case.succeeds(&honest());
}

#[test]
fn redirections_are_followed() {
    let (case, other) = (Case::new("redirected"), honest());
    fs::write(case.part(), &content()[..50]).unwrap();
    let to =
        format!("HTTP/1.1 302 Found\r\nLocation: {}/x\r\nContent-Length: 0\r\n\r\n", other.url);
    case.succeeds(&always(to));
    assert_eq!(other.asked(), [Some(50)]);

    let case = Case::new("redirected-in-circles");
    let server = always("HTTP/1.1 302 Found\r\nLocation: /file\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(case.fails_and_keeps_nothing(&server), "too many redirects");
}

#[test]
fn two_at_once_do_not_disturb_each_other() {
    let case = Case::new("two");
    let (go, wait) = mpsc::channel();
    let wait = std::sync::Mutex::new(wait);
    let (begun, has_begun) = mpsc::channel();
    let server = Server::start(move |request, stream| {
        begun.send(()).unwrap();
        wait.lock().unwrap().recv().unwrap();
        send(&content(), request, stream)
    });
    thread::scope(|scope| {
        let first = scope.spawn(|| case.fetch(&server));
        has_begun.recv().unwrap();
        let error = case.fetch(&server).unwrap_err();
        let expected = format!("{}: another process is downloading it", case.path().display());
        assert_eq!(error, expected);
        go.send(()).unwrap();
        assert_eq!(first.join().unwrap(), Ok(Fetched::Now));
    });
    assert!(fs::read(case.path()).unwrap() == content());
    assert_eq!(server.asked(), [None]);
}
