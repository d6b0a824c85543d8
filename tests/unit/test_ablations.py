"""The changed models of scripts/ablations.py do what their names say."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from et_lite.config import ABLATIONS, SYSTEMS, preset
from et_lite.segments import Segmentation
from et_lite.solvers import SOLVERS

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
import ablations


@pytest.fixture
def wave() -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.1, 22_050).astype(np.float32)


def test_gaps_are_held_or_drawn_straight() -> None:
    anchors = torch.tensor([[0.0, 3.0, 5.0]])
    lengths = torch.from_numpy(Segmentation([3, 1, 2]).lengths.copy())
    assert ablations.held(anchors, lengths).tolist() == [[0, 0, 0, 3, 5, 5]]
    assert ablations.interpolated(anchors, lengths)[0].tolist() == [0, 1, 2, 3, 5, 5]


def test_one_part_is_missing_and_nothing_else() -> None:
    whole = preset("lite", "et-greedy")
    for name, system in ABLATIONS.items():
        config = preset("lite", name)
        assert config != whole and name not in SYSTEMS
        assert {k: getattr(config.loss, k) for k in system.loss} == system.loss
        assert {k: getattr(config, k) for k in system.changes} == system.changes
        assert config.selection == whole.selection and config.network == whole.network
    assert whole.marked and whole.gap_exponent == 0.7
    assert preset("lite", "et-greedy-no-adversary").loss.rollout == whole.loss.rollout


def test_each_change_changes_what_it_names(random_codec, wave) -> None:
    torch.nn.init.normal_(random_codec.method.predictor.leave.bias, std=0.3)  # it begins by holding
    models = {m.system.partition(", ")[2]: m for m in ablations.variants(random_codec)}
    payloads = {n: m.codec.compress(wave, 22_050, ablations.KEEP) for n, m in models.items()}
    plain = payloads[""]
    for name in ("its choice held", "its choice interpolated"):
        assert np.array_equal(payloads[name].lengths, plain.lengths)
        sounds = [models[n].codec.decompress(payloads[n]) for n in ("", name)]
        assert not np.allclose(*sounds)
    assert not np.array_equal(payloads["holding chooses and fills"].lengths, plain.lengths)
    z = models["holding chooses and fills"].codec.analyse(wave, 22_050).latents[0]
    costs = models["holding chooses and fills"].codec.method.costs(z)
    moved = (z[:, 2:] - z[:, :-2]).square().mean(dim=0)
    np.testing.assert_allclose(costs[:-2, 1] / 2**0.7, moved, rtol=1e-5)
    for cap in ablations.CAPS:
        assert payloads[f"K = {cap}"].lengths.max() <= cap + 1
    again = models["sampled"].codec.compress(wave, 22_050, ablations.KEEP)
    assert np.array_equal(again.anchors, payloads["sampled"].anchors)
    assert not np.allclose(again.anchors, plain.anchors)
    # The model that was changed is as it was.
    assert np.array_equal(random_codec.compress(wave, 22_050, 0.5).anchors, plain.anchors)
    assert len({m.codec.identity for m in models.values()}) == len(models)
    assert {cell.solver for cell in models[""].cells} == set(SOLVERS)


def test_changes_are_compared_with_what_they_change(random_codec, monkeypatch) -> None:
    monkeypatch.setattr(random_codec, "name", "et-dp")
    pairs = ablations.compared(ablations.variants(random_codec))
    assert len(pairs) == 6 and {second for _, second in pairs} == {"et-dp"}
