//! `kernel_regions OPERATION [KERNEL]`: runs every layer of an operation once, at the paper's four widths, for
//! tools that count instructions. On AArch64 each run stands between `hint #112` and `hint #113`, which do
//! nothing. Prints how many regions and multiply-adds there were.

use shufflenet::cpu::Cpu;
use shufflenet::kernels::{Operation, registry, select};
use shufflenet::model::Architecture;
use shufflenet::workload::{Workbench, workloads};

/// Marks the start (112) or the end (113) of a region.
macro_rules! mark {
    ($number:literal) => {
        #[cfg(target_arch = "aarch64")]
        // SAFETY: a hint of that number does nothing.
        unsafe {
            std::arch::asm!(concat!("hint #", $number), options(nostack, preserves_flags))
        }
    };
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let names = Operation::ALL.map(|operation| operation.to_string());
    let wanted = std::env::args().nth(1).ok_or(format!("expected one of {names:?}"))?;
    let kernel = match std::env::args().nth(2) {
        Some(name) => {
            let found = registry().iter().find(|kernel| kernel.name() == name);
            Some(found.ok_or(format!("no kernel is called {name}"))?)
        }
        None => None,
    };
    let choose = |operation| match kernel {
        Some(kernel) if kernel.operation() == operation => Some(kernel),
        _ => select(Cpu::detect(), operation),
    };
    let (mut regions, mut macs) = (0, 0);
    let widths = [Architecture::X0_5, Architecture::X1_0, Architecture::X1_5, Architecture::X2_0];
    for width in &widths {
        let layers = workloads(width, 224, 224);
        let mut bench = Workbench::new(&layers, choose)?;
        for (index, layer) in layers.iter().enumerate() {
            if layer.operation.to_string() == wanted {
                mark!("112");
                bench.run(index)?;
                mark!("113");
                (regions, macs) = (regions + 1, macs + layer.macs());
            }
        }
    }
    println!("{regions} regions, {macs} multiply-adds");
    Ok(())
}
