"""The loop that trains the bundled autoencoder ends the same wherever it was stopped."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from et_lite.config import BaseTrainingConfig
from et_lite.runs import fit, last_values
from et_lite.storage import load_state

CONFIG = replace(BaseTrainingConfig(), steps=9)


class Stopped(Exception):
    """Stands for a pulled plug."""


def train(run: Path, stop_at: int | None = None, seed: int = 0) -> dict[str, torch.Tensor]:
    torch.manual_seed(seed)
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.LayerNorm(8), torch.nn.Linear(8, 4))
    calls = 0

    def losses(numbers: np.random.Generator, noise: torch.Generator) -> dict[str, torch.Tensor]:
        nonlocal calls
        calls += 1
        if calls == stop_at:
            raise Stopped
        x = torch.randn(16, 4, generator=noise) + float(numbers.normal())
        error = (model(x) - x).square().mean()
        return {"error": error, "total": error}

    fit(model, CONFIG, run, {"seed": seed}, losses, lambda a, b: losses(a, b), save_every=3)
    return model.state_dict()


@pytest.mark.parametrize("stop_at", [1, 2, 5, 7, 11])
def test_a_stopped_run_ends_as_an_unbroken_one(tmp_path, stop_at: int) -> None:
    whole = train(tmp_path / "whole")
    with pytest.raises(Stopped):
        train(tmp_path / "stopped", stop_at)
    again = train(tmp_path / "stopped")
    assert all(torch.equal(whole[name], again[name]) for name in whole)
    logs = [(tmp_path / name / "metrics.csv").read_text() for name in ("whole", "stopped")]
    assert logs[0] == logs[1]
    assert "valid_total" in last_values(tmp_path / "stopped")


def test_the_loss_falls_and_the_rate_follows_its_course(tmp_path) -> None:
    train(tmp_path)
    rows = [line.split(",") for line in (tmp_path / "metrics.csv").read_text().splitlines()[1:]]
    valid = [float(value) for _, name, value in rows if name == "valid_total"]
    assert valid[-1] < valid[0]
    state = load_state(tmp_path / "checkpoint.safetensors")["state"]
    group = state["optimisers"][0]["param_groups"][0]
    assert group["initial_lr"] == CONFIG.optimiser.muon_lr and group["lr"] < group["initial_lr"]


def test_another_runs_folder_is_refused(tmp_path) -> None:
    train(tmp_path)
    with pytest.raises(ValueError, match="another configuration or other data"):
        train(tmp_path, seed=1)
