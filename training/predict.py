#!/usr/bin/env python3
"""Stores the class that PyTorch gives to each Fashion-MNIST test picture, one byte each.

Computed in float64 from the weights in the safetensors file, behind the same preprocessing as in
the Rust library, so that a test can compare its classes with these.
"""
import argparse
import pathlib

import torch
from safetensors import safe_open
from torchvision.models import shufflenet_v2_x0_5

import fashion_mnist


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("weights", type=pathlib.Path, help="safetensors file written by train.py")
    parser.add_argument("out", type=pathlib.Path, help="file to write")
    parser.add_argument("--data", type=pathlib.Path, default=fashion_mnist.DEBIAN,
                        help="folder of the four idx files (default: %(default)s)")
    args = parser.parse_args()

    model = shufflenet_v2_x0_5(num_classes=len(fashion_mnist.LABELS)).double()
    with safe_open(args.weights, "pt") as file:
        size = int(file.metadata()["shufflenet.resize"])
        model.load_state_dict({name: file.get_tensor(name) for name in file.keys()})
    pictures, classes = fashion_mnist.load(args.data, "t10k")
    predicted = fashion_mnist.predict(model, fashion_mnist.resize(pictures, size))
    args.out.write_bytes(bytes(predicted.tolist()))
    print(f"top-1 {(predicted == torch.tensor(classes)).double().mean():.2%}")


if __name__ == "__main__":
    main()
