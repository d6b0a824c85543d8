"""The networks behind FAD are the published ones, and FAD by them ranks damage as ears would.

`embeddings.npz` holds what upstream's own code makes of `signal`: musicnn 0.1.0 under TensorFlow
2.21 with librosa 0.11, aisfx 0.1.2 with Essentia 2.1b6, resemblyzer 0.1.4 without its voice
detector. The weights are fetched by `make embeddings`; without them these tests fail.
"""

from pathlib import Path

import numpy as np
import pytest

from et_lite.data import DOMAINS, Crop
from et_lite.embeddings import EMBEDDING_OF, NETWORKS, load_embedding, load_embeddings
from et_lite.frechet import Reference, frechet_distance
from et_lite.quick import quick_crops
from et_lite.storage import beside

RATE = 22_050
UPSTREAM = np.load(Path(__file__).with_name("embeddings.npz"))


def signal(rate: int) -> np.ndarray:
    """Four seconds: a falling chord, bursts of noise, and a rest."""
    time = np.arange(4 * rate) / rate
    tones = (np.sin(2 * np.pi * f * time * (1 - 0.05 * time)) for f in (220, 331, 1760, 4100))
    noise = np.random.default_rng(0).normal(size=len(time)) * np.exp(-6 * (time % 0.5))
    return ((0.1 * sum(tones) + 0.1 * noise) * (time < 3.5)).astype(np.float32)


@pytest.mark.parametrize("name", NETWORKS)
def test_embeddings_are_those_of_the_published_code(name) -> None:
    embedding = load_embedding(name)
    found = embedding(signal(embedding.rate), embedding.rate)
    assert found.shape == UPSTREAM[name].shape and found.dtype == np.float32
    np.testing.assert_allclose(found, UPSTREAM[name], atol=3e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_windows_follow_each_other_and_short_sounds_have_one(name) -> None:
    embedding, hop = load_embedding(name), NETWORKS[name][0].HOP
    long = np.concatenate([signal(embedding.rate)] * 3)
    later = embedding(long, embedding.rate)
    alone = embedding(long[embedding.step * hop :], embedding.rate)
    assert len(later) == len(alone) + 1
    # All but the first window, whose beginning is padded where it stands alone.
    np.testing.assert_allclose(alone[1:], later[2:], atol=1e-4)
    short = embedding(long[:1000], embedding.rate)
    assert len(short) == 1 and np.isfinite(short).all()
    assert np.isfinite(embedding(0 * long, embedding.rate)).all()


def noisy(crop: Crop) -> np.ndarray:
    """With white noise at 25 dB SNR."""
    noise = np.random.default_rng(0).normal(size=crop.wave.shape).astype(np.float32)
    return crop.wave + noise * crop.wave.std() * 10 ** (-25 / 20)


def muffled(crop: Crop) -> np.ndarray:
    """Without what is above 3 kHz."""
    spectrum = np.fft.rfft(crop.wave)
    spectrum[np.fft.rfftfreq(len(crop.wave), 1 / RATE) > 3000] = 0
    return np.fft.irfft(spectrum, len(crop.wave)).astype(np.float32)


@pytest.mark.parametrize("domain", DOMAINS)
def test_fad_ranks_damage_above_its_floor_and_other_domains_above_damage(domain) -> None:
    """Twelve clips are few, so every comparison is of as many: half against the other half.

    All clips against the originals of the same clips are compared with each other alone.
    """
    embedding = load_embedding(EMBEDDING_OF[domain])
    crops = {d: [crop for crop in quick_crops() if crop.domain == d] for d in DOMAINS}
    original = [embedding(crop.wave, RATE) for crop in crops[domain]]
    made = {
        "noise": [embedding(noisy(crop), RATE) for crop in crops[domain]],
        "low": [embedding(muffled(crop), RATE) for crop in crops[domain]],
        **{d: [embedding(c.wave, RATE) for c in crops[d]] for d in DOMAINS if d != domain},
    }
    reference = Reference(original, [crop.unit for crop in crops[domain]])
    halves = {name: reference.halves(clips) for name, clips in made.items()}
    assert reference.floor == reference.halves(original) > 0
    damage = [halves.pop("noise"), halves.pop("low")]
    assert reference.floor < min(damage) and max(damage) < min(halves.values())
    whole = {name: reference.distance(clips) for name, clips in made.items()}
    assert reference.distance(original) == pytest.approx(0, abs=1e-6 * reference.floor)
    assert 0 < max(whole.pop("noise"), whole.pop("low")) < min(whole.values())
    for clips in made.values():
        joined = np.concatenate(clips), np.concatenate(original)
        assert reference.distance(clips) == frechet_distance(*joined)


def test_missing_or_damaged_weights_are_one_sentence(tmp_path) -> None:
    with pytest.raises(ValueError, match=r"FAD needs .* run make embeddings, or .* --no-fad"):
        load_embeddings(tmp_path)
    with pytest.raises(ValueError, match="embedding 'vggish' is not one of musicnn"):
        load_embedding("vggish")
    for suffix in (".safetensors", ".json"):
        beside(tmp_path / "musicnn", suffix).write_bytes(b"{}")
    with pytest.raises(ValueError, match="cannot be read"):
        load_embedding("musicnn", tmp_path)


def test_every_domain_has_an_embedding() -> None:
    loaded = load_embeddings()
    assert set(loaded) == {*DOMAINS, "vocal"} == set(EMBEDDING_OF)
    assert len({e.identity for e in loaded.values()}) == 3
