//! Every registered kernel that this CPU can run, on every shape of the paper's four widths.

use criterion::{Criterion, Throughput};
use shufflenet::kernels::{Operation, registry};
use shufflenet::model::Architecture;
use shufflenet::workload::{Workbench, Workload, workloads};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Layers of some operations, one for each shape.
fn shapes(operations: &[Operation]) -> Vec<(String, Workload)> {
    let widths = [Architecture::X0_5, Architecture::X1_0, Architecture::X1_5, Architecture::X2_0];
    let mut shapes: Vec<(String, Workload)> = Vec::new();
    for layer in widths.iter().flat_map(|width| workloads(width, 224, 224)) {
        let [height, width] = layer.input.size;
        let (inputs, outputs) = (layer.input.channels(), layer.output.channels());
        let name = format!("{}, {height}x{width}, {inputs} to {outputs}", layer.operation);
        if operations.contains(&layer.operation) && shapes.iter().all(|(known, _)| *known != name) {
            shapes.push((name, layer));
        }
    }
    shapes
}

/// Measures them, and prints a table of multiply-adds a second at the end.
pub fn kernels(criterion: &mut Criterion, operations: &[Operation]) {
    let mut table: BTreeMap<&str, Vec<(String, f64)>> = BTreeMap::new();
    let shapes = shapes(operations);
    for (name, layer) in &shapes {
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Elements(layer.macs()));
        group.sample_size(10).warm_up_time(Duration::from_millis(100));
        group.measurement_time(Duration::from_millis(300));
        for kernel in registry() {
            if kernel.operation() != layer.operation || !kernel.runs_here() {
                continue;
            }
            let one = std::slice::from_ref(layer);
            let mut bench = Workbench::new(one, |_| Some(kernel)).unwrap();
            let best = Cell::new(f64::INFINITY);
            group.bench_function(kernel.name(), |bencher| {
                bencher.iter_custom(|count| {
                    let start = Instant::now();
                    for _ in 0..count {
                        bench.run(0).unwrap();
                    }
                    let elapsed = start.elapsed();
                    best.set(best.get().min(elapsed.as_secs_f64() / count as f64));
                    elapsed
                });
            });
            // Nothing ran where a filter left it out.
            if best.get().is_finite() {
                let speed = layer.macs() as f64 / best.get() / 1e9;
                table.entry(kernel.name()).or_default().push((name.clone(), speed));
            }
        }
        group.finish();
    }
    println!("\nbest, in GMAC/s");
    for (name, _) in &shapes {
        let of = |(kernel, speeds): (&&str, &Vec<(String, f64)>)| {
            let found = speeds.iter().find(|(shape, _)| shape == name);
            found.map(|(_, speed)| format!("  {kernel} {speed:.1}"))
        };
        let speeds: String = table.iter().filter_map(of).collect();
        if !speeds.is_empty() {
            println!("{name:40}{speeds}");
        }
    }
}
