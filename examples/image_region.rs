//! `image_region WIDTH INPUT`: runs one image of 224x224 pixels through a network with made-up weights, for
//! tools that count instructions or memory accesses. On AArch64 the run stands between `hint #112` and
//! `hint #113`, which do nothing. WIDTH is `x0.5`, `x1.0`, `x1.5` or `x2.0`, INPUT `pixels`, `nhwc` or `nchw`.

use shufflenet::image::{PixelFormat, Pixels};
use shufflenet::model::{Architecture, LayerWeights, Model};
use shufflenet::{Input, Network, Session, SessionOptions};

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

const SIDE: usize = 224;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [width, input] = arguments.as_slice() else {
        return Err("usage: image_region WIDTH INPUT".into());
    };
    let widths = [Architecture::X0_5, Architecture::X1_0, Architecture::X1_5, Architecture::X2_0];
    let architecture = widths.into_iter().find(|a| a.name() == width);
    let architecture = architecture.ok_or(format!("there is no width {width}"))?;
    let weights = architecture.layers().into_iter().map(|layer| LayerWeights {
        weight: vec![0.01; layer.weight_shape().iter().product()],
        bias: vec![0.1; layer.outputs],
    });
    let preprocessing = architecture.default_preprocessing();
    let network = Network::new(Model::new(architecture, weights.collect(), preprocessing)?)?;
    let mut session = Session::new(&network, &SessionOptions::default())?;

    let bytes: Vec<u8> = (0..3 * SIDE * SIDE).map(|i| (i % 251) as u8).collect();
    let floats: Vec<f32> = bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect();
    let image = match input.as_str() {
        "pixels" => Input::Pixels(Pixels::new(&bytes, SIDE, SIDE, 3 * SIDE, PixelFormat::Rgb)?),
        "nhwc" => Input::Nhwc(&floats),
        "nchw" => Input::Nchw(&floats),
        _ => return Err(format!("there is no input {input}").into()),
    };
    let images = [image];
    mark!("112");
    let output = session.run(&images);
    mark!("113");
    println!("logit 0: {}", output?.logits()[0]);
    Ok(())
}
