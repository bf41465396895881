#!/usr/bin/env python3
"""What the fits `stretch` and `pad`, and a crop larger than the resize, make of pictures.

`stretch` is torchvision's Resize((RESIZE, RESIZE)) and CenterCrop(CROP); `pad` is timm's crop mode `border`:
ResizeKeepRatio(RESIZE, longest=1) and CenterCropOrPad(CROP), filled with MEAN. Their sizes and places are
computed here as they do it; the resize is Pillow's.

fits.txt has a line per case: KIND SEED WIDTH HEIGHT FIT RESIZE CROP HASH, of the same pictures and the same
hash as in make_images.py.

Needs: pillow >= 13.   Usage: make_fits.py OUT_DIR
"""
import pathlib
import sys

from PIL import Image

MASK = (1 << 64) - 1
MEAN = (0.485, 0.456, 0.406)

# width, height, resize, crop
CASES = [
    (1, 1, 4, 4), (7, 1, 5, 5), (1, 7, 5, 6), (5, 3, 30, 30), (30, 30, 30, 30), (40, 33, 30, 30),
    (33, 40, 31, 31), (64, 48, 35, 30), (48, 64, 30, 35), (200, 133, 33, 30), (133, 200, 31, 32),
    (101, 4, 20, 20), (4, 101, 20, 21), (10, 1001, 24, 24), (9, 6, 5, 5), (6, 9, 15, 15),
    (500, 375, 224, 224), (375, 500, 224, 224), (333, 501, 256, 224), (1280, 721, 224, 224),
    (224, 224, 224, 224), (100, 81, 224, 224), (300, 200, 200, 224), (320, 100, 224, 224),
]


def splitmix64(x):
    x = (x + 0x9E3779B97F4A7C15) & MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


def picture(kind, seed, width, height):
    def value(x, y, c):
        if kind == "noise":
            return splitmix64(seed + (y * width + x) * 3 + c) >> 56
        if kind == "rings":
            return ((x * x + (c + 1) * y * y + seed) >> 3) & 255
        return 255 if (3 * x + 5 * y + 2 * c + seed) % 7 < 3 else 0

    values = bytes(value(x, y, c) for y in range(height) for x in range(width) for c in range(3))
    return Image.frombytes("RGB", (width, height), values)


def fnv1a64(data):
    h = 0xCBF29CE484222325
    for b in data:
        h = ((h ^ b) * 0x100000001B3) & MASK
    return h


def resized(fit, size, resize):
    if fit == "stretch":
        return resize, resize
    if fit == "crop":
        shorter = min(size)
        return tuple(resize if side == shorter else resize * side // shorter for side in size)
    ratio = max(size[0] / resize, size[1] / resize)
    return tuple(max(1, round(side / ratio)) for side in size)


def centre(image, crop, colour):
    width, height = image.size
    square = Image.new("RGB", (max(width, crop), max(height, crop)), colour)
    square.paste(image, (max(crop - width, 0) // 2, max(crop - height, 0) // 2))
    left, top = (round((side - crop) / 2) for side in square.size)
    return square.crop((left, top, left + crop, top + crop))


def main(out):
    lines = []
    for n, (width, height, resize, crop) in enumerate(CASES):
        kind, seed = ("noise", "rings", "stripes")[n % 3], 1000 * n
        image = picture(kind, seed, width, height)
        for fit in ("stretch", "pad", "crop"):
            colour = tuple(round(255 * m) for m in MEAN) if fit == "pad" else (0, 0, 0)
            square = image.resize(resized(fit, image.size, resize), Image.Resampling.BILINEAR)
            hashed = fnv1a64(centre(square, crop, colour).tobytes())
            lines.append(f"{kind} {seed} {width} {height} {fit} {resize} {crop} {hashed:016x}\n")
    (out / "fits.txt").write_text("".join(lines))


main(pathlib.Path(sys.argv[1]))
