//! One request, and what may come back.

use super::Limits;
use super::part::Part;
use crate::text::grouped;
use indicatif::ProgressBar;
use std::env;
use std::io::{ErrorKind, Read};
use ureq::http::{Response, StatusCode};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body, Timeout};

/// Asks servers for files, within limits.
pub struct Client {
    agent: Agent,
    pub(super) limits: Limits,
}

/// Why a request did not bring the rest of the file.
#[derive(Debug)]
pub enum Fault {
    /// No answer came.
    NoAnswer(String),
    /// The answer broke off.
    Cut(String),
    /// Another request would be no use.
    Final(String),
}

impl From<String> for Fault {
    fn from(message: String) -> Fault {
        Fault::Final(message)
    }
}

impl Client {
    /// With the proxy that the environment names, and the authorities that the system trusts.
    pub fn new(limits: Limits) -> Result<Client, String> {
        Ok(Client::with_proxy(limits, ureq::Proxy::try_from_env(), authorities()?))
    }

    /// With a proxy, or none.
    pub(super) fn with_proxy(
        limits: Limits,
        proxy: Option<ureq::Proxy>,
        authorities: RootCerts,
    ) -> Client {
        let silence = Some(limits.silence);
        let config = Agent::config_builder()
            .proxy(proxy)
            .tls_config(TlsConfig::builder().root_certs(authorities).build())
            .http_status_as_error(false)
            .accept_encoding("identity")
            .user_agent(concat!("shufflenet/", env!("CARGO_PKG_VERSION")))
            .max_idle_connections(0)
            .timeout_resolve(silence)
            .timeout_connect(silence)
            .timeout_recv_response(silence)
            .timeout_per_read(silence)
            .timeout_global(Some(limits.request));
        Client { agent: config.build().into(), limits }
    }

    /// Adds what is missing to the part. If the server cannot resume, it begins again.
    pub fn get(&self, url: &str, part: &mut Part, progress: &ProgressBar) -> Result<(), Fault> {
        let (body, size) = self.rest(url, part)?;
        if let Some(size) = size {
            progress.set_length(size);
        }
        progress.set_position(part.size());

        let limit = self.limits.size;
        let mut body = body.into_reader();
        let mut buffer = vec![0; 1 << 16];
        loop {
            let bytes = match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => &buffer[..n],
                Err(error) => {
                    return Err(Fault::Cut(format!("{url}: {}", self.explain(error.into()))));
                }
            };
            if part.size() + bytes.len() as u64 > limit {
                part.clear()?;
                let message = format!("{url}: the server sends more than {} bytes", grouped(limit));
                return Err(Fault::Final(message));
            }
            part.append(bytes)?;
            progress.set_position(part.size());
        }
        match size {
            Some(size) if part.size() < size => {
                Err(Fault::Cut(format!("{url}: the server sends only a part of what is missing")))
            }
            _ => Ok(()),
        }
    }

    /// What the part lacks, still to be read, and the size of the whole file if that is announced.
    fn rest(&self, url: &str, part: &mut Part) -> Result<(Body, Option<u64>), Fault> {
        let mut answer = self.ask(url, part.size())?;
        if part.size() > 0 && cannot_resume(&answer, part.size()) {
            part.clear()?;
            answer = self.ask(url, 0)?;
        }
        let size = match answer.status() {
            StatusCode::OK => {
                part.clear()?;
                None
            }
            StatusCode::PARTIAL_CONTENT if !cannot_resume(&answer, part.size()) => {
                content_range(&answer).and_then(|(_, size)| size)
            }
            status => return Err(Fault::Final(format!("{url}: the server answers {status}"))),
        };
        let body = answer.into_body();
        let size = size.max(body.content_length().map(|rest| part.size().saturating_add(rest)));
        let limit = self.limits.size;
        if size > Some(limit) {
            let message = format!("{url}: the server announces more than {} bytes", grouped(limit));
            return Err(Fault::Final(message));
        }
        Ok((body, size))
    }

    /// Asks for the file from a byte on.
    fn ask(&self, url: &str, from: u64) -> Result<Response<Body>, Fault> {
        let mut request = self.agent.get(url);
        if from > 0 {
            request = request.header("range", format!("bytes={from}-"));
        }
        // Not even a redirection leads from a safe connection to an unsafe one.
        let request = request.config().https_only(url.starts_with("https://")).build();
        request.call().map_err(|error| {
            let message = match &error {
                ureq::Error::Io(cause) if cause.to_string().contains("UnknownIssuer") => {
                    let message = "no authority that is trusted here has signed its certificate";
                    format!("{message}; behind a company's proxy, name the PEM file of the company's in {FILE}")
                }
                ureq::Error::Io(cause) if !is_cut(cause.kind()) => {
                    format!("no connection: {cause}")
                }
                _ => self.explain(error),
            };
            Fault::NoAnswer(format!("{url}: {message}"))
        })
    }

    fn explain(&self, error: ureq::Error) -> String {
        let Limits { silence, request, .. } = self.limits;
        match error {
            ureq::Error::Timeout(Timeout::Global) => format!("not done after {request:?}"),
            ureq::Error::Timeout(_) => format!("the server is silent for {silence:?}"),
            ureq::Error::Io(error) if is_cut(error.kind()) => "the connection was cut".to_owned(),
            ureq::Error::Io(error) => error.to_string(),
            error => error.to_string(),
        }
    }
}

/// Environment variables that name authorities in place of the system's: a file, and a folder.
const FILE: &str = "SSL_CERT_FILE";
const FOLDER: &str = "SSL_CERT_DIR";

/// Certificates of those who may vouch for servers: the system's, or those that the environment names.
/// Where there is no such thing, Mozilla's list in the program.
fn authorities() -> Result<RootCerts, String> {
    let found = rustls_native_certs::load_native_certs();
    if let Some(variable) = [FILE, FOLDER].into_iter().find(|name| env::var_os(name).is_some())
        && found.certs.is_empty()
    {
        let cause = found.errors.first().map_or(String::new(), |error| format!(": {error}"));
        return Err(format!("{variable}: no certificate found, expected some in PEM form{cause}"));
    }
    Ok(match found.certs.is_empty() {
        true => RootCerts::WebPki,
        false => found.certs.iter().map(|der| Certificate::from_der(der).to_owned()).into(),
    })
}

fn is_cut(kind: ErrorKind) -> bool {
    use ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(kind, UnexpectedEof | ConnectionReset | ConnectionAborted | BrokenPipe)
}

/// Whether the server refused the range, or sends another one.
fn cannot_resume(answer: &Response<Body>, from: u64) -> bool {
    match answer.status() {
        StatusCode::RANGE_NOT_SATISFIABLE => true,
        StatusCode::PARTIAL_CONTENT => content_range(answer).is_none_or(|(start, _)| start != from),
        _ => false,
    }
}

/// The first byte of what is sent, and the size of the whole file if that is told.
fn content_range(answer: &Response<Body>) -> Option<(u64, Option<u64>)> {
    let value = answer.headers().get("content-range")?.to_str().ok()?;
    let (range, size) = value.strip_prefix("bytes ")?.split_once('/')?;
    let (start, _) = range.split_once('-')?;
    Some((start.parse().ok()?, size.parse().ok()))
}
