//! How often a model is right.

use std::collections::BTreeMap;

/// What was counted, picture by picture.
#[derive(Default)]
pub struct Score {
    top1: usize,
    top5: usize,
    count: usize,
    /// Pictures by their class and the class that the model said: only pairs that occur.
    confusion: BTreeMap<(usize, usize), usize>,
}

/// One class's share.
#[derive(Clone, Copy, Default)]
pub struct ClassScore {
    /// Pictures of the class.
    pub count: usize,
    /// Pictures that the model took for it.
    pub said: usize,
    /// Pictures that are both.
    pub right: usize,
}

impl Score {
    /// Counts a picture of a class, for which the model said these classes, the likeliest first.
    pub fn add(&mut self, class: usize, said: &[usize]) {
        self.count += 1;
        self.top1 += usize::from(said.first() == Some(&class));
        self.top5 += usize::from(said.iter().take(5).any(|&said| said == class));
        if let Some(&first) = said.first() {
            *self.confusion.entry((class, first)).or_default() += 1;
        }
    }

    pub fn count(&self) -> usize {
        self.count
    }

    pub fn top1(&self) -> f64 {
        self.top1 as f64 / self.count as f64
    }

    pub fn top5(&self) -> f64 {
        self.top5 as f64 / self.count as f64
    }

    /// How many pictures of a class were taken for which, in the order of the classes.
    pub fn confusion(&self) -> impl Iterator<Item = ([usize; 2], usize)> {
        self.confusion.iter().map(|(&(class, said), &count)| ([class, said], count))
    }

    pub fn per_class(&self, classes: usize) -> Vec<ClassScore> {
        let mut scores = vec![ClassScore::default(); classes];
        for ([class, said], count) in self.confusion() {
            scores[class].count += count;
            scores[said].said += count;
            if class == said {
                scores[class].right += count;
            }
        }
        scores
    }
}

impl ClassScore {
    /// The fraction of the class's pictures that were recognised, if there are any.
    pub fn recall(&self) -> Option<f64> {
        (self.count > 0).then(|| self.right as f64 / self.count as f64)
    }

    /// The fraction of what was taken for the class that is of it, if anything was.
    pub fn precision(&self) -> Option<f64> {
        (self.said > 0).then(|| self.right as f64 / self.said as f64)
    }
}
