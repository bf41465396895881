//! What a file says about its model beside the weights: the texts `shufflenet.*` in its metadata.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::decimal;
use super::json::{Parser, Unexpected};
use crate::Error;
use crate::model::{Architecture, Description, Fit, Preprocessing};

/// What all of our keys begin with; others' texts are not looked at.
const PREFIX: &str = "shufflenet.";

/// The keys that there are.
const KEYS: [&str; 10] = [
    "shufflenet.channels",
    "shufflenet.crop",
    "shufflenet.epsilon",
    "shufflenet.fit",
    "shufflenet.labels",
    "shufflenet.mean",
    "shufflenet.provenance",
    "shufflenet.resize",
    "shufflenet.std",
    "shufflenet.stem_stride",
];

/// Largest size that a file may ask for, in pixels: every session takes memory for it.
const MAX_SIZE: usize = 2048;

/// Colours are in 0 to 1. Whoever leaves the pixels undivided has a deviation of 1 / 255. In words, for to print
/// floats takes 10 kB of code, and nothing else does.
const MEANS: (RangeInclusive<f32>, &str) = (0.0..=1.0, "0 to 1");
const STDS: (RangeInclusive<f32>, &str) = (0.001..=10.0, "0.001 to 10");

/// What [`decimal`] reads.
const WRITTEN: &str = "with at most 19 digits and exponents to 27";

/// Longest piece of a wrong text in an error, in characters.
const EXCERPT: usize = 40;

/// Reads what is there; torchvision's preprocessing stands for what is not. Besides, whether the network
/// reads blue first.
pub(super) fn read(
    metadata: &BTreeMap<String, String>,
    architecture: &Architecture,
) -> Result<(Description, bool), Error> {
    check_keys(metadata)?;
    let text = |key: &str| metadata.get(key).map(String::as_str);
    let preprocessing = preprocessing(metadata, architecture)?;
    let bgr = match text("shufflenet.channels") {
        None | Some("rgb") => false,
        Some("bgr") => true,
        Some(other) => return Err(wrong("shufflenet.channels", other, "`rgb` or `bgr`")),
    };
    let labels = match text("shufflenet.labels") {
        Some(text) => labels(text, architecture.classes)?,
        None => Vec::new(),
    };
    let provenance = text("shufflenet.provenance").map(Box::from);
    Ok((Description { preprocessing, labels, provenance }, bgr))
}

/// What batch norm adds to the variance; PyTorch's number if the file does not say.
pub(super) fn epsilon(metadata: &BTreeMap<String, String>) -> Result<f64, Error> {
    let key = "shufflenet.epsilon";
    let Some(text) = metadata.get(key) else { return Ok(1e-5) };
    let epsilon = decimal::parse(text).filter(|&epsilon| epsilon > 0.0 && epsilon <= 1.0);
    epsilon.ok_or_else(|| wrong(key, text, format!("a number above 0 and up to 1, {WRITTEN}")))
}

/// Refuses a stem that is not computed here: its weights have the same shapes.
pub(super) fn check_stem(metadata: &BTreeMap<String, String>) -> Result<(), Error> {
    let key = "shufflenet.stem_stride";
    let expected = match metadata.get(key).map(String::as_str) {
        None | Some("2") => return Ok(()),
        Some("1") => "`2`: a stem of stride 1 is not supported yet",
        Some(_) => "`2`, or `1`, which is not supported yet",
    };
    Err(wrong(key, &metadata[key], expected))
}

fn check_keys(metadata: &BTreeMap<String, String>) -> Result<(), Error> {
    let own = |key: &&String| key.starts_with(PREFIX);
    let Some(key) = metadata.keys().filter(own).find(|key| !KEYS.contains(&key.as_str())) else {
        return Ok(());
    };
    Err(Error::MetadataKey { key: excerpt(key), expected: KEYS.join(", ") })
}

/// How pictures are prepared.
pub(super) fn preprocessing(
    metadata: &BTreeMap<String, String>,
    architecture: &Architecture,
) -> Result<Preprocessing, Error> {
    let text = |key: &str| metadata.get(key).map(String::as_str);
    let size = |key, default| text(key).map_or(Ok(default), |text| size(key, text));
    let colours =
        |key, range, default| text(key).map_or(Ok(default), |text| colours(key, text, range));
    let default = architecture.default_preprocessing();
    let fit = text("shufflenet.fit").map_or(Ok(default.fit), fit)?;
    let crop = size("shufflenet.crop", default.crop)?;
    let resize = match fit {
        Fit::Crop => default.with_crop(crop).resize,
        Fit::Stretch | Fit::Pad => crop,
    };
    Ok(Preprocessing {
        fit,
        resize: size("shufflenet.resize", resize)?,
        crop,
        mean: colours("shufflenet.mean", MEANS, default.mean)?,
        std: colours("shufflenet.std", STDS, default.std)?,
    })
}

fn fit(text: &str) -> Result<Fit, Error> {
    let fit = Fit::ALL.into_iter().find(|fit| fit.name() == text);
    fit.ok_or_else(|| wrong("shufflenet.fit", text, "`crop`, `stretch` or `pad`"))
}

fn size(key: &'static str, text: &str) -> Result<usize, Error> {
    let size = text.parse().ok().filter(|size| (1..=MAX_SIZE).contains(size));
    size.ok_or_else(|| wrong(key, text, format!("a whole number from 1 to {MAX_SIZE}")))
}

fn colours(
    key: &'static str,
    text: &str,
    (range, in_words): (RangeInclusive<f32>, &str),
) -> Result<[f32; 3], Error> {
    let (mut count, mut numbers) = (0, [0.0; 3]);
    let array = array(text, |p| {
        let number = p.float()?;
        if let Some(slot) = numbers.get_mut(count) {
            *slot = number as f32;
        }
        count += 1;
        Ok(())
    });
    match (array, count) {
        (Ok(()), 3) if numbers.iter().all(|number| range.contains(number)) => Ok(numbers),
        (Ok(()), 3) => {
            Err(wrong(key, text, format!("numbers from {in_words}, of colours divided by 255")))
        }
        _ => Err(wrong(key, text, format!("a JSON array of three numbers, {WRITTEN}"))),
    }
}

fn labels(text: &str, classes: usize) -> Result<Vec<Box<str>>, Error> {
    let key = "shufflenet.labels";
    let no_array = |_| wrong(key, text, "a JSON array of texts");
    // Counted before any is stored.
    let mut count = 0;
    let counted = array(text, |p| {
        count += 1;
        p.string().map(drop)
    });
    counted.map_err(no_array)?;
    if count != classes {
        let (found, expected) =
            (format!("{count} names"), format!("{classes}, one for each class"));
        return Err(Error::Metadata { key, found, expected });
    }
    let mut labels = Vec::with_capacity(count);
    let stored = array(text, |p| {
        labels.push(p.string()?.into());
        Ok(())
    });
    stored.map_err(no_array)?;
    Ok(labels)
}

/// An array that is all of a text. Compiled once for all elements.
fn array(
    text: &str,
    mut element: impl FnMut(&mut Parser<'_>) -> Result<(), Unexpected>,
) -> Result<(), Unexpected> {
    let element: &mut dyn FnMut(&mut Parser<'_>) -> Result<(), Unexpected> = &mut element;
    let mut parser = Parser::new(text);
    parser.array(element)?;
    parser.end("the end")
}

fn wrong(key: &'static str, text: &str, expected: impl Into<String>) -> Error {
    Error::Metadata { key, found: format!("`{}`", excerpt(text)), expected: expected.into() }
}

fn excerpt(text: &str) -> String {
    match text.char_indices().nth(EXCERPT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
