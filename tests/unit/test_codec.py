"""Sound in, payload, sound out: shapes, rates, solvers and refusals, on untrained networks."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from et_lite.codec import ElasticCodec
from et_lite.segments import kept_length
from et_lite.solvers import SOLVERS


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_length_channels_and_rate_come_back(random_codec, rate, channels) -> None:
    wave = np.random.default_rng(0).uniform(-0.5, 0.5, (channels, rate + 13)).astype("float32")
    payload = random_codec.compress(wave, rate, keep=0.5)
    assert payload.kept == kept_length(payload.frames, 0.5) and payload.reached
    out = random_codec.decompress(payload)
    assert out.shape == wave.shape and np.isfinite(out).all()
    assert payload.sample_rate == rate


@pytest.mark.parametrize("samples", [1, 10, 1023, 1024, 1025])
def test_very_short_and_silent_sounds(random_codec, samples) -> None:
    for keep in (0.01, 0.5, 1.0):
        payload = random_codec.compress(np.zeros(samples), 22_050, keep)
        assert random_codec.decompress(payload).shape == (1, samples)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("keep", [0.5, 0.61, 0.9, 1.0])
def test_every_solver_keeps_exactly_what_was_asked(random_codec, tone, solver, keep) -> None:
    payload = random_codec.compress(tone, 44_100, keep, solver)
    assert payload.kept == kept_length(payload.frames, keep)
    assert payload.solver == solver and payload.reached


def test_length_that_greedy_cannot_reach_is_told(random_codec, tone) -> None:
    payload = random_codec.compress(tone, 44_100, 0.01, "greedy")
    assert payload.requested == 1 and payload.kept > 1 and not payload.reached
    assert random_codec.decompress(payload).shape == tone.shape


def test_streams_are_coded_apart(random_codec, tone) -> None:
    both = random_codec.compress(tone, 44_100, 0.7, "dp")
    alone = random_codec.compress(tone[1], 44_100, 0.7, "dp")
    np.testing.assert_allclose(both.anchors[1], alone.anchors[0], atol=1e-5)
    assert np.array_equal(both.lengths[1], alone.lengths[0])


def test_sweep_gives_what_compress_gives(random_codec, tone) -> None:
    for (payload, wave), keep in zip(
        random_codec.sweep(tone, 44_100, [0.6, 1.0], "dp"), [0.6, 1.0], strict=True
    ):
        alone = random_codec.compress(tone, 44_100, keep, "dp")
        assert np.array_equal(payload.lengths, alone.lengths)
        np.testing.assert_allclose(payload.anchors, alone.anchors)
        np.testing.assert_allclose(wave, random_codec.decompress(alone))


def test_file_is_enough_to_decode(random_codec, tone, tmp_path) -> None:
    payload = random_codec.compress(tone, 44_100, 0.5)
    payload.save(tmp_path / "x.etp", "float32")
    again = type(payload).load(tmp_path / "x.etp")
    np.testing.assert_array_equal(random_codec.decompress(again), random_codec.decompress(payload))


def test_mean_is_repeatable_and_samples_are_not(random_codec, tone) -> None:
    means = [random_codec.compress(tone, 44_100).anchors for _ in range(2)]
    assert np.array_equal(*means)
    seeds = (1, 1, 2)
    draws = [
        random_codec.compress(tone, 44_100, 1.0, sample=torch.Generator().manual_seed(s)).anchors
        for s in seeds
    ]
    assert np.array_equal(draws[0], draws[1]) and not np.array_equal(draws[0], draws[2])


@pytest.mark.parametrize(
    ("wave", "keep", "message"),
    [
        (np.zeros(0), 0.5, "0 samples"),
        (np.array([0.0, np.nan, np.inf]), 0.5, "2 samples that are not finite"),
        (np.zeros((1, 2, 3)), 0.5, "3 dimensions"),
        (np.zeros((300, 2)), 0.5, r"give \(channels, samples\)"),
        (np.zeros(9, dtype="int16"), 0.5, "int16, not floating-point"),
        (np.zeros(9, dtype=complex), 0.5, "complex128, not floating-point"),
        (np.zeros(9), 0.0, r"0.0 is not in \(0, 1\]"),
        (np.zeros(9), 2.0, "2.0 is not in"),
        (np.zeros(9), float("nan"), "nan is not in"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(random_codec, wave, keep, message) -> None:
    with pytest.raises(ValueError, match=message):
        random_codec.compress(wave, 22_050, keep)


def test_rates_are_whole_numbers(random_codec, tone, tmp_path) -> None:
    for rate in (44_100.0, np.int64(44_100)):
        payload = random_codec.compress(tone, rate)
        payload.save(tmp_path / "a.etp")
        assert random_codec.decompress(payload).shape == tone.shape
    with pytest.raises(ValueError, match="44100.5 Hz is not a whole number"):
        random_codec.compress(tone, 44_100.5)


def test_samples_of_long_files_spread_as_the_posterior_says(random_codec) -> None:
    """Windows are blended before the draw: averaging two draws would halve their variance."""
    wave = np.random.default_rng(0).normal(size=22_050 * 20) / 10
    mean = random_codec.analyse(wave, 22_050).latents
    blended = torch.cat([random_codec._inner(torch.zeros(1, 8, 96))[:, 8:]])
    draws = [
        random_codec.analyse(wave, 22_050, sample=torch.Generator().manual_seed(s)).latents - mean
        for s in range(2)
    ]
    # Outer latents are drawn too, so only a lower bound is exact: well above 0.8 of the scale.
    assert torch.stack(draws).std() > 0.9 * blended.mean()


def test_payload_with_other_channels_is_refused(random_codec, tone) -> None:
    payload = random_codec.compress(tone, 44_100)
    with pytest.raises(ValueError, match="has 7 channels, tiny has 8"):
        random_codec.decompress(replace(payload, anchors=payload.anchors[:, :7]))


def test_payload_of_another_model_is_refused(random_codec, tone) -> None:
    payload = random_codec.compress(tone, 44_100)
    other = ElasticCodec("other", random_codec.autoencoder, random_codec.method, 96, "c" * 64)
    with pytest.raises(ValueError, match="made by tiny .*, this codec is other"):
        other.decompress(payload)


def test_unknown_models_and_wrong_kinds_are_refused() -> None:
    with pytest.raises(ValueError, match="'nothing' is not shipped"):
        ElasticCodec.from_pretrained("nothing")
    with pytest.raises(ValueError, match="not a method"):
        ElasticCodec.from_pretrained("spectral-vae")
