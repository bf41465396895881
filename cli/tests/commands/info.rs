use crate::support::{finish, program, run};
use shufflenet::cpu::Cpu;
use shufflenet::kernels::{Operation, registry};

#[test]
fn kernels_are_listed_for_every_operation() {
    let info = run(["info", "--json"]).json();
    assert_eq!(info["version"], env!("CARGO_PKG_VERSION"));
    let features: Vec<&str> =
        info["features"].as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect();
    assert_eq!(features, Cpu::features());
    let kernels = info["kernels"].as_array().unwrap();
    assert_eq!(kernels.len(), Operation::ALL.len());
    let text = run(["info"]).success();
    for (listed, operation) in kernels.iter().zip(Operation::ALL) {
        let kernel = registry().iter().find(|kernel| kernel.name() == listed["kernel"]);
        assert_eq!(kernel.map(|kernel| kernel.operation()), Some(operation));
        let line = text.lines().find(|line| line.starts_with(&operation.to_string())).unwrap();
        assert!(line.ends_with(listed["kernel"].as_str().unwrap()), "{line}");
    }
}

#[test]
fn the_mask_is_respected() {
    let masked =
        |mask: &str| finish(program().args(["info", "--json"]).env("SHUFFLENET_CPU", mask));
    let info = masked("reference,a55").json();
    assert_eq!((&info["level"], &info["core_type"]), (&"reference".into(), &"a55".into()));
    assert_eq!(info["mask"], "reference,a55");
    for chosen in info["kernels"].as_array().unwrap() {
        assert!(chosen["kernel"].as_str().unwrap().ends_with("_ref"), "{chosen}");
    }
    assert!(masked("").json()["mask"].is_null());

    let error = masked("nonsense").error();
    assert!(error.starts_with("SHUFFLENET_CPU: "), "{error}");
    assert!(error.contains("`nonsense`") && error.contains("reference, portable"), "{error}");
}
