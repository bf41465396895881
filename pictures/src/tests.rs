use super::*;
use std::path::Path;

fn file(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Decodes the pictures that a list names, and gives for each how far it is from Pillow's pixels, at most
/// and on average.
fn compare(list: &str, mut check: impl FnMut(&str, u8, f64)) {
    let folder = list.split_once('/').unwrap().0;
    let expected = file(&format!("{list}.u8"));
    let mut expected = &expected[..];
    for line in String::from_utf8(file(&format!("{list}.txt"))).unwrap().lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        let size = [1, 2].map(|i| fields[i].parse::<usize>().unwrap());
        let bytes = file(&format!("{folder}/{}", fields[0]));
        let picture = decode(&bytes).unwrap_or_else(|e| panic!("{line}: {e}"));
        assert_eq!([picture.width, picture.height], size, "{line}");
        let (values, rest) = expected.split_at(size[0] * size[1] * 3);
        expected = rest;
        assert_eq!(picture.rgb.len(), values.len(), "{line}");
        let differences = picture.rgb.iter().zip(values).map(|(a, b)| a.abs_diff(*b));
        let sum: u64 = differences.clone().map(u64::from).sum();
        check(fields[0], differences.max().unwrap(), sum as f64 / values.len() as f64);
    }
    assert!(expected.is_empty());
}

#[test]
fn pictures_are_pillows() {
    compare("data/pictures", |name, worst, mean| {
        // JPEG leaves the rounding of its transforms to the decoder.
        let tolerance = match name {
            "grey.jpg" | "cmyk.jpg" => 1,
            name if name.ends_with(".jpg") => 3,
            _ => 0,
        };
        assert!(worst <= tolerance, "{name}: {worst} off, {mean} on average");
    });
}

#[test]
fn rare_kinds_of_jpegs_are_pillows() {
    compare("jpegs/jpegs", |name, worst, mean| {
        assert!(worst <= 4 && mean <= 0.5, "{name}: {worst} off, {mean} on average");
    });
}

/// The file with the bytes from `at` on changed.
fn changed(name: &str, at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut file = file(name);
    file[at..at + bytes.len()].copy_from_slice(bytes);
    file
}

#[test]
fn jpegs_that_would_come_out_wrong_are_refused() {
    let is = |bytes: &[u8], fault: &str| {
        let expected =
            format!("a JPEG that is not read, for {fault}; convert it with another program");
        assert_eq!(error(bytes), expected);
    };
    is(&file("jpegs/arithmetic.jpg"), "its coding is arithmetic");
    let fault = "a scan has one component alone, sampled 2x1 where another has more";
    is(&file("jpegs/alone_2x1_of_4x1.jpg"), fault);
    is(&file("jpegs/last_scans_missing.jpg"), "its last scans are missing");

    let frame = find(&file("data/420.jpg"), &[0xFF, 0xC0]);
    is(&changed("data/420.jpg", frame + 1, &[0xC3]), "it is lossless");
    is(&changed("data/420.jpg", frame + 1, &[0xC5]), "it is hierarchical");
    is(&changed("data/420.jpg", frame + 4, &[12]), "its samples have 12 bits, not 8");
    is(&changed("data/420.jpg", frame + 5, &[0, 0]), "its height is told after the first scan");
    // Two components, of a shorter segment.
    let mut two = changed("data/420.jpg", frame + 2, &[0, 14]);
    two[frame + 9] = 2;
    two.drain(frame + 16..frame + 19);
    is(&two, "it has 2 components, not 1, 3 or 4");

    let mut twice = file("jpegs/scans_420.jpg");
    let first_scan = find(&twice, &[0xFF, 0xDA]);
    let second_scan = first_scan + 2 + find(&twice[first_scan + 2..], &[0xFF, 0xDA]);
    twice[second_scan + 5] = twice[first_scan + 5];
    is(&twice, "a component comes in two scans");

    let mut tables = file("data/progressive.jpg");
    let table = find(&tables, &[0xFF, 0xDB]);
    let table = tables[table..table + 69].to_vec();
    let first_scan = find(&tables, &[0xFF, 0xDA]);
    let end = first_scan + 2 + find(&tables[first_scan + 2..], &[0xFF, 0xC4]);
    tables.splice(end..end, table);
    is(&tables, "it quantises differently between its scans");
}

#[test]
fn more_scans_than_any_program_writes_are_refused() {
    let mut jpeg = file("data/progressive.jpg");
    let last = jpeg.windows(2).rposition(|pair| pair == [0xFF, 0xDA]).unwrap();
    let end = jpeg.len() - 2;
    let scan = jpeg[last..end].repeat(500);
    jpeg.splice(end..end, scan);
    assert_eq!(error(&jpeg), "the JPEG file has more than 500 scans");
}

#[test]
fn a_scan_that_ends_too_early_is_an_error() {
    for (name, after) in
        [("data/420.jpg", 0xD9), ("data/grey.jpg", 0xD9), ("jpegs/scans_420.jpg", 0xC4)]
    {
        let mut bytes = file(name);
        let start = find(&bytes, &[0xFF, 0xDA]) + 2;
        let end = start + find(&bytes[start..], &[0xFF, after]);
        bytes.drain(start + (end - start) / 2..end);
        assert_eq!(error(&bytes), "invalid JPEG format: failed to decode huffman code", "{name}");
    }
}

fn find(bytes: &[u8], pattern: &[u8]) -> usize {
    bytes.windows(pattern.len()).position(|window| window == pattern).unwrap()
}

fn error(bytes: &[u8]) -> String {
    decode(bytes).err().expect("an error")
}

#[test]
fn other_formats_are_refused_with_the_list_of_formats() {
    for bytes in [&b""[..], b"\xFF", b"GIF89a.........", b"BM..............", b"hello, world"] {
        assert_eq!(error(bytes), "not a picture that can be read: JPEG, PNG and WebP are");
    }
}

#[test]
fn huge_sizes_are_refused_before_memory_is_taken() {
    // The size is at byte 16 of a PNG, and its header's checksum at byte 29.
    let resized = |name: &str, width: u32, height: u32| {
        let mut png = file(name);
        png[16..20].copy_from_slice(&width.to_be_bytes());
        png[20..24].copy_from_slice(&height.to_be_bytes());
        let checksum = crc32(&png[12..29]).to_be_bytes();
        png[29..33].copy_from_slice(&checksum);
        error(&png)
    };
    assert_eq!(
        resized("data/rgb8.png", MAX_SIDE + 1, 1),
        "32769 pixels wide and 1 high: each may be 32768 at most"
    );
    assert_eq!(
        resized("data/rgb8.png", 1, MAX_SIDE + 1),
        "1 pixels wide and 32769 high: each may be 32768 at most"
    );
    // Too much as the file stores it, and too much as RGB.
    assert_eq!(
        resized("data/rgba16.png", 10_000, 10_000),
        "10000 pixels wide and 10000 high, 8 bytes a pixel as stored and 3 as RGB: 763 MiB, more than \
         512 MiB"
    );
    let too_large = |side: u32, stored| {
        format!(
            "{side} pixels wide and {side} high, {stored} bytes a pixel as stored and 3 as RGB: 768 MiB, \
             more than 512 MiB"
        )
    };
    assert_eq!(resized("data/grey8.png", 16_384, 16_384), too_large(16_384, 1));

    // Height and width follow the frame marker, its length and the sample size.
    let frame = find(&file("data/grey.jpg"), &[0xFF, 0xC0]);
    let jpeg = changed("data/grey.jpg", frame + 5, &[0x40, 0, 0x40, 0]);
    assert_eq!(error(&jpeg), too_large(16_384, 1));

    // A lossless WebP's width and height, each less one, are 14 bits each after its signature byte.
    let signature = find(&file("data/lossless.webp"), b"VP8L") + 8;
    let webp = changed("data/lossless.webp", signature + 1, &[0xFE, 0xBF, 0xFF, 0x0F]);
    assert_eq!(error(&webp), too_large(16_383, 3));
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 }
        })
    })
}

#[test]
fn damage_gives_an_error_or_a_picture() {
    let names =
        ["420.jpg", "progressive.jpg", "orientation6.png", "lossless.webp", "lossy_alpha.webp"];
    for name in names {
        let whole = file(&format!("data/{name}"));
        // Cut before the last pixels, whatever follows them.
        for length in 0..whole.len() {
            let result = decode(&whole[..length]);
            if name.ends_with(".jpg") || length < whole.len() * 9 / 10 {
                assert!(result.is_err(), "{name} cut to {length} bytes");
            }
        }
        for at in 0..whole.len() {
            for flip in [0xFF, 0x01, 0x80] {
                let mut bytes = whole.clone();
                bytes[at] ^= flip;
                if let Ok(picture) = decode(&bytes) {
                    assert_eq!(picture.rgb.len(), picture.width * picture.height * 3);
                }
            }
        }
    }
}
