use crate::server::{Server, send, send_status, send_up_to};
use crate::support::{Run, data, finish, folder, picture, program, text};
use shufflenet::weights;
use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const X1_5: &str = "shufflenetv2_x1_5-3c479a10.pth";
/// The same with the names of the classes.
const DESCRIBED: &str = "shufflenetv2_x1_5-3c479a10.safetensors";

/// A small model of 1000 classes in place of x1.5, whose SHA-256 begins with the same eight digits
/// (`make_stand_in.py`).
fn stand_in() -> Vec<u8> {
    fs::read(data("x1_5_stand_in.safetensors")).unwrap()
}

/// The program with a cache of its own, and without a proxy.
pub fn with_cache(cache: &Path) -> Command {
    let mut program = program();
    program.env("SHUFFLENET_CACHE", cache);
    for proxy in ["ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"] {
        program.env_remove(proxy).env_remove(proxy.to_lowercase());
    }
    program
}

fn download(cache: &Path, name: &str, mirror: &str) -> Run {
    finish(with_cache(cache).args(["download", name, "--mirror", mirror]))
}

/// The error for a file, which names the URL, of a run that kept nothing.
#[track_caller]
fn failure(cache: &Path, name: &str, file: &str, mirror: &str) -> String {
    let error = download(cache, name, mirror).error();
    let left = fs::read_dir(cache).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(left.collect::<Vec<_>>(), [format!("{file}.lock").as_str()], "{error}");
    error.strip_prefix(&format!("{mirror}/{file}: ")).expect(&error).to_owned()
}

#[test]
fn a_downloaded_checkpoint_is_used_by_its_name() {
    let folder = folder("download_used");
    let cache = folder.join("cache/of/mine");
    let server = Server::start(|request, stream| {
        assert_eq!(request.head[0], format!("GET /models/{X1_5} HTTP/1.1"));
        send(&stand_in(), request, stream)
    });
    let mirror = format!("{}/models", server.url);
    let path = cache.join(DESCRIBED);
    assert_eq!(download(&cache, "x1.5", &mirror).success(), format!("{}\n", path.display()));
    assert!(fs::read(cache.join(X1_5)).unwrap() == stand_in());
    // The names are in the file, for those who have no other way to know them.
    let model = weights::load(&path).unwrap();
    assert_eq!((model.labels().len(), &*model.labels()[285]), (1000, "Egyptian cat"));
    assert_eq!(model.layers(), weights::from_bytes(&stand_in()).unwrap().layers());

    // As an earlier version left it.
    fs::remove_file(&path).unwrap();
    let again = download(&cache, "x1.5", &mirror);
    assert_eq!(weights::load(&path).unwrap(), model);
    assert_eq!((again.code, again.stdout), (Some(0), format!("{}\n", path.display())));
    assert_eq!(again.stderr, "x1.5 is there already, with the right checksum\n");
    assert_eq!(server.asked(), [None]);

    let run = |arguments: &[&str]| finish(with_cache(&cache).args(arguments)).success();
    let image = picture("orientation1.jpg");
    let classify = |weights: &str| run(&["classify", text(&image), "--weights", weights, "--json"]);
    assert_eq!(classify("x1.5"), classify(text(&path)));
    let report = run(&["inspect", "x1.5", "--json"]);
    assert!(report.starts_with(r#"{"file":"x1.5","#), "{report}");
    assert_eq!(report.replace("x1.5", text(&path)), run(&["inspect", text(&path), "--json"]));
    let converted = folder.join("converted.safetensors");
    run(&["convert", "x1.5", text(&converted)]);
    assert_eq!(classify(text(&converted)), classify("x1.5"));
}

#[test]
fn without_it_the_command_is_named() {
    let folder = folder("download_absent");
    let image = picture("orientation1.jpg");
    fs::copy(data("x1_5_stand_in.safetensors"), folder.join("x1.0")).unwrap();
    let run = |arguments: &[&str]| {
        finish(with_cache(&folder.join("cache")).args(arguments).current_dir(&folder))
    };
    for name in ["x0.5", "x1.0", "x1.5", "x2.0"] {
        let commands = [
            &["classify", text(&image), "--weights", name][..],
            &["inspect", name],
            &["convert", name, "out.safetensors"],
        ];
        for command in commands {
            let expected =
                format!("{name} is not downloaded yet: run `shufflenet download {name}`");
            assert_eq!(run(command).error(), expected);
        }
    }
    run(&["classify", text(&image), "--weights", "./x1.0"]).success();
}

#[test]
fn the_place_is_in_the_users_cache() {
    if !cfg!(target_os = "linux") {
        println!("skipped: elsewhere the user's cache is not where XDG_CACHE_HOME says");
        return;
    }
    let folder = folder("download_xdg");
    let server = Server::start(|request, stream| send(&stand_in(), request, stream));
    let mut program = with_cache(Path::new(""));
    program.env("XDG_CACHE_HOME", &folder);
    let said = finish(program.args(["download", "x1.5", "--mirror", &format!("{}//", server.url)]));
    assert_eq!(said.success(), format!("{}/shufflenet/{DESCRIBED}\n", folder.display()));
}

#[test]
fn a_cut_connection_is_resumed() {
    let cache = folder("download_cut");
    let server = Server::start(|request, stream| {
        let end = if request.number == 0 { 5000 } else { stand_in().len() };
        send_up_to(end, &stand_in(), request, stream)
    });
    download(&cache, "x1.5", &server.url).success();
    assert_eq!(server.asked(), [None, Some(5000)]);
    assert!(fs::read(cache.join(X1_5)).unwrap() == stand_in());
}

#[test]
fn a_run_that_was_killed_is_resumed_by_the_next() {
    let cache = folder("download_killed");
    let server = Server::start(|request, stream| match request.number {
        0 => {
            send_up_to(5000, &stand_in(), request, stream)?;
            loop {
                thread::park();
            }
        }
        _ => send(&stand_in(), request, stream),
    });
    let mut first = with_cache(&cache);
    first.args(["download", "x1.5", "--mirror", &server.url]).stderr(Stdio::null());
    let mut first = first.spawn().unwrap();
    let part = cache.join(format!("{X1_5}.part"));
    let begun = Instant::now();
    while !fs::metadata(&part).is_ok_and(|part| part.len() == 5000) {
        assert!(begun.elapsed() < Duration::from_secs(60));
        thread::sleep(Duration::from_millis(10));
    }
    let error = download(&cache, "x1.5", &server.url).error();
    let path = cache.join(X1_5);
    assert_eq!(error, format!("{}: another process is downloading it", path.display()));
    first.kill().unwrap();
    first.wait().unwrap();

    download(&cache, "x1.5", &server.url).success();
    assert_eq!(server.asked(), [None, Some(5000)]);
    assert!(fs::read(&path).unwrap() == stand_in() && !part.exists());
}

#[test]
fn a_wrong_checksum_is_told() {
    let cache = folder("download_checksum");
    let server = Server::start(|request, stream| send(&stand_in()[1..], request, stream));
    let files = [
        ("x0.5", "shufflenetv2_x0.5-f707e7126e.pth"),
        ("x1.0", "shufflenetv2_x1-5666bf0f80.pth"),
        ("x1.5", X1_5),
        ("x2.0", "shufflenetv2_x2_0-8be3c8ee.pth"),
    ];
    for (name, file) in files {
        let error = failure(&cache.join(name), name, file, &server.url);
        assert!(error.starts_with("wrong checksum, so nothing of it is kept: "), "{error}");
        let digits = file.rsplit(['-', '.']).nth(1).unwrap();
        assert!(error.ends_with(&format!("expected one that begins with {digits}")), "{error}");
    }
}

#[test]
fn without_a_network_it_says_so() {
    let cache = folder("download_no_network");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = failure(&cache, "x1.5", X1_5, &format!("http://{address}"));
    assert!(error.starts_with("no connection: "), "{error}");
}

#[test]
fn a_server_that_sends_forever_is_left() {
    let cache = folder("download_endless");
    let server = Server::start(|_, stream| {
        write!(stream, "HTTP/1.1 200 OK\r\n\r\n")?;
        loop {
            stream.write_all(&[b'x'; 1 << 16])?;
        }
    });
    let error = failure(&cache, "x1.5", X1_5, &server.url);
    assert_eq!(error, "the server sends more than 67,108,864 bytes");
}

#[test]
fn the_proxy_of_the_environment_is_asked() {
    let server = Server::start(|request, stream| send(&stand_in(), request, stream));
    let connect = format!("CONNECT {} HTTP/1.1", server.url.trim_start_matches("http://"));
    let proxy = Server::start(move |request, stream| {
        assert_eq!(request.head[0], connect);
        send_status("403 Forbidden", stream)
    });
    for variable in ["ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY"] {
        let mut program = with_cache(&folder(&format!("download_{variable}")));
        program.args(["download", "x1.5", "--mirror", &server.url]).env(variable, &proxy.url);
        let asked = proxy.asked().len();
        let error = finish(&mut program).error();
        assert!(error.contains("proxy"), "{error}");
        assert_eq!(proxy.asked().len(), asked + 1);
        finish(program.env("NO_PROXY", "127.0.0.1")).success();
        assert_eq!(proxy.asked().len(), asked + 1);
    }
}

#[test]
fn a_cache_that_cannot_be_written_is_named() {
    let folder = folder("download_unwritable");
    let file = folder.join("file");
    fs::write(&file, "").unwrap();
    let caches: [PathBuf; 2] = [file.clone(), file.join("below")];
    for cache in caches {
        let error = download(&cache, "x1.5", "http://127.0.0.1:9").error();
        assert!(error.starts_with(&format!("{}: ", cache.display())), "{error}");
    }
    // What has the file's name may be something else.
    fs::create_dir(folder.join(X1_5)).unwrap();
    let server = Server::start(|request, stream| send(&stand_in(), request, stream));
    let error = download(&folder, "x1.5", &server.url).error();
    assert!(error.starts_with(&format!("{}: ", folder.join(X1_5).display())), "{error}");
}
