use crate::support::run;

#[test]
fn help_names_every_argument() {
    let commands: [(&str, &[&str]); 8] = [
        ("classify", &["<IMAGE>...", "--weights <", "--set <", "--top <", "--json", "--threads <"]),
        (
            "evaluate",
            &["<DIR_OR_IDX>", "--weights <", "--set <", "--class-order <", "--json", "--threads <"],
        ),
        ("info", &["--json", "SHUFFLENET_CPU"]),
        ("inspect", &["[FILE]", "--set <", "--size <", "--json"]),
        ("convert", &["<IN>", "<OUT>", "--set <"]),
        (
            "bench",
            &[
                "--variant <",
                "--weights <",
                "--set <",
                "--threads <",
                "--size <",
                "--input <",
                "--batch <",
                "--rest <",
                "--kernels",
                "--time <",
                "--json",
            ],
        ),
        (
            "profile",
            &[
                "--variant <",
                "--weights <",
                "--set <",
                "--size <",
                "--input <",
                "--time <",
                "--json",
            ],
        ),
        (
            "download",
            &["x0.5, x1.0, x1.5, x2.0", "--mirror <", "SHUFFLENET_CACHE", "SSL_CERT_FILE"],
        ),
    ];
    let described = ["--fit <", "--resize <", "--crop <", "--mean <", "--std <", "--labels <"];
    for command in ["classify", "evaluate", "convert"] {
        let help = run([command, "--help"]).success();
        for option in described {
            assert!(help.contains(option), "{option} in {help}");
        }
    }
    let all = run(["--help"]).success();
    for (command, arguments) in commands {
        assert!(all.contains(&format!("\n  {command} ")), "{command} in {all}");
        let help = run([command, "--help"]).success();
        for argument in arguments {
            assert!(help.contains(argument), "{argument} in {help}");
        }
    }
}

#[test]
fn the_version_is_the_packages() {
    let version = concat!("shufflenet ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(run(["--version"]).success(), version);
}

#[test]
fn wrong_usage_is_exit_code_2() {
    let usages: [&[&str]; 14] = [
        &[],
        &["clasify"],
        &["classify"],
        &["classify", "a.png", "--threads", "0"],
        &["classify", "a.png", "--top", "0"],
        &["inspect", "a.safetensors", "--size", "3x4x5"],
        &["convert", "a.pth"],
        &["inspect", "--set", "epsilom=1e-3"],
        &["inspect", "--set", "epsilon"],
        &["download"],
        &["download", "x3.0"],
        &["download", "x1.0", "--mirror", "example.org"],
        &["bench", "--variant", "x1.0", "--weights", "a.safetensors"],
        &["bench", "--kernels", "--threads", "2"],
    ];
    for usage in usages {
        let run = run(usage);
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{usage:?}");
        let help = usage.is_empty() && run.stderr.contains("Usage:");
        let one_line = run.stderr.starts_with("error: ") && run.stderr.lines().count() == 1;
        assert!(help || one_line, "{usage:?}: {}", run.stderr);
    }
}
