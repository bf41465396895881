//! What a camera gives: a frame, and how the phone was held.

use super::{Pixels, Yuv420};
use crate::Error;
use crate::kernels::PixelRows;
use std::ops::Range;

/// How far a frame must be turned clockwise to stand upright; Android's `rotationDegrees`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Rotation {
    /// It is upright.
    #[default]
    None,
    /// By 90 degrees: the frame's left column becomes the top row.
    Clockwise90,
    /// By 180 degrees.
    Clockwise180,
    /// By 270 degrees: the frame's right column becomes the top row.
    Clockwise270,
}

impl Rotation {
    /// All of them.
    pub const ALL: [Rotation; 4] =
        [Rotation::None, Rotation::Clockwise90, Rotation::Clockwise180, Rotation::Clockwise270];

    /// From degrees clockwise.
    ///
    /// # Errors
    /// [`Error::Argument`] for anything but 0, 90, 180 and 270.
    pub fn from_degrees(degrees: u32) -> Result<Rotation, Error> {
        match degrees {
            0 => Ok(Rotation::None),
            90 => Ok(Rotation::Clockwise90),
            180 => Ok(Rotation::Clockwise180),
            270 => Ok(Rotation::Clockwise270),
            _ => Err(Error::argument("rotation", degrees, "0, 90, 180 or 270 degrees")),
        }
    }

    /// Whether rows become columns.
    pub(super) fn swaps_sides(self) -> bool {
        matches!(self, Rotation::Clockwise90 | Rotation::Clockwise270)
    }

    /// Width and height after it.
    pub(super) fn turn(self, (width, height): (usize, usize)) -> (usize, usize) {
        if self.swaps_sides() { (height, width) } else { (width, height) }
    }

    /// Whether the turned picture has the frame's columns from right to left, and its rows from below.
    pub(super) fn mirrors(self) -> [bool; 2] {
        match self {
            Rotation::None => [false, false],
            Rotation::Clockwise90 => [false, true],
            Rotation::Clockwise180 => [true, true],
            Rotation::Clockwise270 => [true, false],
        }
    }
}

/// Any picture that rows of RGB can be had from.
#[derive(Clone, Copy)]
pub(super) enum Frame<'p, 'a> {
    Pixels(&'p Pixels<'a>),
    Yuv420(&'p Yuv420<'a>),
}

impl Frame<'_, '_> {
    /// Width and height.
    pub fn size(self) -> (usize, usize) {
        match self {
            Frame::Pixels(pixels) => (pixels.width(), pixels.height()),
            Frame::Yuv420(yuv) => (yuv.width(), yuv.height()),
        }
    }

    /// Row `y` from an even column on, as RGB and a byte without meaning.
    pub fn write_row(self, rows: &PixelRows, y: usize, columns: Range<usize>, out: &mut [[u8; 4]]) {
        match self {
            Frame::Pixels(pixels) => pixels.write_row(rows, y, columns, out),
            Frame::Yuv420(yuv) => yuv.write_row(rows, y, columns, out),
        }
    }
}
