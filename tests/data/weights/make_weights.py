"""Makes the small checkpoints in this folder: one network of torchvision's class in every form that
the loader reads, and its batch norm folded by hand in float64.

    python make_weights.py        # needs torch, torchvision, numpy and safetensors

The network's values are small multiples of 1/8, so they are the same in every element type, and every
file but `fine_f64.pth` must give the same model. Made with PyTorch 2.15.
"""

import argparse
import os

import numpy as np
import safetensors.torch
import torch
from torch.optim.swa_utils import AveragedModel
from torchvision.models.shufflenetv2 import ShuffleNetV2

HERE = os.path.dirname(os.path.abspath(__file__))
STAGES, WIDTHS, CLASSES = [1, 2, 1], [4, 4, 6, 8, 10], 3


def path(name):
    return os.path.join(HERE, name)


def network(seed):
    net = ShuffleNetV2(STAGES, WIDTHS, num_classes=CLASSES)
    rng = np.random.default_rng(seed)
    for name, value in net.state_dict().items():
        if name.endswith("num_batches_tracked"):
            value.fill_(7)
        elif name.endswith("running_var"):
            value.copy_(torch.from_numpy(rng.integers(1, 33, value.shape) / 4))
        else:
            value.copy_(torch.from_numpy(rng.integers(-16, 17, value.shape) / 8))
    return net


def fold(state):
    """Every layer's weight and bias, one after the other, as float32."""
    state = {k: v.double().numpy() for k, v in state.items()}
    parts = []
    for name in state:
        if not name.endswith(".weight") or state[name].ndim < 2:
            continue
        weight = state[name]
        if name == "fc.weight":
            parts += [weight, state["fc.bias"]]
            continue
        prefix, index = name.removesuffix(".weight").rsplit(".", 1)
        norm = f"{prefix}.{int(index) + 1}"
        scale = state[f"{norm}.weight"] / np.sqrt(state[f"{norm}.running_var"] + 1e-5)
        parts += [
            weight * scale[:, None, None, None],
            state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * scale,
        ]
    return np.concatenate([p.astype(np.float32).ravel() for p in parts])


def cast(state, dtype):
    return {k: v.to(dtype) if v.is_floating_point() else v for k, v in state.items()}


def save_stream(value, name):
    """The form before PyTorch 1.6; it names storages by their addresses, here by their order."""
    address, numbers = torch._C.StorageBase._cdata, {}
    number = lambda s: numbers.setdefault(address.__get__(s), 10**13 + len(numbers))
    torch.UntypedStorage._cdata = property(number)
    try:
        torch.save(value, path(name), _use_new_zipfile_serialization=False)
    finally:
        del torch.UntypedStorage._cdata


def main():
    torch.manual_seed(0)
    net = network(1)
    state = net.state_dict()
    fold(state).astype("<f4").tofile(path("folded.f32"))
    # Values that take all the bits of their types.
    fine = {}
    rng = np.random.default_rng(3)
    for name, value in state.items():
        noise = torch.from_numpy(rng.uniform(0.9, 1.1, value.shape))
        fine[name] = value.double() * noise if value.is_floating_point() else value
    fold(fine).astype("<f4").tofile(path("fine.f32"))

    torch.save(state, path("zip.pth"))
    save_stream(state, "stream.pth")
    torch.save(cast(state, torch.float16), path("f16.pth"))
    torch.save(fine, path("fine_f64.pth"))
    save_stream(cast(state, torch.bfloat16), "bf16.pth")
    torch.save(network(1).to(memory_format=torch.channels_last).state_dict(), path("channels_last.pth"))

    safetensors.torch.save_file(state, path("f32.safetensors"), metadata={"format": "pt"})
    mixed = cast(state, torch.float16)
    mixed |= {k: v for k, v in cast(state, torch.float64).items() if k.startswith("stage3.")}
    mixed |= {k: v for k, v in cast(state, torch.bfloat16).items() if k.startswith("stage4.")}
    safetensors.torch.save_file(mixed, path("mixed.safetensors"))
    # As a training wrapper saves it, without the counters.
    wrapped = {f"module.{k}": v for k, v in state.items() if "num_batches" not in k}
    safetensors.torch.save_file(wrapped, path("wrapped.safetensors"))

    # As a training script saves it: other weights are trained, averaged ones are the network's.
    train = network(2)
    optimizer = torch.optim.SGD(train.parameters(), lr=0.5, momentum=0.9, weight_decay=4e-5)
    train(torch.ones(2, 3, 32, 32)).sum().backward()
    optimizer.step()
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=10)
    average = AveragedModel(net)
    torch.save(
        {
            "model": train.state_dict(),
            "optimizer": optimizer.state_dict(),
            "lr_scheduler": scheduler.state_dict(),
            "epoch": 299,
            "args": argparse.Namespace(lr=0.5, names=["a", "b"], big=1 << 70, nothing=None, flag=True),
            "model_ema": average.state_dict(),
            "scaler": {"scale": 65536.0, "growth": (2.0, 0.5)},
        },
        path("training.pth"),
    )
    save_stream(
        {
            "epoch": 90,
            "arch": "shufflenet_v2",
            "state_dict": {f"module.{k}": v for k, v in state.items()},
            "best_acc1": torch.tensor(69.36),
        },
        "distributed.pth",
    )
    for name in sorted(os.listdir(HERE)):
        print(name, os.path.getsize(path(name)))


if __name__ == "__main__":
    main()
