"""The paper's preset from the command line to a published model, for every method."""

import csv

import numpy as np
import pytest

from et_lite import cli
from et_lite.config import SYSTEMS, preset
from et_lite.storage import ASSETS, load_weights

# Ten steps of the method that the book is about. CodecSlime's five reach its second stage.
STEPS = {"et-greedy": 10, "codecslime": 5, "conv-downsample": 2, "hnet@0.5": 2, "hnet-yoto": 2}
# As Bralios et al. count them, where they do.
WEIGHTS = {
    "et-greedy": 51_382_272,
    "codecslime": 50_870_464,
    "conv-downsample": 51_460_288,
    "hnet@0.5": 50_872_544,
    "hnet-yoto": 54_026_624,
}


def test_the_preset_is_the_papers() -> None:
    for system in SYSTEMS:
        config = preset("paper", system)
        assert (config.batch, config.frames, config.steps) == (64, 96, 250_000)
    shown = {SYSTEMS[name].method for name in STEPS}
    assert shown | {"uniform_hold"} == {system.method for system in SYSTEMS.values()}


@pytest.mark.slow
@pytest.mark.parametrize("system", STEPS)
def test_the_paper_preset_trains_and_publishes(system, tmp_path) -> None:
    """Done-when of the scale: steps of full size at batch 4, on a processor."""
    latents, steps = ASSETS / "latents" / "train.safetensors", STEPS[system]
    command = ["train", latents, "--preset", "paper", "--system", system, "--batch", 4]
    command += ["--steps", steps, "-o", tmp_path / "model", "--run-dir", tmp_path / "run"]
    assert cli.main([str(word) for word in command]) == 0
    state, card = load_weights(tmp_path / "model")
    assert sum(tensor.numel() for tensor in state.values()) == WEIGHTS[system]
    assert (card["config"]["batch"], card["config"]["frames"]) == (4, 96)
    with open(tmp_path / "run" / "metrics.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if int(row["step"]) == steps]
    names = {row["name"] for row in rows}
    assert {"reconstruction", "adversarial", "feature_matching", "discriminator"} <= names
    assert np.isfinite([float(row["value"]) for row in rows]).all()
