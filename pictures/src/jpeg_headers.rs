//! What a JPEG's headers say, as far as the decoder asks for it: whose colours, and of which kind it is.

use jpeg_decoder::ColorTransform;

const START_OF_SCAN: u8 = 0xDA;
const END: u8 = 0xD9;
const TABLES: u8 = 0xDB;

/// Most scans: each may be a few bytes, and take as long as the whole picture.
const MAX_SCANS: usize = 500;

/// Scans that leave details in the first so many coefficients out are smoothed by libjpeg.
const SMOOTHED: usize = 10;

struct Component {
    id: u8,
    across: u32,
    down: u32,
}

/// The coefficients of some components, from a first to a last, down to a bit.
struct Scan {
    components: Vec<u8>,
    first: u8,
    last: u8,
    bit: u8,
}

#[derive(Default)]
pub struct Headers<'a> {
    pub exif: &'a [u8],
    /// Where in the file the data of each scan ends.
    pub scan_ends: Vec<usize>,
    /// The marker, 0xC0 and above, that tells the coding.
    coding: u8,
    bits: u8,
    height: u32,
    width: u32,
    components: Vec<Component>,
    jfif: bool,
    adobe: Option<u8>,
    scans: Vec<Scan>,
    tables_between_scans: bool,
}

impl<'a> Headers<'a> {
    /// Reads all headers up to the end marker, which must be there: the decoder would fill what is missing
    /// with grey.
    pub fn read(bytes: &'a [u8]) -> Result<Headers<'a>, String> {
        let cut = || "the JPEG file is cut short".to_owned();
        let mut headers = Headers::default();
        let mut rest = &bytes[2..];
        loop {
            // FF 00 is data, and FF D0 to FF D7 are restarts.
            let marker =
                |pair: &[u8]| pair[0] == 0xFF && !matches!(pair[1], 0 | 0xD0..=0xD7 | 0xFF);
            let at = rest.windows(2).position(marker).ok_or_else(cut)?;
            if headers.scan_ends.len() < headers.scans.len() {
                // Markers may have more FF before them.
                let filler = rest[..at].iter().rev().take_while(|&&byte| byte == 0xFF).count();
                headers.scan_ends.push(bytes.len() - rest.len() + at - filler);
            }
            let marker = rest[at + 1];
            if marker == END {
                return Ok(headers);
            }
            rest = &rest[at + 2..];
            let &[high, low] = rest.first_chunk().ok_or_else(cut)?;
            let length = usize::from(u16::from_be_bytes([high, low]));
            let segment = rest.get(..length).ok_or_else(cut)?;
            rest = &rest[length..];
            // Too short ones are the decoder's to refuse.
            headers.take(marker, segment.get(2..).unwrap_or_default());
            if headers.scans.len() > MAX_SCANS {
                return Err(format!("the JPEG file has more than {MAX_SCANS} scans"));
            }
        }
    }

    /// Adds what a segment says.
    fn take(&mut self, marker: u8, segment: &'a [u8]) {
        let in_scan = !self.scans.is_empty();
        match (marker, segment) {
            (0xC0..=0xCF, [bits, h1, h0, w1, w0, _, components @ ..])
                if !matches!(marker, 0xC4 | 0xC8 | 0xCC) && self.components.is_empty() =>
            {
                self.coding = marker;
                self.bits = *bits;
                self.height = u16::from_be_bytes([*h1, *h0]).into();
                self.width = u16::from_be_bytes([*w1, *w0]).into();
                let component = |c: &[u8]| Component {
                    id: c[0],
                    across: u32::from(c[1] >> 4),
                    down: u32::from(c[1] & 15),
                };
                self.components = components.chunks_exact(3).map(component).collect();
            }
            (START_OF_SCAN, [count, scan @ ..]) => {
                let (components, rest) = scan.split_at((2 * usize::from(*count)).min(scan.len()));
                if let &[first, last, bits, ..] = rest {
                    let components = components.iter().step_by(2).copied().collect();
                    self.scans.push(Scan { components, first, last, bit: bits & 15 });
                }
            }
            (TABLES, _) => self.tables_between_scans |= in_scan,
            (0xE0, [b'J', b'F', b'I', b'F', 0, ..]) if !in_scan => self.jfif = true,
            (0xE1, [b'E', b'x', b'i', b'f', 0, 0, exif @ ..]) if self.exif.is_empty() => {
                self.exif = exif;
            }
            (0xEE, [b'A', b'd', b'o', b'b', b'e', _, _, _, _, _, _, transform, ..]) if !in_scan => {
                self.adobe = Some(*transform);
            }
            _ => (),
        }
    }

    /// The colours that libjpeg takes the components for.
    pub fn colours(&self) -> ColorTransform {
        let ids: Vec<u8> = self.components.iter().map(|component| component.id).collect();
        match (ids.len(), self.adobe) {
            (1, _) => ColorTransform::Grayscale,
            (3, _) if self.jfif => ColorTransform::YCbCr,
            (3, Some(0)) => ColorTransform::RGB,
            (3, None) if ids == *b"RGB" => ColorTransform::RGB,
            (3, _) => ColorTransform::YCbCr,
            (_, None | Some(0)) => ColorTransform::CMYK,
            _ => ColorTransform::YCCK,
        }
    }

    /// What the decoder cannot read, or would read wrongly.
    pub fn unreadable(&self) -> Option<String> {
        if self.components.is_empty() {
            return None; // the decoder has an error for it
        }
        match self.coding {
            0xC0..=0xC2 => (),
            0xC9..=0xCB => return Some("its coding is arithmetic".to_owned()),
            0xC3 => return Some("it is lossless".to_owned()),
            _ => return Some("it is hierarchical".to_owned()),
        }
        if self.bits != 8 {
            return Some(format!("its samples have {} bits, not 8", self.bits));
        }
        if !matches!(self.components.len(), 1 | 3 | 4) {
            return Some(format!("it has {} components, not 1, 3 or 4", self.components.len()));
        }
        if self.height == 0 {
            return Some("its height is told after the first scan".to_owned());
        }
        if let Some(component) = self.scans.iter().find_map(|scan| self.misread_alone(scan)) {
            return Some(format!(
                "a scan has one component alone, sampled {}x{} where another has more",
                component.across, component.down
            ));
        }
        match self.coding == 0xC2 {
            true => self.unreadable_progression(),
            false => {
                let mut ids = self.scans.iter().flat_map(|scan| &scan.components);
                let mut seen = [false; 256];
                let repeated = ids.any(|&id| std::mem::replace(&mut seen[usize::from(id)], true));
                repeated.then(|| "a component comes in two scans".to_owned())
            }
        }
    }

    /// A component whose blocks the decoder would miscount: of a scan that has no other, it takes as many
    /// as the component has together with others.
    fn misread_alone(&self, scan: &Scan) -> Option<&Component> {
        let &[id] = &scan.components[..] else { return None };
        let component = self.components.iter().find(|component| component.id == id)?;
        let misread = |pixels: u32, factor: u32, all: fn(&Component) -> u32| {
            let most = self.components.iter().map(all).max().unwrap_or(1).max(1);
            let taken = (pixels.div_ceil(8 * most) * factor).min(pixels.div_ceil(8));
            taken != (pixels * factor).div_ceil(8 * most)
        };
        let wrong = misread(self.width, component.across, |c| c.across)
            || misread(self.height, component.down, |c| c.down);
        wrong.then_some(component)
    }

    fn unreadable_progression(&self) -> Option<String> {
        if self.tables_between_scans {
            return Some("it quantises differently between its scans".to_owned());
        }
        let complete = self.components.iter().all(|component| {
            let mut missing = [true; SMOOTHED];
            let scans = self.scans.iter().filter(|scan| scan.components.contains(&component.id));
            for scan in scans {
                let coefficients =
                    usize::from(scan.first)..SMOOTHED.min(usize::from(scan.last) + 1);
                missing.get_mut(coefficients).unwrap_or_default().fill(scan.bit > 0);
            }
            missing == [false; SMOOTHED]
        });
        (!complete).then(|| "its last scans are missing".to_owned())
    }
}
