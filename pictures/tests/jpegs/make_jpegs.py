#!/usr/bin/env python3
"""Small JPEGs of the kinds that decoders get wrong, and the RGB that Pillow reads from them.

Files:
    *.jpg        the pictures
    jpegs.txt    a line per picture that is read: NAME WIDTH HEIGHT
    jpegs.u8     Image.open(NAME).convert("RGB"), row by row, one picture after the other

Needs: pillow >= 13, numpy, and libjpeg-turbo's cjpeg and jpegtran 2.1.   Usage: make_jpegs.py OUT_DIR
"""
import io
import pathlib
import struct
import subprocess
import sys

import numpy as np
from PIL import Image

out = pathlib.Path(sys.argv[1])
names = []


def save(name, data):
    names.append(f"{name}.jpg")
    (out / names[-1]).write_bytes(data)


# Slow changes of colour, and an edge.
y, x = np.ogrid[:25, :38]
planes = np.stack(np.broadcast_arrays(x * 6, y * 9 + 20, 240 - x * 3 - y * 4), 2)
planes[:, 21:] = 255 - planes[:, 21:]
picture = Image.fromarray(planes.astype(np.uint8), "RGB")


def run(tool, arguments, data, scans=None):
    script = out / "scans"
    script.write_text(scans or "")
    arguments = [*arguments, *(["-scans", str(script)] if scans else [])]
    done = subprocess.run([tool, *arguments], input=data, stdout=subprocess.PIPE, check=True)
    script.unlink()
    return done.stdout


def cjpeg(sampling, scans=None, *arguments):
    ppm = io.BytesIO()
    picture.save(ppm, "PPM")
    arguments = ["-quality", "85", "-sample", sampling, *arguments]
    return run("cjpeg", arguments, ppm.getvalue(), scans)


def segments(data):
    """The segments before the first scan, and the rest of the file."""
    at, found = 2, []
    while data[at + 1] != 0xDA:
        (length,) = struct.unpack(">H", data[at + 2:at + 4])
        found.append((data[at + 1], data[at + 4:at + 2 + length]))
        at += 2 + length
    return found, data[at:]


def joined(found, rest):
    parts = [struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body for marker, body in found]
    return b"\xff\xd8" + b"".join(parts) + rest


def labelled(data, jfif, adobe=None, ids=None):
    """With other headers about the colours, and other ids of the components."""
    found, rest = segments(data)
    head = [(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")] if jfif else []
    head += [] if adobe is None else [(0xEE, b"Adobe\0\x64\0\0\0\0" + bytes([adobe]))]
    frame = bytearray(dict(found)[0xC0])
    scan = bytearray(rest)
    for i, id in enumerate(ids or b""):
        frame[6 + 3 * i] = scan[5 + 2 * i] = id
    found = [(m, bytes(frame) if m == 0xC0 else body) for m, body in found if m not in (0xE0, 0xEE)]
    return joined(head + found, bytes(scan))


Y_C_C, YC_C, C_Y_C = "0; 1; 2;", "0 1; 2;", "1; 0; 2;"
save("scans_420", cjpeg("2x2,1x1,1x1", Y_C_C))
save("scans_440", cjpeg("1x2,1x1,1x1", Y_C_C))
save("scans_yc_c", cjpeg("2x2,1x1,1x1", YC_C))
save("scans_cb_first", cjpeg("2x1,1x1,1x1", C_Y_C))
save("scans_restarts", cjpeg("2x2,1x1,1x1", Y_C_C, "-restart", "3B"))
save("scans_yc_c_restarts", cjpeg("2x1,1x1,1x1", YC_C, "-restart", "1B"))
save("scans_progressive", cjpeg("2x2,1x1,1x1", """
    0 1: 0-0, 0, 1; 2: 0-0, 0, 0; 0: 1-5, 0, 2; 2: 1-63, 0, 0; 1: 1-63, 0, 1; 0: 6-63, 0, 2;
    0: 1-63, 2, 1; 0 1: 0-0, 1, 0; 1: 1-63, 1, 0; 0: 1-63, 1, 0;""", "-restart", "1"))
save("sampling_3x1", cjpeg("3x1,1x1,1x1"))
save("sampling_4x1_2x1", cjpeg("4x1,2x1,1x1"))
save("chroma_finer", cjpeg("1x1,2x2,2x2"))
save("chroma_finer_scans", cjpeg("2x1,1x2,1x2", Y_C_C))
full, half = cjpeg("1x1,1x1,1x1"), cjpeg("2x2,1x1,1x1")
save("jfif_adobe0", labelled(half, True, 0))
save("jfif_ids_rgb", labelled(full, True, None, b"RGB"))
save("adobe0", labelled(half, False, 0))
save("adobe1_ids_rgb", labelled(half, False, 1, b"RGB"))
save("ids_rgb", labelled(full, False, None, b"RGB"))
save("ids_0", labelled(half, False, None, b"\0\1\2"))
found, rest = segments(cjpeg("2x1,1x1,1x1", None, "-restart", "1"))
save("no_huffman", joined([s for s in found if s[0] != 0xC4], rest))
black = Image.fromarray((planes[:, :, 0] // 3).astype(np.uint8), "L")
ink = Image.merge("CMYK", [*picture.split(), black])
cmyk = io.BytesIO()
ink.save(cmyk, "JPEG", quality=85, subsampling=2)
cmyk = run("jpegtran", [], cmyk.getvalue(), "0 1; 2 3;")
save("cmyk_scans", labelled(cmyk, False))
save("ycck_scans", labelled(cmyk, True, 2))
filler = half.replace(b"\xff\xda", b"\xff\xff\xff\xda").replace(b"\xff\xd9", b"\xff\xff\xd9")
save("filler", filler + b"\xff\xd8\xff and more")

lines, expected = [], []
for name in names:
    image = Image.open(out / name).convert("RGB")
    lines.append(f"{name} {image.width} {image.height}\n")
    expected.append(image.tobytes())
(out / "jpegs.txt").write_text("".join(lines))
(out / "jpegs.u8").write_bytes(b"".join(expected))

# Those that are refused.
save("arithmetic", cjpeg("2x2,1x1,1x1", None, "-arithmetic"))
save("alone_2x1_of_4x1", cjpeg("4x1,2x1,2x1", Y_C_C))
progressive = cjpeg("2x2,1x1,1x1", None, "-progressive")
save("last_scans_missing", progressive[:progressive.rfind(b"\xff\xc4")] + b"\xff\xd9")
