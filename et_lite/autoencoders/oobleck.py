"""The two namings of Stable Audio's autoencoder, and its weights out of published files.

stable-audio-tools numbers its layers (`encoder.layers.1.layers.0…`), and so do the checkpoints
that Stability AI publishes; diffusers names them (`encoder.block.0.res_unit1…`) and stores each
Snake activation's parameters (C,) as (1, C, 1).
"""

import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

State = dict[str, Tensor]
BLOCKS = 5  # strides of 2, 4, 4, 8 and 8 samples
SNAKE = ("alpha", "beta")
# What stands before the autoencoder's names: in the full model, in its own training, or nothing.
PREFIXES = ("pretransform.model.", "autoencoder.")


def _modules() -> Iterator[tuple[str, str]]:
    """Every module that has weights, by its number and by its name."""
    # In the encoder a block resamples after its three residual units, in the decoder before them.
    sides = (("encoder", "conv1", 3, 0), ("decoder", "conv_t1", 0, 2))
    for side, resampling, place, units in sides:
        yield f"{side}.layers.0", f"{side}.conv1"
        for block in range(BLOCKS):
            number, name = f"{side}.layers.{block + 1}.layers", f"{side}.block.{block}"
            yield f"{number}.{place}", f"{name}.snake1"
            yield f"{number}.{place + 1}", f"{name}.{resampling}"
            for unit in range(3):
                for i, part in enumerate(("snake1", "conv1", "snake2", "conv2")):
                    yield f"{number}.{units + unit}.layers.{i}", f"{name}.res_unit{unit + 1}.{part}"
        yield f"{side}.layers.{BLOCKS + 1}", f"{side}.snake1"
        yield f"{side}.layers.{BLOCKS + 2}", f"{side}.conv2"


NAMES = dict(_modules())  # stable-audio-tools to diffusers
NUMBERS = {name: number for number, name in NAMES.items()}


def is_named(state: Mapping[str, Tensor]) -> bool:
    """Whether keys are those of diffusers."""
    return any(key.rpartition(".")[0] in NUMBERS for key in state)


def to_named(state: Mapping[str, Tensor]) -> State:
    """stable-audio-tools' weights under diffusers' keys. ValueError names a key that it lacks."""
    return dict(_renamed(state, NAMES, (1, -1, 1)))


def to_numbered(state: Mapping[str, Tensor]) -> State:
    """diffusers' weights under stable-audio-tools' keys. ValueError names a key that it lacks."""
    return dict(_renamed(state, NUMBERS, (-1,)))


def _renamed(
    state: Mapping[str, Tensor], table: dict[str, str], snake: tuple[int, ...]
) -> Iterator[tuple[str, Tensor]]:
    for key, tensor in state.items():
        module, _, parameter = key.rpartition(".")
        if module not in table:
            raise ValueError(f"key {key!r} is none of Stable Audio Open's autoencoder")
        yield (
            f"{table[module]}.{parameter}",
            tensor.reshape(snake) if parameter in SNAKE else tensor,
        )


def read_checkpoint(path: Path) -> State:
    """The autoencoder's weights in a `.safetensors` or `.ckpt` file, without what stands before.

    Of the full model only this part is read. A checkpoint is loaded as weights alone: it runs no
    code. ValueError when the file is missing, damaged, or holds more than weights.
    """
    if not path.is_file():
        raise ValueError(f"{path} does not exist: name a model.safetensors or a model.ckpt")
    try:
        if path.suffix == ".safetensors":
            with safe_open(path, framework="pt") as file:
                return {short: file.get_tensor(key) for key, short in _own(list(file.keys()))}
        loaded = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        state = loaded.get("state_dict", loaded)
        return {short: state[key] for key, short in _own(list(state))}
    except (
        SafetensorError,
        pickle.UnpicklingError,
        RuntimeError,
        AttributeError,
        EOFError,
    ) as error:
        raise ValueError(
            f"{path} is damaged or holds more than weights: download it again"
        ) from error


def _own(keys: list[str]) -> Iterator[tuple[str, str]]:
    """The autoencoder's keys in a file, and what they are called without their prefix."""
    prefix = next((p for p in PREFIXES if any(key.startswith(p) for key in keys)), "")
    return ((key, key.removeprefix(prefix)) for key in keys if key.startswith(prefix))


def check_keys(found: Mapping[str, Tensor], expected: Mapping[str, Tensor], source: str) -> None:
    """ValueError names the first key that is missing, one too many, or of another shape."""
    for key in expected:
        if key not in found:
            raise ValueError(f"{source} lacks the key {key!r}: download it again")
    for key, tensor in found.items():
        if key not in expected:
            raise ValueError(
                f"{source} has the key {key!r}, which the autoencoder has not: "
                "name a checkpoint of Stable Audio Open 1.0"
            )
        if tensor.shape != expected[key].shape:
            raise ValueError(
                f"{source} holds {key!r} as {tuple(tensor.shape)}, not as "
                f"{tuple(expected[key].shape)}: name a checkpoint of Stable Audio Open 1.0"
            )
