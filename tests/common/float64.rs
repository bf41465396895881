//! ShuffleNet v2 as the paper writes it, in float64 and NCHW, with split, concat and shuffle as copies.
//! It shares nothing with the library but the list of layers.

use shufflenet::model::{Layer, LayerKind, Model};

/// Channels, height, width.
#[derive(Clone, Debug)]
pub struct Image {
    pub shape: [usize; 3],
    pub values: Vec<f64>,
}

impl Image {
    pub fn new(shape: [usize; 3], values: impl IntoIterator<Item = f64>) -> Image {
        let values: Vec<f64> = values.into_iter().collect();
        assert_eq!(values.len(), shape.iter().product::<usize>());
        Image { shape, values }
    }

    fn plane(&self, channel: usize) -> &[f64] {
        let [_, h, w] = self.shape;
        &self.values[channel * h * w..][..h * w]
    }

    fn channels(&self, channels: impl Iterator<Item = usize>) -> Image {
        let [_, h, w] = self.shape;
        let values: Vec<f64> = channels.flat_map(|c| self.plane(c).to_vec()).collect();
        Image { shape: [values.len() / (h * w), h, w], values }
    }
}

/// Every output of interest, in a network's order.
pub struct Outputs {
    pub conv1: Image,
    pub max_pool: Image,
    pub stages: [Image; 3],
    pub conv5: Image,
    pub features: Vec<f64>,
    pub logits: Vec<f64>,
}

/// The 3x3 neighbourhood of a pixel, inside the image, in reading order: `(tap, row, column)`.
fn neighbours(
    y: usize,
    x: usize,
    h: usize,
    w: usize,
) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..9).filter_map(move |tap| {
        let row = (y + tap / 3).checked_sub(1).filter(|&row| row < h)?;
        let column = (x + tap % 3).checked_sub(1).filter(|&column| column < w)?;
        Some((tap, row, column))
    })
}

pub fn convolve(layer: &Layer, weight: &[f32], bias: &[f32], x: &Image) -> Image {
    let [_, h, w] = x.shape;
    let (kernel, stride, groups) = match layer.kind {
        LayerKind::Stem => (3, 2, 1),
        LayerKind::Depthwise { stride } => (3, stride, layer.inputs),
        _ => (1, 1, 1),
    };
    let (out_h, out_w) = (h.div_ceil(stride), w.div_ceil(stride));
    let inputs = layer.inputs / groups;
    let mut values = Vec::new();
    for n in 0..layer.outputs {
        for (y, x0) in (0..out_h).flat_map(|y| (0..out_w).map(move |x| (y, x))) {
            let mut sum = f64::from(bias[n]);
            for k in 0..inputs {
                let plane = x.plane(if groups == 1 { k } else { n });
                if kernel == 1 {
                    sum += plane[y * w + x0] * f64::from(weight[n * inputs + k]);
                    continue;
                }
                for (tap, row, column) in neighbours(y * stride, x0 * stride, h, w) {
                    sum += plane[row * w + column] * f64::from(weight[(n * inputs + k) * 9 + tap]);
                }
            }
            values.push(if layer.relu { sum.max(0.0) } else { sum });
        }
    }
    Image { shape: [layer.outputs, out_h, out_w], values }
}

fn max_pool(x: &Image) -> Image {
    let [c, h, w] = x.shape;
    let (out_h, out_w) = (h.div_ceil(2), w.div_ceil(2));
    let mut values = Vec::new();
    for channel in 0..c {
        for (y, x0) in (0..out_h).flat_map(|y| (0..out_w).map(move |x| (y, x))) {
            let around = neighbours(2 * y, 2 * x0, h, w);
            let max = around.fold(f64::NEG_INFINITY, |max, (_, row, column)| {
                max.max(x.plane(channel)[row * w + column])
            });
            values.push(max);
        }
    }
    Image { shape: [c, out_h, out_w], values }
}

fn concat_and_shuffle(a: &Image, b: &Image) -> Image {
    let [half, h, w] = a.shape;
    let values = [a, b].into_iter().flat_map(|image| image.values.iter().copied());
    Image::new([2 * half, h, w], values).channels((0..2 * half).map(|c| c % 2 * half + c / 2))
}

/// Runs a model on an NCHW image.
pub fn run(model: &Model, height: usize, width: usize, image: &[f32]) -> Outputs {
    let architecture = model.architecture();
    let layers = architecture.layers();
    let mut next = layers.iter().zip(model.layers());
    let mut conv = |x: &Image| {
        let (layer, weights) = next.next().unwrap();
        convolve(layer, &weights.weight, &weights.bias, x)
    };
    let image = Image::new([3, height, width], image.iter().map(|&v| f64::from(v)));
    let conv1 = conv(&image);
    let max_pool = max_pool(&conv1);
    let mut x = max_pool.clone();
    let stages = architecture.stages.map(|stage| {
        for unit in 0..stage.units {
            let (left, right) = if unit == 0 {
                let left = conv(&x);
                (conv(&left), x.clone())
            } else {
                let half = stage.channels / 2;
                (x.channels(0..half), x.channels(half..stage.channels))
            };
            let right = conv(&right);
            let right = conv(&right);
            x = concat_and_shuffle(&left, &conv(&right));
        }
        x.clone()
    });
    let conv5 = conv(&x);
    let [channels, h, w] = conv5.shape;
    let mean = |c: usize| conv5.plane(c).iter().sum::<f64>() / (h * w) as f64;
    let features: Vec<f64> = (0..channels).map(mean).collect();
    let (_, fc) = next.next().unwrap();
    let logits = fc.bias.iter().zip(fc.weight.chunks_exact(channels)).map(|(&bias, row)| {
        let products = row.iter().zip(&features).map(|(&w, f)| f64::from(w) * f);
        f64::from(bias) + products.sum::<f64>()
    });
    Outputs { logits: logits.collect(), conv1, max_pool, stages, conv5, features }
}
