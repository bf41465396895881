#!/usr/bin/env python3
"""What torchvision's evaluation transform makes of pictures, as numbers.

Pictures come from a formula, so that a test can rebuild them. The value of the
picture KIND with SEED, W pixels wide, at column x, row y, channel c (0 red, 1 green,
2 blue), with i = (y * W + x) * 3 + c:

    noise     splitmix64(SEED + i) >> 56
    rings     ((x * x + (c + 1) * y * y + SEED) >> 3) & 255
    stripes   255 if (3 * x + 5 * y + 2 * c + SEED) % 7 < 3 else 0

splitmix64(x): x += 0x9E3779B97F4A7C15; x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
               x = (x ^ (x >> 27)) * 0x94D049BB133111EB; x ^ (x >> 31)

Files:
    cases.txt            a line per case: KIND SEED WIDTH HEIGHT RESIZE CROP HASH ROWS;
                         HASH is the FNV-1a (64 bit) of the crop's bytes, ROWS the rows of
                         the crop that crops.u8 has (A,B,... or "all")
    crops.u8             those rows, RGB bytes, one case after the other
    normalization.f32    ToTensor and Normalize of the values 0 to 255: [set, channel, value],
                         little-endian; the sets are SETS below

Needs: torch, torchvision, pillow >= 13, numpy.   Usage: make_images.py OUT_DIR
"""
import pathlib
import sys

import numpy as np
import torch
from PIL import Image
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as F

MASK = (1 << 64) - 1

# mean, std
SETS = [
    ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    ((0.5, 0.0, 1.0), (0.5, 1.0, -3.0)),
]

# width, height, resize, crop
SMALL = [
    (1, 1, 4, 3), (1, 7, 3, 3), (7, 1, 3, 5), (5, 3, 33, 30), (3, 5, 2, 2),
    (33, 33, 33, 30), (33, 40, 33, 30), (40, 33, 33, 30), (30, 30, 30, 30),
    (31, 31, 31, 30), (47, 61, 33, 30), (61, 47, 33, 30), (64, 48, 35, 30), (48, 64, 37, 30),
    (200, 133, 33, 30), (133, 200, 33, 31), (640, 480, 33, 30), (479, 641, 32, 29),
    (1000, 7, 33, 30), (7, 1000, 33, 30), (17, 29, 64, 30), (34, 101, 33, 33),
    (50, 50, 10, 17), (50, 91, 10, 17), (91, 50, 11, 18), (150, 50, 10, 21), (50, 150, 10, 20),
    (60, 119, 33, 30), (60, 122, 33, 30), (33, 36, 33, 30), (40, 81, 47, 46),
    (10000, 1, 8, 8), (1, 10000, 8, 6), (4001, 9, 5, 6),
]
LARGE = [
    (500, 375, 256, 224), (375, 500, 256, 224), (333, 501, 232, 224), (1280, 721, 256, 224),
    (719, 1281, 232, 224), (2016, 1512, 256, 224), (224, 224, 256, 224), (256, 256, 256, 224),
    (232, 300, 232, 224), (301, 232, 232, 224), (100, 81, 256, 224), (33, 57, 232, 224),
    (1, 7, 256, 224), (451, 300, 256, 224), (300, 451, 256, 224), (300, 200, 200, 224),
    (750, 1600, 256, 224), (750, 1490, 256, 224), (257, 515, 256, 224),
]


def splitmix64(x):
    with np.errstate(over="ignore"):
        x = x + np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return x ^ (x >> np.uint64(31))


def picture(kind, seed, width, height):
    y, x, c = np.ogrid[:height, :width, :3]
    if kind == "noise":
        i = np.arange(width * height * 3, dtype=np.uint64) + np.uint64(seed)
        values = (splitmix64(i) >> np.uint64(56)).reshape(height, width, 3)
    elif kind == "rings":
        values = ((x * x + (c + 1) * y * y + seed) >> 3) & 255
    else:
        values = np.where((3 * x + 5 * y + 2 * c + seed) % 7 < 3, 255, 0)
    return Image.fromarray(values.astype(np.uint8), "RGB")


def fnv1a64(data):
    h = 0xCBF29CE484222325
    for b in data:
        h = ((h ^ b) * 0x100000001B3) & MASK
    return h


def main(out):
    lines, crops = [], []
    for n, (width, height, resize, crop) in enumerate(SMALL + LARGE):
        kind, seed = ("noise", "rings", "stripes")[n % 3], 1000 * n
        image = picture(kind, seed, width, height)
        # The two steps of torchvision.transforms._presets.ImageClassification before the floats.
        image = F.resize(image, [resize], interpolation=InterpolationMode.BILINEAR, antialias=True)
        image = np.asarray(F.center_crop(image, [crop]))
        assert image.shape == (crop, crop, 3)
        rows, name = range(crop), "all"
        if crop > 100:
            rows = (0, 1 + n, crop // 2 + n, crop - 1)
            name = ",".join(map(str, rows))
        crops += [image[row].tobytes() for row in rows]
        digest = f"{fnv1a64(image.tobytes()):016x}"
        lines.append(f"{kind} {seed} {width} {height} {resize} {crop} {digest} {name}\n")
    (out / "cases.txt").write_text("".join(lines))
    (out / "crops.u8").write_bytes(b"".join(crops))

    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    floats = [F.normalize(F.to_tensor(Image.fromarray(ramp)), mean, std) for mean, std in SETS]
    table = torch.stack(floats).numpy().astype("<f4")
    assert table.shape == (len(SETS), 3, 1, 256)
    (out / "normalization.f32").write_bytes(table.tobytes())


main(pathlib.Path(sys.argv[1]))
