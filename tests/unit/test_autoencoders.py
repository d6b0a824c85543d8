"""Other autoencoders: streams, pieces, scaling, the registry, and what is said when one lacks."""

import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import diffusers
import huggingface_hub
import numpy as np
import pytest
import torch
import transformers
from huggingface_hub import errors
from torch import Tensor, nn

from et_lite import autoencoders
from et_lite.autoencoders import (
    REGISTRY,
    Layout,
    ScaledAutoencoder,
    Scaling,
    WaveformAutoencoder,
    exact,
    load_autoencoder,
    load_dac,
    load_encodec,
    measure_scaling,
    published,
    registry,
    stable_audio,
    transformers_codecs,
)
from et_lite.codec import ElasticCodec
from et_lite.config import NetworkConfig, PredictorConfig, TrainingConfig
from et_lite.layers import Posterior
from et_lite.methods import build
from et_lite.payload import ElasticPayload

KINDS = ("stable-audio-open", "dac", "encodec")
TINY_DAC = {"encoder_hidden_size": 2, "decoder_hidden_size": 16, "sampling_rate": 44_100}
TINY_ENCODEC = {"num_filters": 2, "hidden_size": 6}
every_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(autouse=True)
def no_folder(monkeypatch) -> None:
    monkeypatch.delenv(published.FOLDER, raising=False)


def tiny_oobleck() -> diffusers.AutoencoderOobleck:
    return diffusers.AutoencoderOobleck(
        encoder_hidden_size=8, decoder_channels=4, decoder_input_channels=4
    )


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> Path:
    """Small networks of the three kinds, each in its published layout."""
    torch.manual_seed(0)
    root = tmp_path_factory.mktemp("autoencoders")
    tiny_oobleck().save_pretrained(root / "stable-audio-open" / "vae")
    dac = transformers.DacModel(transformers.DacConfig(**TINY_DAC))
    for part in dac.modules():
        if isinstance(part, nn.Conv1d):
            part.reset_parameters()  # the library's own start is so small that nothing would show
    dac.save_pretrained(root / "dac")
    transformers.EncodecModel(transformers.EncodecConfig(**TINY_ENCODEC)).save_pretrained(
        root / "encodec"
    )
    return root


@pytest.fixture
def load(folders, monkeypatch):
    """A small autoencoder of a kind, with pieces of a given length."""
    monkeypatch.setenv(published.FOLDER, str(folders))
    monkeypatch.setattr(stable_audio, "build_network", lambda backend: tiny_oobleck())
    for module, name, channels in (
        (stable_audio, "LAYOUT", 4),
        (transformers_codecs, "DAC", 32),
        (transformers_codecs, "ENCODEC", 6),
    ):
        monkeypatch.setattr(module, name, replace(getattr(module, name), channels=channels))

    def loaded(kind: str, piece: int = 10_000) -> WaveformAutoencoder:
        autoencoder = load_autoencoder(kind)
        autoencoder.layout = replace(autoencoder.layout, piece=piece)
        return autoencoder

    return loaded


def noise(autoencoder: WaveformAutoencoder, frames: int, less: int = 0) -> Tensor:
    samples = frames * autoencoder.hop - less
    numbers = torch.Generator().manual_seed(1)
    return 0.3 * torch.randn(autoencoder.layout.sound_channels, samples, generator=numbers)


@every_kind
@pytest.mark.parametrize("frames", [1, 7, 8, 9, 41])
def test_pieces_equal_the_whole_file(load, kind, frames) -> None:
    whole, cut = load(kind), load(kind, piece=8)
    wave = noise(whole, frames, less=5)
    latents = whole.encode(wave)
    assert latents.mean.shape == latents.scale.shape == (1, whole.channels, frames)
    sound = whole.decode(latents.mean)
    assert sound.shape == (len(wave), frames * whole.hop)
    again = cut.encode(wave)
    pairs = [(latents.mean, again.mean), (latents.scale, again.scale)]
    for a, b in (*pairs, (sound, cut.decode(latents.mean))):
        assert (a - b).norm() <= 1e-5 * a.norm()  # −100 dB


@every_kind
def test_pieces_bring_exactly_the_frames_that_they_depend_on(load, kind) -> None:
    autoencoder, frames, here = load(kind), 24, 12
    hop, context = autoencoder.hop, autoencoder.layout.context
    encoder, decoder = autoencoder.encoder.double(), autoencoder.decoder.double()
    wave = noise(autoencoder, frames).double()[None].requires_grad_()
    features = encoder(wave)
    (slope,) = torch.autograd.grad(features[..., here].sum(), wave)
    reached = slope.abs().sum(dim=(0, 1)).nonzero() // hop - here
    before, after = int(-reached.min()), int(reached.max())
    width = autoencoder.before(torch.zeros(1, autoencoder.channels, 1)).shape[1]
    latents = torch.randn(1, width, frames, dtype=torch.float64, requires_grad=True)
    sound = decoder(latents)[..., here * hop : (here + 1) * hop]
    (slope,) = torch.autograd.grad(sound.sum(), latents)
    reached = slope.abs().sum(dim=(0, 1)).nonzero() - here
    assert max(before, after, int(-reached.min()), int(reached.max())) == context


@torch.no_grad()
def test_latents_and_sound_are_the_librarys_own(load, folders) -> None:
    stable, dac, encodec = map(load, KINDS)
    network = diffusers.AutoencoderOobleck.from_pretrained(folders / "stable-audio-open" / "vae")
    wave = noise(stable, 3)
    told, found = network.encode(wave[None]).latent_dist, stable.encode(wave)
    torch.testing.assert_close(found.mean, told.mean, atol=0, rtol=0)
    torch.testing.assert_close(found.scale, told.std, atol=0, rtol=0)
    sound = network.decode(told.mean).sample[0]
    torch.testing.assert_close(stable.decode(found.mean), sound, atol=0, rtol=0)
    for autoencoder, model in ((dac, transformers.DacModel), (encodec, transformers.EncodecModel)):
        network = model.from_pretrained(folders / autoencoder.name).eval()
        wave = noise(autoencoder, 5)
        latents = network.encoder(wave[None])
        torch.testing.assert_close(autoencoder.encode(wave).mean, latents)
        assert not autoencoder.encode(wave).scale.any()
        torch.testing.assert_close(autoencoder.decode(latents), network.decoder(latents)[0])


def test_channels_that_are_coded_together(load) -> None:
    stereo = load("stable-audio-open")
    wave = noise(stereo, 3)
    four = stereo.encode(torch.cat([wave, wave.flip(0)]))
    assert four.mean.shape == (2, 4, 3)
    assert torch.equal(four.mean[:1], stereo.encode(wave).mean)
    assert not torch.equal(four.mean[0], four.mean[1])
    one = stereo.encode(wave[:1])
    assert torch.equal(one.mean, stereo.encode(wave[:1].expand(2, -1)).mean)
    assert stereo.decode(four.mean).shape == (4, wave.shape[-1])
    with pytest.raises(ValueError, match="has 3 channels and stable-audio-open codes 2 together"):
        stereo.encode(torch.zeros(3, 5))


def codec_of(autoencoder) -> ElasticCodec:
    torch.manual_seed(0)
    channels = autoencoder.channels
    config = TrainingConfig(
        network=NetworkConfig(channels=channels, width=16, blocks=2),
        predictor=PredictorConfig(channels=channels, hidden=12, inner=16),
    )
    return ElasticCodec("seeded", autoencoder, build(config), config.frames, "c" * 64)


@every_kind
@pytest.mark.parametrize(("rate", "samples"), [(44_100, 30_011), (48_000, 20_003), (24_000, 1)])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_sound_comes_back_with_its_rate_channels_and_length(
    load, tmp_path, kind, channels, rate, samples
) -> None:
    codec = codec_of(load(kind, piece=16))
    wave = np.random.default_rng(0).normal(size=(channels, samples)).astype("float32") / 8
    payload = codec.compress(wave, rate, 0.5)
    assert payload.kept == -(-payload.frames // 2)
    assert len(payload.anchors) == (1 if kind == "stable-audio-open" else channels)
    payload.save(tmp_path / "a.etp", "float32")
    again = ElasticPayload.load(tmp_path / "a.etp")
    assert again.sound_channels == payload.sound_channels
    rebuilt = codec.decompress(again)
    assert rebuilt.shape == wave.shape and np.isfinite(rebuilt).all()
    np.testing.assert_array_equal(rebuilt, codec.decompress(payload))


class Ramp:
    """Latents of a known mean and spread, one channel of them always the same."""

    name, sample_rate, hop, channels, identity = "ramp", 100, 1, 3, "d" * 64

    def encode(self, wave: Tensor) -> Posterior:
        mean = torch.stack([5 + 2 * wave, -wave, torch.full_like(wave, 7)], dim=1)
        return Posterior(mean, torch.tensor([0.5, 0.25, 0.0])[:, None].expand_as(mean))

    def decode(self, latents: Tensor) -> Tensor:
        return (latents[:, 0] - 5) / 2


def test_scaled_latents_have_zero_mean_and_unit_variance() -> None:
    waves = [torch.randn(1, 4000), 3 + torch.randn(2, 1000)]
    scaling = measure_scaling(Ramp(), waves)
    scaled = ScaledAutoencoder(Ramp(), scaling)
    found = [scaled.encode(wave) for wave in waves]
    drawn = torch.cat([p.sample(torch.Generator()).transpose(0, 1).flatten(1) for p in found], 1)
    torch.testing.assert_close(drawn.mean(dim=1), torch.zeros(3), atol=0.05, rtol=0)
    torch.testing.assert_close(drawn.std(dim=1), torch.tensor([1.0, 1, 0]), atol=0.05, rtol=0)
    torch.testing.assert_close(scaled.decode(found[1].mean), waves[1], atol=1e-5, rtol=0)
    with pytest.raises(ValueError, match="0 sounds"):
        measure_scaling(Ramp(), [])


def test_a_scaling_belongs_to_its_autoencoder_and_changes_its_identity(tmp_path) -> None:
    scaling = measure_scaling(Ramp(), [torch.randn(1, 100)])
    scaling.save(tmp_path / "scaling.safetensors")
    again = Scaling.load(tmp_path / "scaling.safetensors")
    scaled = ScaledAutoencoder(Ramp(), again)
    assert scaled.identity == ScaledAutoencoder(Ramp(), scaling).identity != Ramp.identity
    other = replace(again, mean=again.mean + 1)
    assert ScaledAutoencoder(Ramp(), other).identity != scaled.identity
    with pytest.raises(ValueError, match=r"another ramp \(eeeeeeee, this is dddddddd\)"):
        ScaledAutoencoder(Ramp(), replace(again, made_by="e" * 64))
    (tmp_path / "bad.safetensors").write_bytes(b"?" * 100)
    for name in ("bad.safetensors", "none.safetensors"):
        with pytest.raises(ValueError, match=f"{name} holds no scaling.*measure it again"):
            Scaling.load(tmp_path / name)


@pytest.mark.parametrize("kind", ["dac", "encodec"])
def test_a_scaling_beside_the_weights_is_applied(load, folders, kind) -> None:
    plain = load(kind)
    waves = [noise(plain, 40)]
    file = folders / kind / transformers_codecs.SCALING
    measure_scaling(plain, waves).save(file)
    try:
        scaled = load_autoencoder(kind)
    finally:
        file.unlink()
    latents = scaled.encode(waves[0]).mean
    torch.testing.assert_close(latents.std(dim=-1, correction=0), torch.ones(1, plain.channels))
    torch.testing.assert_close(
        scaled.decode(latents), plain.decode(plain.encode(waves[0]).mean), atol=1e-5, rtol=1e-4
    )


@pytest.mark.parametrize("kind", ["dac", "encodec"])
def test_transformers_weights_must_fit_exactly(load, folders, tmp_path, kind) -> None:
    from safetensors.torch import load_file, save_file

    loader = {"dac": load_dac, "encodec": load_encodec}[kind]
    (tmp_path / "config.json").write_bytes((folders / kind / "config.json").read_bytes())
    state = load_file(folders / kind / "model.safetensors")
    key = next(key for key in state if key.startswith("decoder") and key.endswith("bias"))
    save_file({**state, "surplus": torch.ones(1)}, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(ValueError, match="does not fit .*'surplus' is unexpected"):
        loader(tmp_path)
    del state[key]
    save_file(state, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(ValueError, match=f"does not fit .*{key!r} is missing"):
        loader(tmp_path)


def test_a_checkpoint_for_another_rate_is_refused(tmp_path) -> None:
    config = transformers.DacConfig(**{**TINY_DAC, "sampling_rate": 16_000})
    transformers.DacModel(config).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="is for 16000 Hz, not 44100 Hz"):
        load_dac(tmp_path)


def refusal(kind: type[Exception], code: int) -> Exception:
    """What the Hub's library raises for an answer of the Hub."""
    return kind("refused", response=SimpleNamespace(headers={}, request=None, status_code=code))


@pytest.mark.parametrize(
    ("kind", "code", "token", "said"),
    [
        (errors.GatedRepoError, 401, None, "there is no token: accept its terms.*hf auth login"),
        (errors.GatedRepoError, 403, "hf_x", "account has not accepted its terms"),
        (errors.RepositoryNotFoundError, 404, None, "is not on the Hugging Face Hub"),
        (errors.RemoteEntryNotFoundError, 404, None, r"could not be fetched \(refused\)"),
        (errors.HfHubHTTPError, 500, None, r"could not be fetched \(refused\)"),
        (None, 0, None, r"could not be fetched \(no network\).*ET_AUTOENCODERS"),
    ],
)
def test_what_the_hub_refuses_is_said_in_one_sentence(
    load, monkeypatch, kind, code, token, said
) -> None:
    def download(repository: str, file: str) -> str:
        assert (repository, file) == (stable_audio.REPOSITORY, stable_audio.AUTOENCODER_FILE)
        raise refusal(kind, code) if kind else OSError("no network\nat all")

    monkeypatch.delenv(published.FOLDER)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: token)
    with pytest.raises(ValueError, match=said) as caught:
        load_autoencoder("stable-audio-open")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("kind", "module", "extra"),
    [
        ("stable-audio-open", "diffusers", "stable-audio"),
        ("dac", "transformers", "transformers"),
        ("encodec", "transformers", "transformers"),
    ],
)
def test_a_missing_library_names_its_extra(monkeypatch, kind, module, extra) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ValueError, match=rf"needs {module} .*et-lite\[{extra}\]"):
        load_autoencoder(kind)


def test_a_missing_backend_names_its_environment(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "stable_audio_tools", None)
    with pytest.raises(ValueError, match=r"stable-audio-tools is not installed .*requirements"):
        stable_audio.build_network("stable-audio-tools")
    with pytest.raises(ValueError, match="backend 'jax' is not one of diffusers, stable"):
        stable_audio.build_network("jax")


def test_folders_that_are_not_there(load, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv(published.FOLDER, str(tmp_path / "none"))
    with pytest.raises(ValueError, match="ET_AUTOENCODERS names .*not a folder"):
        load_autoencoder("dac")
    (tmp_path / "stable-audio-open").mkdir()
    monkeypatch.setenv(published.FOLDER, str(tmp_path))
    with pytest.raises(ValueError, match=r"has none of model.safetensors, model.ckpt, vae/"):
        load_autoencoder("stable-audio-open")


class Halves(nn.Module):
    """The smallest network that fits the recipe: frames of two samples, each a channel."""

    class Split(nn.Module):
        def forward(self, wave: Tensor) -> Tensor:
            return wave.unflatten(-1, (-1, 1920)).flatten(1, 1).mean(-1).repeat(1, 16, 1)

    class Hold(nn.Module):
        def forward(self, latents: Tensor) -> Tensor:
            return latents[:, :2].repeat_interleave(1920, dim=-1)

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = self.Split(), self.Hold()

    @classmethod
    def load(cls, path: str) -> "Halves":
        return cls()


def test_the_recipe_in_the_registrys_docstring_works(monkeypatch, tmp_path) -> None:
    lines = [line[4:] for line in registry.__doc__.splitlines() if line.startswith("    ")]
    assert len([line for line in lines if line.strip()]) <= 10
    monkeypatch.chdir(tmp_path)
    Path("weights.safetensors").write_bytes(b"weights")
    exec("\n".join(lines), {"MyNetwork": Halves})
    try:
        mine = load_autoencoder("mine")
    finally:
        del REGISTRY["mine"]
    assert mine.encode(torch.zeros(2, 4000)).mean.shape == (1, 32, 3)
    wave = np.ones((2, 48_000), dtype="float32")
    codec = codec_of(mine)
    assert codec.decompress(codec.compress(wave, 48_000)).shape == (2, 48_000)


@pytest.mark.parametrize("change", [{"hop": 960}, {"hop": 3840}, {"channels": 16}])
def test_a_layout_that_is_not_the_networks_is_refused(change) -> None:
    layout = replace(Layout(48_000, 1920, 32, 2, context=1, piece=100), **change)
    network = Halves()
    mine = WaveformAutoencoder("mine", layout, network.encoder, network.decoder, "", exact)
    with pytest.raises(
        ValueError, match="mine gave (latents|features) of shape .*correct the layout"
    ):
        mine.encode(torch.zeros(2, 19_200))
    if "hop" in change:
        with pytest.raises(ValueError, match="mine gave samples of shape .*correct the layout"):
            mine.decode(torch.zeros(1, layout.channels, 4))


def test_packages_may_declare_their_own(monkeypatch) -> None:
    class Point:
        name = "declared"

        @staticmethod
        def load():
            return lambda: Ramp()

    monkeypatch.setattr(registry, "entry_points", lambda group: [Point])
    assert load_autoencoder("declared").name == "ramp"
    with pytest.raises(ValueError, match="'nothing' is not one of spectral-vae, .*, declared"):
        load_autoencoder("nothing")


def test_layouts_are_those_of_the_published_networks() -> None:
    rates = {
        name: (layout.sample_rate / layout.hop, layout.channels, layout.sound_channels)
        for name, layout in (
            ("sao", stable_audio.LAYOUT),
            ("dac", transformers_codecs.DAC),
            ("encodec", transformers_codecs.ENCODEC),
        )
    }
    assert rates == {
        "sao": (pytest.approx(21.533, abs=1e-3), 64, 2),
        "dac": (pytest.approx(86.13, abs=1e-2), 1024, 1),
        "encodec": (75.0, 128, 1),
    }
    assert isinstance(stable_audio.LAYOUT, Layout) and exact(torch.ones(1, 2, 3)).mean.all()
    assert set(autoencoders.BUNDLED) < set(REGISTRY)
