"""What holds for every system that is compared, whatever its method."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from et_lite.codec import ElasticCodec
from et_lite.config import SYSTEMS, TrainingConfig, from_dict, preset, to_dict
from et_lite.methods import METHODS, ReBottleneck, build
from et_lite.methods.base import FIRST_SCALE
from et_lite.segments import Segmentation, kept_length
from et_lite.storage import load_state, load_weights, save_state
from et_lite.training import Trainer, publish

SIZES = {
    "elastic_time": 51_382_272,
    "conv_downsample": 51_460_288,
    "codecslime": 50_870_464,
    "hnet": 50_872_544,
    "hnet_yoto": 54_026_624,
    "uniform_hold": 50_870_464,
}
SCALABLE = ("et-greedy", "et-dp", "et-dp-widerange", "codecslime", "hnet-yoto")
every_system = pytest.mark.parametrize("system", SYSTEMS)


def awake(method: ReBottleneck) -> ReBottleneck:
    """Conditions start without effect; give them one."""
    for name, parameter in method.named_parameters():
        if "modulate" in name or "narrow" in name:
            nn.init.normal_(parameter, std=0.1)
    return method


@pytest.fixture
def codec_of(tiny_of, random_codec):
    def make(system: str) -> ElasticCodec:
        torch.manual_seed(0)
        method = awake(build(replace(tiny_of(system), frames=96)))
        return ElasticCodec(system, random_codec.autoencoder, method, 96, "e" * 64)

    return make


def test_all_nine_of_the_paper_and_the_control_are_there() -> None:
    assert len(SYSTEMS) == 10 and {s.method for s in SYSTEMS.values()} == set(METHODS) == set(SIZES)
    given = {name: preset("paper", name) for name in SYSTEMS}
    ranges = {
        n: (int(96 * c.selection.keep_low), int(96 * c.selection.keep_high))
        for n, c in given.items()
    }
    assert ranges["et-greedy"] == ranges["et-dp"] == (48, 95)
    assert ranges["et-greedy@0.5"] == ranges["et-dp@0.5"] == ranges["codecslime"] == (48, 48)
    assert ranges["et-dp-widerange"] == (19, 95)
    weights = {n: (c.loss.rollout, c.loss.replaced) for n, c in given.items()}
    assert weights.pop("et-dp@0.5") == (0.01, 0.04) and set(weights.values()) == {(0.4, 0.1)}
    assert preset("paper", "et-dp", steps=7, seed=3).steps == 7


@every_system
def test_paper_preset_has_the_papers_parameters(system) -> None:
    config = preset("paper", system)
    with torch.device("meta"):
        assert sum(p.numel() for p in build(config).parameters()) == SIZES[config.method]


@every_system
def test_configuration_comes_back_from_its_card(system, tiny_of, tmp_path) -> None:
    for config in (preset("lite", system), preset("paper", system), tiny_of(system)):
        assert from_dict(TrainingConfig, to_dict(config)) == config
    method = build(tiny_of(system))
    publish(method, tmp_path / system, {}, "")
    state, card = load_weights(tmp_path / system)
    again = build(from_dict(TrainingConfig, card["config"]))
    again.load_state_dict(state)
    assert type(again) is type(method)


@every_system
def test_interrupted_training_ends_as_unbroken(system, tiny_of, store, tmp_path) -> None:
    config = replace(tiny_of(system), steps=4)

    def steps(trainer: Trainer, count: int) -> Trainer:
        for _ in range(count):
            assert all(loss.isfinite() for loss in trainer.step().values())
        return trainer

    save_state(tmp_path / "whole", steps(Trainer(config, store), 4).state())
    trainer = Trainer(config, store)
    for done in range(1, 4):  # stopped after every step
        save_state(tmp_path / f"{done}.safetensors", steps(trainer, 1).state())
        trainer = Trainer(config, store)
        trainer.load(load_state(tmp_path / f"{done}.safetensors"))
    save_state(tmp_path / "broken", steps(trainer, 1).state())
    assert (tmp_path / "broken").read_bytes() == (tmp_path / "whole").read_bytes()


@every_system
def test_latents_pass_before_training(system, tiny_of) -> None:
    method = build(tiny_of(system))
    x, keep = torch.randn(2, 8, 12), torch.tensor([0.5, 0.75])
    posterior = method.encode(x, keep)
    wanted = x if system != "conv-downsample" else x.unflatten(2, (-1, 2)).mean(-1)
    wanted = wanted if system != "conv-downsample" else wanted.repeat_interleave(2, dim=2)
    torch.testing.assert_close(posterior.mean, wanted)
    torch.testing.assert_close(posterior.scale, torch.full_like(x, FIRST_SCALE), atol=2e-4, rtol=0)
    torch.testing.assert_close(method.decode(posterior.mean, keep), wanted)


@every_system
def test_everything_learns(system, tiny_of, store) -> None:
    trainer = Trainer(replace(tiny_of(system), steps=20), store)
    for _ in range(3):
        trainer.step()  # what starts at zero has moved by now, and lets gradients through
    still = [n for n, p in trainer.method.named_parameters() if p.grad is None or not p.grad.any()]
    assert still == []


@every_system
@pytest.mark.parametrize("keep", [0.5, 0.6, 0.75, 0.9, 0.2])
def test_exactly_as_much_is_kept_as_asked(system, keep, codec_of, tone) -> None:
    codec = codec_of(system)
    payload = codec.compress(tone, 44_100, keep)
    wanted = kept_length(payload.frames, keep)
    assert payload.requested == wanted and payload.solver == SYSTEMS[system].selection.solver
    assert codec.decompress(payload).shape == tone.shape
    if keep == 0.2 and system not in ("et-dp-widerange", "hnet-yoto", "hnet@0.5", "uniform-hold"):
        assert payload.kept >= wanted  # a greedy floor, a cap, or one rate alone
    elif keep == 0.5 or system != "conv-downsample":
        assert payload.kept == wanted and payload.reached
    else:
        assert payload.kept == kept_length(payload.frames, 0.5) and not payload.reached


@every_system
@pytest.mark.parametrize("samples", [1, 1025, 22_050 * 10])
def test_files_of_any_length(system, samples, codec_of) -> None:
    wave = np.random.default_rng(0).uniform(-0.5, 0.5, (1, samples)).astype("float32")
    codec = codec_of(system)
    payload = codec.compress(wave, 22_050, 0.5)
    assert payload.kept == kept_length(payload.frames, 0.5) and payload.reached
    out = codec.decompress(payload)
    assert out.shape == wave.shape and np.isfinite(out).all()


@every_system
def test_sweep_and_file_give_what_compress_gives(system, codec_of, tone, tmp_path) -> None:
    codec, keeps = codec_of(system), [0.5, 0.9]
    for (payload, wave), keep in zip(codec.sweep(tone, 44_100, keeps), keeps, strict=True):
        alone = codec.compress(tone, 44_100, keep)
        assert np.array_equal(payload.lengths, alone.lengths)
        np.testing.assert_array_equal(payload.anchors, alone.anchors)
        alone.save(tmp_path / "x.etp", "float32")
        np.testing.assert_array_equal(wave, codec.decompress(type(alone).load(tmp_path / "x.etp")))


@every_system
def test_samples_repeat_with_their_seed(system, codec_of, tone) -> None:
    codec = codec_of(system)
    draws = [
        codec.compress(tone, 44_100, 0.5, sample=torch.Generator().manual_seed(s)).anchors
        for s in (1, 1, 2)
    ]
    assert np.array_equal(draws[0], draws[1]) and not np.array_equal(draws[0], draws[2])


@every_system
def test_a_batch_comes_back_as_its_clips_do(system, tiny_of) -> None:
    method = build(tiny_of(system))
    z = torch.randn(3, 8, 7)
    cuts = [Segmentation.from_lengths(lengths) for lengths in ([4, 3], [1] * 7, [2, 1, 4])]
    with torch.no_grad():
        for clip, cut, got in zip(z, cuts, method.rebuild(z, cuts), strict=True):
            alone = method.unpack(method.pack(clip, cut), torch.from_numpy(cut.lengths.copy()))
            torch.testing.assert_close(got, alone)
