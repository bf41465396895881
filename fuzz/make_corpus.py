"""Makes the seeds that the fuzz targets start from, out of the smallest network there is.

    python make_corpus.py        # needs torch, torchvision, numpy and safetensors

The checksums of the archives are 0, which stands for none: a fuzzer cannot guess them.
"""

import os
import sys

import safetensors.torch
import torch

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../tests/data/weights"))
import make_weights as make

make.STAGES, make.WIDTHS, make.CLASSES = [1, 1, 1], [2, 2, 2, 2, 2], 1


def main():
    torch.serialization.set_crc32_options(False)
    state = make.network(1).state_dict()
    lean = {k: v for k, v in state.items() if "num_batches" not in k}
    half = make.cast(lean, torch.float16)
    make.path = lambda name: os.path.join(HERE, "corpus", "pth", name)
    torch.save(half, make.path("zip.pth"))
    make.save_stream(half, "stream.pth")
    make.save_stream({"epoch": 1, "model": {f"module.{k}": v for k, v in lean.items()}}, "nested.pth")
    # One storage, all tensors views of it; the matrices in another order.
    flat = torch.cat([v.flatten() for v in lean.values()])
    views, at = {}, 0
    for name, value in lean.items():
        part = flat[at : at + value.numel()]
        at += value.numel()
        turned = value.ndim == 4 and value.shape[0] == value.shape[1]
        views[name] = part.view(value.shape).transpose(0, 1) if turned else part.view(value.shape)
    torch.save(views, make.path("views.pth"))
    make.path = lambda name: os.path.join(HERE, "corpus", "safetensors", name)
    texts = {
        "a\n\u20ac": "\"b\\",
        "shufflenet.labels": '["\\"a\\u0062"]',
        "shufflenet.resize": "40",
        "shufflenet.crop": "32",
        "shufflenet.mean": "[0.5, 10e-2, 0]",
        "shufflenet.std": "[1, 1, 1]",
        "shufflenet.channels": "rgb",
        "shufflenet.provenance": "a seed",
    }
    safetensors.torch.save_file(half, make.path("f16.safetensors"), metadata=texts)
    safetensors.torch.save_file(
        {f"module.{k}": v for k, v in state.items()}, make.path("wrapped.safetensors")
    )


if __name__ == "__main__":
    main()
