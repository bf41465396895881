//! The size of an image, as an argument.

use std::str::FromStr;

#[derive(Clone, Copy)]
pub struct Size {
    pub height: usize,
    pub width: usize,
}

impl From<Size> for (usize, usize) {
    fn from(size: Size) -> (usize, usize) {
        (size.height, size.width)
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Size, String> {
        let (height, width) = text.split_once(['x', 'X']).unwrap_or((text, text));
        match (height.parse(), width.parse()) {
            (Ok(height), Ok(width)) => Ok(Size { height, width }),
            _ => Err("expected N or HEIGHTxWIDTH in pixels, such as 192x320".to_owned()),
        }
    }
}
