use crate::support::{folder, run, text, tiny_model};

#[test]
fn every_step_is_listed_and_grouped() {
    let model = tiny_model(&folder("profile"), 3);
    let arguments = ["profile", "--weights", text(&model), "--size", "40x33", "--time", "1"];
    let report = run(arguments.into_iter().chain(["--json"])).json();
    assert_eq!(report["input_size"], serde_json::json!([40, 33]));
    let steps = report["steps"].as_array().unwrap();
    let inspected = run(["inspect", text(&model), "--size", "40x33", "--json"]).json();
    let layers = inspected["layers"].as_array().unwrap();
    let with_weights: Vec<_> =
        steps.iter().filter(|s| s["step"] != "input" && s["step"] != "maxpool").collect();
    assert_eq!((with_weights.len(), steps.len()), (layers.len(), layers.len() + 2));
    for (step, layer) in with_weights.iter().zip(layers) {
        assert_eq!((&step["step"], &step["macs"]), (&layer["name"], &layer["macs"]));
    }
    let sum = |list: &[serde_json::Value]| -> f64 {
        list.iter().map(|entry| entry["microseconds"].as_f64().unwrap()).sum()
    };
    for step in steps {
        assert!(step["microseconds"].as_f64().unwrap() > 0.0, "{step}");
        assert!(step["bytes"].as_u64().unwrap() > 0, "{step}");
    }
    // In the long run steps take what an image takes; here it is enough that they are of that size.
    let (all, whole) = (sum(steps) / 1e3, report["milliseconds"].as_f64().unwrap());
    assert!(all < 100.0 * whole && whole < 100.0 * all, "{all} {whole}");
    let groups = report["groups"].as_array().unwrap();
    let names: Vec<_> = groups.iter().map(|group| group["group"].as_str().unwrap()).collect();
    assert_eq!(names, ["convolution", "data", "element-wise", "shuffle", "other"]);
    assert!((sum(groups) - sum(steps)).abs() < 1e-6 * sum(steps));
    assert_eq!(groups[3]["microseconds"], 0.0);
}

#[test]
fn people_get_two_tables() {
    let model = tiny_model(&folder("profile_table"), 3);
    let arguments = ["profile", "--weights", text(&model), "--time", "1", "--input", "nhwc"];
    let table = run(arguments).success();
    assert!(table.contains("roofline") && table.contains("\nshuffle"), "{table}");
}
