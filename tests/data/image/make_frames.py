#!/usr/bin/env python3
"""Prints frames.txt: a camera's frame of 5 x 5 pixels as RGB, by the standards' formulas in floating point.

A line per case: MATRIX RANGE DEGREES and the pixels, turned clockwise, row by row.   Needs nothing but Python.
"""

Y = [[16, 235, 81, 145, 50], [41, 210, 170, 106, 90], [0, 255, 128, 100, 20], [60, 90, 200, 30, 254], [77, 3, 9, 180, 120]]
U = [[128, 110, 240], [100, 160, 128], [90, 120, 150]]
V = [[128, 150, 110], [90, 115, 30], [240, 100, 140]]
MATRICES = {"Bt601": (0.299, 0.114), "Bt709": (0.2126, 0.0722)}


def rgb(y, u, v, matrix, limited):
    """The standards' luma and colour differences, solved for red, green and blue."""
    kr, kb = MATRICES[matrix]
    luma = (y - 16) / 219 if limited else y / 255
    cb = (u - 128) / (224 if limited else 255)
    cr = (v - 128) / (224 if limited else 255)
    red = luma + cr * 2 * (1 - kr)
    blue = luma + cb * 2 * (1 - kb)
    green = (luma - kr * red - kb * blue) / (1 - kr - kb)
    return "".join(f"{min(max(round(255 * c), 0), 255):02x}" for c in (red, green, blue))


for matrix in MATRICES:
    for limited in (False, True):
        picture = [
            [rgb(Y[y][x], U[y // 2][x // 2], V[y // 2][x // 2], matrix, limited) for x in range(5)]
            for y in range(5)
        ]
        for degrees in (0, 90, 180, 270):
            print(matrix, "Limited" if limited else "Full", degrees, *(p for row in picture for p in row))
            picture = [list(column) for column in zip(*picture[::-1])]
