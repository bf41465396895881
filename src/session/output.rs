//! Results, and what is usually wanted of them.

/// The results of a run, in the session's memory until the next run.
#[derive(Clone, Copy, Debug)]
pub struct Output<'a> {
    features: &'a [f32],
    logits: &'a [f32],
    images: usize,
}

impl<'a> Output<'a> {
    pub(super) fn new(features: &'a [f32], logits: &'a [f32], images: usize) -> Output<'a> {
        Output { features, logits, images }
    }

    /// Number of images that ran.
    pub fn images(&self) -> usize {
        self.images
    }

    /// The pooled features of every image, `[image][feature]`.
    pub fn features(&self) -> &'a [f32] {
        self.features
    }

    /// The logits of every image, `[image][class]`.
    pub fn logits(&self) -> &'a [f32] {
        self.logits
    }

    /// One image's pooled features, or `None` where there is no such image.
    pub fn features_of(&self, image: usize) -> Option<&'a [f32]> {
        self.features.chunks_exact(self.features.len() / self.images).nth(image)
    }

    /// One image's logits, or `None` where there is no such image.
    pub fn logits_of(&self, image: usize) -> Option<&'a [f32]> {
        self.logits.chunks_exact(self.logits.len() / self.images).nth(image)
    }
}

/// Turns logits into probabilities in place. Computed in f64 from the largest logit down, so that no
/// finite logit overflows. Where a logit is NaN or infinite, so may the results be.
pub fn softmax(logits: &mut [f32]) {
    let max = logits.iter().fold(f32::NEG_INFINITY, |max, &x| max.max(x));
    let exp = |x: f32| (f64::from(x) - f64::from(max)).exp();
    let sum: f64 = logits.iter().map(|&x| exp(x)).sum();
    for logit in logits {
        *logit = (exp(*logit) / sum) as f32;
    }
}

/// The `k` largest values with their classes, the largest first; of equal values the lower class is
/// first. Fewer where there are fewer classes. NaN counts
/// as negative infinity.
pub fn top_k(values: &[f32], k: usize) -> Vec<(usize, f32)> {
    let mut ranked: Vec<(usize, usize)> = values.iter().map(|&x| falling(x)).zip(0..).collect();
    ranked.sort_unstable();
    ranked.into_iter().take(k).map(|(_, class)| (class, values[class])).collect()
}

/// A number for each float that is the smaller the larger the float is.
fn falling(x: f32) -> usize {
    let bits = if x.is_nan() { f32::NEG_INFINITY } else { x }.to_bits();
    (if bits >> 31 == 0 { !bits & i32::MAX as u32 } else { bits }) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn softmax_survives_large_logits() {
        let mut values = [1000.0, 1000.0, -1000.0, f32::MAX * 0.0];
        softmax(&mut values);
        assert_eq!(values, [0.5, 0.5, 0.0, 0.0]);
    }

    #[test]
    fn top_k_breaks_ties_by_class_and_puts_nan_last() {
        let values = [1.0, f32::NAN, 3.0, 3.0, -0.0];
        let classes: Vec<usize> = top_k(&values, 9).into_iter().map(|(class, _)| class).collect();
        assert_eq!(classes, [2, 3, 0, 4, 1]);
        assert_eq!(top_k(&values, 1), [(2, 3.0)]);
    }
}
