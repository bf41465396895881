use crate::support::{folder, json_lines, run, text, tiny_model};
use shufflenet::cpu::Level;
use shufflenet::kernels::registry;
use std::collections::BTreeSet;

#[test]
fn whole_images() {
    let report = run(["bench", "--variant", "x0.5", "--time", "1", "--json"]).json();
    assert_eq!((&report["model"], &report["threads"]), (&"x0.5".into(), &1.into()));
    let number = |name: &str| report[name].as_f64().unwrap();
    assert!(number("images") >= 3.0);
    assert!(0.0 < number("min_ms") && number("min_ms") <= number("median_ms"));
    assert!(number("median_ms") <= number("p90_ms"));
    let macs = number("gmacs_per_second") * number("median_ms");
    assert!((40.0..41.0).contains(&macs), "{macs}"); // the paper: 41 M
}

#[test]
fn threads_are_no_more_than_there_are() {
    let model = tiny_model(&folder("bench_threads"), 3);
    let arguments = ["bench", "--weights", text(&model), "--threads", "999999", "--time", "1"];
    let report = run(arguments.into_iter().chain(["--rest", "1", "--json"])).json();
    let threads = report["threads"].as_u64().unwrap();
    let most = std::thread::available_parallelism().unwrap().get() as u64;
    assert!((most.min(2)..=most).contains(&threads), "{threads} of {most}");
    let table = run(arguments).success();
    assert_eq!(table.lines().count(), 2, "{table}");
}

#[test]
fn rests_are_not_counted() {
    let model = tiny_model(&folder("bench_rest"), 3);
    let arguments = ["bench", "--weights", text(&model), "--size", "8", "--threads", "2"];
    let report =
        run(arguments.into_iter().chain(["--time", "1", "--rest", "200", "--json"])).json();
    assert_eq!(report["images"], 3);
    assert!(report["min_ms"].as_f64().unwrap() < 200.0, "{report}");
}

#[test]
fn every_layer_at_every_level() {
    let model = tiny_model(&folder("bench_kernels"), 3);
    let lines = run(["bench", "--kernels", "--weights", text(&model), "--time", "1", "--json"]);
    let lines = json_lines(&lines.success());
    let levels: BTreeSet<&str> = lines.iter().map(|l| l["level"].as_str().unwrap()).collect();
    let expected = Level::available().filter(|&level| level != Level::Reference);
    assert_eq!(levels, expected.map(Level::name).collect());
    let inspected = run(["inspect", text(&model), "--json"]).json();
    let layers_with_weights = inspected["layers"].as_array().unwrap().len() as u64;
    for level in levels {
        let of_level = lines.iter().filter(|line| line["level"] == level);
        let layers: u64 = of_level.map(|line| line["layers"].as_u64().unwrap()).sum();
        assert_eq!(layers, layers_with_weights + 1, "{level}"); // and the max pool
    }
    for line in &lines {
        let kernel = registry().iter().find(|kernel| kernel.name() == line["kernel"]);
        assert_eq!(line["operation"], kernel.unwrap().operation().to_string(), "{line}");
        assert!(line["microseconds"].as_f64().unwrap() > 0.0, "{line}");
        let share = line["peak_share"].as_f64().unwrap();
        assert!(share.is_finite() && (share > 0.0) == (line["macs"] != 0), "{line}");
    }
    let table = run(["bench", "--kernels", "--weights", text(&model), "--time", "1"]).success();
    assert!(table.contains("of the FMA peak"), "{table}");
}

#[test]
fn a_file_that_is_missing_is_named() {
    let missing = folder("bench_missing").join("x.safetensors");
    assert!(run(["bench", "--weights", text(&missing)]).error().contains("x.safetensors"));
}
