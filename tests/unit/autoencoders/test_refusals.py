"""What is said where weights, a library, a token or a folder is not as it must be."""

import sys
from types import SimpleNamespace

import huggingface_hub
import pytest
import torch
import transformers
from huggingface_hub import errors

from et_lite.autoencoders import load_autoencoder, load_dac, load_encodec, published, stable_audio
from tests.unit.autoencoders.small import TINY_DAC


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
