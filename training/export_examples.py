#!/usr/bin/env python3
"""Writes a few Fashion-MNIST test pictures, as they are, as PNG files."""
import argparse
import pathlib

from PIL import Image

import fashion_mnist

PICTURES = {"sneaker": 9, "bag": 30, "ankle_boot": 0, "trouser": 2, "dress": 13, "sandal": 82}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=pathlib.Path, help="folder to write into")
    parser.add_argument("--data", type=pathlib.Path, default=fashion_mnist.DEBIAN,
                        help="folder of the four idx files (default: %(default)s)")
    args = parser.parse_args()
    pictures, _ = fashion_mnist.load(args.data, "t10k")
    for name, index in PICTURES.items():
        Image.fromarray(pictures[index]).save(args.out / f"{name}.png")


if __name__ == "__main__":
    main()
