"""Stable Audio Open's weights: two namings, published files, and what is refused."""

import pickle
from dataclasses import replace
from pathlib import Path

import diffusers
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from et_lite.autoencoders import StableAudioOpen, stable_audio
from et_lite.autoencoders.oobleck import NAMES, read_checkpoint, to_named, to_numbered

State = dict[str, Tensor]
# One key of each kind, as Stability AI's checkpoint and as diffusers have it.
PAIRS = {
    "encoder.layers.0.weight_g": "encoder.conv1.weight_g",
    "encoder.layers.1.layers.0.layers.0.alpha": "encoder.block.0.res_unit1.snake1.alpha",
    "encoder.layers.5.layers.2.layers.3.bias": "encoder.block.4.res_unit3.conv2.bias",
    "encoder.layers.2.layers.3.beta": "encoder.block.1.snake1.beta",
    "encoder.layers.2.layers.4.weight_v": "encoder.block.1.conv1.weight_v",
    "encoder.layers.6.alpha": "encoder.snake1.alpha",
    "encoder.layers.7.bias": "encoder.conv2.bias",
    "decoder.layers.0.bias": "decoder.conv1.bias",
    "decoder.layers.3.layers.0.alpha": "decoder.block.2.snake1.alpha",
    "decoder.layers.3.layers.1.weight_g": "decoder.block.2.conv_t1.weight_g",
    "decoder.layers.1.layers.4.layers.1.weight_v": "decoder.block.0.res_unit3.conv1.weight_v",
    "decoder.layers.6.beta": "decoder.snake1.beta",
    "decoder.layers.7.weight_v": "decoder.conv2.weight_v",
}


def network() -> diffusers.AutoencoderOobleck:
    return diffusers.AutoencoderOobleck(
        encoder_hidden_size=8, decoder_channels=4, decoder_input_channels=4
    )


@pytest.fixture(autouse=True)
def small(monkeypatch) -> None:
    monkeypatch.setattr(stable_audio, "build_network", lambda backend: network())
    monkeypatch.setattr(stable_audio, "LAYOUT", replace(stable_audio.LAYOUT, channels=4))


@pytest.fixture(scope="module")
def named() -> State:
    torch.manual_seed(0)
    return {key: torch.randn_like(tensor) for key, tensor in network().state_dict().items()}


@pytest.fixture(scope="module")
def numbered(named) -> State:
    return to_numbered(named)


def full(state: State) -> State:
    """A checkpoint of the full model: the autoencoder, the diffusion model, the conditioner."""
    others = {"model.model.to_qkv.weight": torch.ones(3), "conditioner.length.bias": torch.ones(1)}
    return {f"pretransform.model.{key}": tensor for key, tensor in state.items()} | others


def test_the_full_network_has_its_published_size() -> None:
    with torch.device("meta"):
        whole = diffusers.AutoencoderOobleck()
    state = whole.state_dict()
    assert len(state) == 365 and sum(t.numel() for t in state.values()) == 156_112_514
    assert len({key.rpartition(".")[0] for key in state}) == len(NAMES)


def test_both_namings_are_one_to_one(named, numbered) -> None:
    assert {key: NAMES[key.rpartition(".")[0]] + "." + key.rpartition(".")[2] for key in PAIRS} == (
        PAIRS
    )
    for number, name in PAIRS.items():
        assert torch.equal(numbered[number].flatten(), named[name].flatten())
    assert len(numbered) == len(named)
    assert numbered["encoder.layers.6.alpha"].ndim == 1
    again = to_named(numbered)
    assert again.keys() == named.keys()
    assert all(torch.equal(again[key], named[key]) for key in named)
    with pytest.raises(ValueError, match=r"'encoder.layers.9.bias' is none of"):
        to_named({"encoder.layers.9.bias": torch.ones(1)})


def write(path: Path, state: State) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save({"state_dict": state, "pytorch-lightning_version": "2.1.0"}, path)
    return path


@pytest.mark.parametrize("suffix", [".safetensors", ".ckpt"])
@pytest.mark.parametrize("layout", ["full", "training", "numbered", "named"])
def test_every_published_layout_is_the_same_autoencoder(
    tmp_path, named, numbered, layout, suffix
) -> None:
    state = {
        "full": full(numbered),
        "training": {f"autoencoder.{key}": tensor for key, tensor in numbered.items()}
        | {"discriminator.bias": torch.ones(1)},
        "numbered": numbered,
        "named": named,
    }[layout]
    loaded = StableAudioOpen.from_pretrained(write(tmp_path / f"model{suffix}", state))
    known = StableAudioOpen.from_pretrained(write(tmp_path / "known.safetensors", named))
    found = loaded.encoder.state_dict() | loaded.decoder.state_dict()
    expected = known.encoder.state_dict() | known.decoder.state_dict()
    assert found and all(torch.equal(found[key], expected[key]) for key in expected)
    assert loaded.identity == known.identity
    named_again = {**named, "decoder.conv1.bias": named["decoder.conv1.bias"] + 1}
    other = StableAudioOpen.from_pretrained(write(tmp_path / "other.safetensors", named_again))
    assert other.identity != known.identity


def test_half_precision_is_widened(tmp_path, named) -> None:
    halves = {key: tensor.half() for key, tensor in named.items()}
    loaded = StableAudioOpen.from_pretrained(write(tmp_path / "model.safetensors", halves))
    assert loaded.encode(torch.zeros(2, 9)).mean.dtype == torch.float32


@pytest.mark.parametrize("layout", ["full", "named"])
def test_a_missing_or_extra_key_is_named(tmp_path, named, numbered, layout) -> None:
    state, prefix = (named, "") if layout == "named" else (full(numbered), "pretransform.model.")
    gone = next(key for key in state if key.endswith("bias"))
    short = {key: tensor for key, tensor in state.items() if key != gone}
    with pytest.raises(ValueError, match=f"lacks the key {gone.removeprefix(prefix)!r}"):
        StableAudioOpen.from_pretrained(write(tmp_path / "short.safetensors", short))
    for surplus in ("encoder.surplus", f"{gone.removeprefix(prefix)}2"):
        long = {**state, prefix + surplus: torch.ones(2)}
        with pytest.raises(ValueError, match=f"has the key {surplus!r}, which the autoencoder"):
            StableAudioOpen.from_pretrained(write(tmp_path / "long.safetensors", long))
    other = {**state, gone: torch.ones(99)}
    with pytest.raises(ValueError, match=rf"holds {gone.removeprefix(prefix)!r} as \(99,\), not"):
        StableAudioOpen.from_pretrained(write(tmp_path / "other.safetensors", other))


class Surprise:
    """What a hostile checkpoint holds: code that runs where it is unpickled."""

    def __reduce__(self):
        return Path.touch, (Path("ran"),)


def test_a_checkpoint_runs_no_code(tmp_path, monkeypatch, numbered) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": numbered, "callbacks": Surprise()}, tmp_path / "model.ckpt")
    with pytest.raises(ValueError, match="damaged or holds more than weights"):
        StableAudioOpen.from_pretrained(tmp_path / "model.ckpt")
    Path("plain.ckpt").write_bytes(pickle.dumps({"state_dict": Surprise()}))
    with pytest.raises(ValueError, match="damaged or holds more than weights"):
        StableAudioOpen.from_pretrained("plain.ckpt")
    assert not Path("ran").exists()


@pytest.mark.parametrize("name", ["model.safetensors", "model.ckpt"])
def test_damaged_and_missing_files_are_refused(tmp_path, numbered, name) -> None:
    whole = write(tmp_path / name, numbered).read_bytes()
    for content in (b"", b"hello", whole[: len(whole) // 2]):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match="damaged or holds more than weights"):
            read_checkpoint(tmp_path / name)
    torch.save([1, 2], tmp_path / "list.ckpt")
    with pytest.raises(ValueError, match="damaged or holds more than weights"):
        read_checkpoint(tmp_path / "list.ckpt")
    with pytest.raises(ValueError, match="nothing.ckpt does not exist"):
        read_checkpoint(tmp_path / "nothing.ckpt")


def test_a_folder_gives_the_first_file_it_knows(tmp_path, named, numbered) -> None:
    write(tmp_path / stable_audio.AUTOENCODER_FILE, named)
    first = StableAudioOpen.from_pretrained(tmp_path)
    write(tmp_path / "model.ckpt", {key: tensor + 1 for key, tensor in full(numbered).items()})
    assert StableAudioOpen.from_pretrained(tmp_path).identity != first.identity
    write(tmp_path / "model.safetensors", full(numbered))
    assert StableAudioOpen.from_pretrained(tmp_path).identity == first.identity
