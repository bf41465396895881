#!/usr/bin/env python3
"""Small JPEG, PNG and WebP files, and the RGB that Pillow reads from them.

Files:
    *.jpg *.png *.webp    the pictures
    pictures.txt          a line per picture: NAME WIDTH HEIGHT, of the upright picture
    pictures.u8           ImageOps.exif_transpose(Image.open(NAME)).convert("RGB"), row by
                          row, one picture after the other

Needs: pillow >= 13, numpy.   Usage: make_pictures.py OUT_DIR
"""
import pathlib
import struct
import sys
import zlib

import numpy as np
from PIL import Image, ImageOps

W, H = 13, 9
ORIENTATION = 0x112
out = pathlib.Path(sys.argv[1])
names = []


def path(name):
    names.append(name)
    return out / name


def exif(orientation):
    tags = Image.Exif()
    tags[ORIENTATION] = orientation
    return tags


def samples(channels, maximum, width=W):
    """Values that go through the whole range, each channel in its own way."""
    i = np.arange(width * H * channels, dtype=np.int64)
    return ((i * 7919 + i * i * 31) % (maximum + 1)).reshape(H, width, channels)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


WHOLE = [(0, 0, 1, 1)]
# First row and column, and the steps between rows and columns.
ADAM7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]


def png(name, colour_type, bits, values, *chunks, passes=WHOLE, last=()):
    """A PNG by hand, for the kinds that Pillow does not write."""
    height, width, _ = values.shape
    rows = []
    for row in (row.ravel() for y, x, dy, dx in passes for row in values[y::dy, x::dx]):
        if bits == 16:
            data = row.astype(">u2").tobytes()
        else:
            digits = "".join(format(v, f"0{bits}b") for v in row)
            digits += "0" * (-len(digits) % 8)
            data = int(digits, 2).to_bytes(len(digits) // 8, "big")
        rows.append(b"\0" + data)
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, passes is ADAM7)
    data = chunk(b"IDAT", zlib.compress(b"".join(rows), 9))
    parts = [chunk(b"IHDR", header), *chunks, data, *last]
    path(name).write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts) + chunk(b"IEND", b""))


GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
for bits in (1, 2, 4, 8):
    values = samples(1, 2**bits - 1)
    colours = bytes((n * 37 + 11) % 256 for n in range(3 * 2**bits))
    palette = chunk(b"PLTE", colours)
    png(f"grey{bits}.png", GREY, bits, values)
    png(f"palette{bits}.png", PALETTE, bits, values, palette)
    alphas = chunk(b"tRNS", bytes([0, 128][: 2**bits]))
    png(f"palette{bits}_trns.png", PALETTE, bits, values, palette, alphas)
png("grey8_trns.png", GREY, 8, samples(1, 255), chunk(b"tRNS", struct.pack(">H", 120)))
png("rgb8_trns.png", RGB, 8, samples(3, 255), chunk(b"tRNS", struct.pack(">HHH", 1, 2, 3)))
for bits in (8, 16):
    png(f"rgb{bits}.png", RGB, bits, samples(3, 2**bits - 1))
    png(f"rgba{bits}.png", RGBA, bits, samples(4, 2**bits - 1))
    png(f"grey_alpha{bits}.png", GREY_ALPHA, bits, samples(2, 2**bits - 1))
png("grey16.png", GREY, 16, samples(1, 65535))
png("grey16_dark.png", GREY, 16, samples(1, 300))
png("grey16_trns.png", GREY, 16, samples(1, 300), chunk(b"tRNS", struct.pack(">H", 9)))
prefixed = b"Exif\0\0" + exif(6).tobytes().removeprefix(b"Exif\0\0")
png("exif_prefix.png", GREY, 8, samples(1, 255), chunk(b"eXIf", prefixed))
png("exif_last.png", GREY, 8, samples(1, 255), last=[chunk(b"eXIf", exif(8).tobytes())])
png("interlaced1.png", GREY, 1, samples(1, 1), passes=ADAM7)
png("interlaced16.png", RGB, 16, samples(3, 65535), passes=ADAM7)

rgb = Image.fromarray(samples(3, 255).astype(np.uint8), "RGB")
rgba = Image.fromarray(samples(4, 255).astype(np.uint8), "RGBA")
rgb.save(path("orientation6.png"), exif=exif(6))
rgb.save(path("lossless.webp"), lossless=True)
rgba.save(path("lossless_alpha.webp"), lossless=True, exact=True)
rgb.save(path("lossless_orientation8.webp"), lossless=True, exif=exif(8))

rgb.save(path("animated.webp"), lossless=True, save_all=True, append_images=[rgb.rotate(180)])
rgb.save(path("animated.png"), save_all=True, append_images=[rgb.rotate(180)])

# What a lossy format can keep: slow changes of colour.
y, x = np.ogrid[:25, :38]
planes = np.broadcast_arrays(x * 6, y * 9 + 20, 240 - x * 3 - y * 4, 30 + 5 * x + y)
smooth = Image.fromarray(np.stack(planes, 2).astype(np.uint8), "RGBA")
smooth.save(path("lossy_alpha.webp"), quality=90, exact=True)
smooth = smooth.convert("RGB")
smooth.save(path("lossy.webp"), quality=90)
smooth.save(path("lossy_orientation3.webp"), quality=90, exif=exif(3))
smooth.save(path("444.jpg"), quality=92, subsampling="4:4:4")
smooth.save(path("422.jpg"), quality=92, subsampling="4:2:2")
smooth.save(path("420.jpg"), quality=92, subsampling="4:2:0")
smooth.save(path("progressive.jpg"), quality=92, subsampling="4:2:0", progressive=True)
smooth.convert("L").save(path("grey.jpg"), quality=92)
smooth.convert("CMYK").save(path("cmyk.jpg"), quality=92)
for orientation in range(1, 10):  # 9 means nothing
    tags = exif(orientation)
    smooth.save(path(f"orientation{orientation}.jpg"), quality=92, subsampling=0, exif=tags)

lines, expected = [], []
for name in names:
    image = ImageOps.exif_transpose(Image.open(out / name)).convert("RGB")
    lines.append(f"{name} {image.width} {image.height}\n")
    expected.append(image.tobytes())
(out / "pictures.txt").write_text("".join(lines))
(out / "pictures.u8").write_bytes(b"".join(expected))
