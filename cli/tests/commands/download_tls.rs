//! `download` from a server whose certificate only a test authority vouches for.

use crate::server::{Request, send};
use crate::support::{Run, data, finish, folder, text};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;

/// Starts a server that has x1.5's stand-in, and says where.
fn start() -> String {
    let certificate = CertificateDer::from_pem_file(data("tls/server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(data("tls/server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            // Who does not trust the server hangs up.
            let _ = answer(stream.unwrap(), config.clone());
        }
    });
    url
}

fn answer(stream: TcpStream, config: Arc<ServerConfig>) -> io::Result<()> {
    let connection = ServerConnection::new(config).unwrap();
    let mut stream = StreamOwned::new(connection, stream);
    let lines = BufReader::new(&mut stream).lines().map_while(Result::ok);
    let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    if head.is_empty() {
        return Ok(());
    }
    let content = fs::read(data("x1_5_stand_in.safetensors"))?;
    send(&content, &Request { number: 0, head }, &mut stream)?;
    stream.conn.send_close_notify();
    stream.conn.complete_io(&mut stream.sock).map(|_| ())
}

fn download(cache: &Path, url: &str, variables: &[(&str, &str)]) -> Run {
    let mut program = crate::download::with_cache(cache);
    for variable in ["SSL_CERT_FILE", "SSL_CERT_DIR"] {
        program.env_remove(variable);
    }
    program.envs(variables.iter().copied());
    finish(program.args(["download", "x1.5", "--mirror", url]))
}

#[test]
fn authorities_are_those_that_the_environment_names() {
    let (folder, url) = (folder("download_tls"), start());
    let authority = data("tls/ca.pem");
    let error = download(&folder.join("unknown"), &url, &[]).error();
    let expected = "no authority that is trusted here has signed its certificate; behind a company's \
                    proxy, name the PEM file of the company's in SSL_CERT_FILE";
    assert!(error.starts_with(&format!("{url}/")) && error.ends_with(expected), "{error}");
    // In place of the system's, not beside them.
    let other = data("tls/server.pem");
    let error = download(&folder.join("other"), &url, &[("SSL_CERT_FILE", text(&other))]).error();
    assert!(!error.contains("SSL_CERT_FILE: "), "{error}");

    download(&folder.join("file"), &url, &[("SSL_CERT_FILE", text(&authority))]).success();
    let certificates = folder.join("certificates");
    fs::create_dir(&certificates).unwrap();
    fs::copy(&authority, certificates.join("authority.pem")).unwrap();
    download(&folder.join("folder"), &url, &[("SSL_CERT_DIR", text(&certificates))]).success();
    // The system's folder often has names with hashes only; some set a variable that names nothing.
    let both = [("SSL_CERT_FILE", text(&authority)), ("SSL_CERT_DIR", "/nowhere")];
    download(&folder.join("both"), &url, &both).success();
}

#[test]
fn authorities_that_are_not_there_are_named() {
    let (folder, url) = (folder("download_tls_nowhere"), start());
    let empty = folder.join("empty.pem");
    fs::write(&empty, "no certificate").unwrap();
    for (variable, value) in [
        ("SSL_CERT_FILE", "/nowhere.pem"),
        ("SSL_CERT_FILE", text(&empty)),
        ("SSL_CERT_DIR", "/nowhere"),
    ] {
        let error = download(&folder.join("cache"), &url, &[(variable, value)]).error();
        let expected = format!("{variable}: no certificate found, expected some in PEM form");
        assert!(error.starts_with(&expected), "{error}");
    }
}
