"""Fashion-MNIST, and the preprocessing that `shufflenet` repeats bit for bit."""
import gzip
import pathlib

import numpy as np
import torch
from PIL import Image

DEBIAN = pathlib.Path("/usr/share/datasets/fashion-mnist")  # package dataset-fashion-mnist
LABELS = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
          "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]
MEAN, STD = 0.286, 0.353  # of the training pictures


def read_idx(path):
    """The array of unsigned bytes in a gzipped idx file."""
    data = gzip.decompress(path.read_bytes())
    if data[:3] != b"\0\0\x08":
        raise ValueError(f"{path}: not an idx file of unsigned bytes")
    shape = np.frombuffer(data, ">u4", data[3], 4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(shape)


def load(folder, part):
    """Pictures [n, 28, 28] and classes [n], both 8-bit; `part` is "train" or "t10k"."""
    pictures = read_idx(folder / f"{part}-images-idx3-ubyte.gz")
    return pictures, read_idx(folder / f"{part}-labels-idx1-ubyte.gz")


def resize(pictures, size):
    """Pillow's bilinear resize of 8-bit grey pictures to 8-bit pictures: torchvision's `Resize`."""
    return torch.from_numpy(np.stack([
        np.asarray(Image.fromarray(picture).resize((size, size), Image.Resampling.BILINEAR))
        for picture in pictures]))


def normalize(pictures):
    """8-bit grey pictures [n, h, w] as the network's input, three equal channels, channels last."""
    grey = (pictures.unsqueeze(1).float() / 255 - MEAN) / STD
    return grey.expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)


@torch.inference_mode()
def predict(model, pictures):
    """The class that `model` gives to each of the resized 8-bit pictures."""
    model.eval()
    dtype = model.fc.weight.dtype
    return torch.cat([model(normalize(batch).to(dtype)).argmax(1) for batch in pictures.split(250)])
