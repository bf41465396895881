"""Writes a model together with what `shufflenet` must know to classify with it."""
import json
import pathlib

import safetensors.torch


def save(state_dict, path, labels, resize, crop, mean, std, provenance, channels="rgb",
         epsilon=1e-5, fit="crop"):
    """Writes a ShuffleNet v2 as safetensors that `shufflenet` runs without any options.

    state_dict    torchvision's names; each tensor keeps its type (float32 or float16)
    labels        class names, in the order of the rows of `fc.weight`
    resize, crop  the side after the resize (see `fit`), then that of the square that is cut out
    mean, std     three numbers each, for red, green and blue in 0 to 1
    provenance    where the model comes from, in a sentence
    channels      the order of the colours that the network was trained on, "rgb" or "bgr"; `mean` and
                  `std` are for red, green and blue in any case
    epsilon       that of the batch norms
    fit           what is resized: "crop" the shorter side, "stretch" both, "pad" the longer
    """
    classes = state_dict["fc.weight"].shape[0]
    if len(labels) != classes:
        raise ValueError(f"{len(labels)} labels for {classes} classes")
    if len(mean) != 3 or len(std) != 3:
        raise ValueError("mean and std are three numbers each")
    if not all(0 <= m <= 1 for m in mean) or not all(0.001 <= s <= 10 for s in std):
        raise ValueError(f"mean {mean} and std {std} are of colours in 0 to 255, not 0 to 1")
    if fit not in ("crop", "stretch", "pad"):
        raise ValueError(f"fit {fit}")
    if not 0 < crop <= resize <= 2048:
        raise ValueError(f"crop {crop} of pictures resized to {resize}")
    if channels not in ("rgb", "bgr"):
        raise ValueError(f"channels {channels}")
    if not 0 < epsilon <= 1:
        raise ValueError(f"epsilon {epsilon}")
    tensors = {name: tensor.contiguous() for name, tensor in state_dict.items()
               if not name.endswith("num_batches_tracked")}
    data = safetensors.torch.save(tensors)
    end = 8 + int.from_bytes(data[:8], "little")
    # safetensors itself writes metadata in random order: the same model would give different files.
    header = json.dumps({"__metadata__": {
        "shufflenet.labels": json.dumps(labels, ensure_ascii=False),
        "shufflenet.fit": fit,
        "shufflenet.resize": str(resize),
        "shufflenet.crop": str(crop),
        "shufflenet.mean": json.dumps(mean),
        "shufflenet.std": json.dumps(std),
        "shufflenet.channels": channels,
        "shufflenet.provenance": provenance,
        **({} if epsilon == 1e-5 else {"shufflenet.epsilon": repr(epsilon)}),
    }, **json.loads(data[8:end])}, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    pathlib.Path(path).write_bytes(len(header).to_bytes(8, "little") + header + data[end:])
