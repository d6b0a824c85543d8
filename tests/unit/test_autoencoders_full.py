"""Autoencoders of full size: seeded weights in the published layout, the whole way through."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import save_file
from torch import nn

from et_lite.autoencoders import StableAudioOpen
from et_lite.autoencoders.oobleck import to_numbered
from et_lite.autoencoders.published import FOLDER

SECOND = 44_100
MOST_GIGABYTES = 6.0
# descript/dac_44khz's and facebook/encodec_24khz's config.json, where they differ from the default.
DAC_CONFIG = {"sampling_rate": 44_100}
ENCODEC_CONFIG: dict[str, Any] = {}
pytestmark = pytest.mark.slow


def pipeline(root: Path, folder: Path, name: str, samples: int) -> tuple[dict[str, Any], Any]:
    """What tests/autoencoder_pipeline.py reports, and its latents and sound."""
    output = folder / f"result-{name}"
    environment = {**os.environ, FOLDER: str(folder), "PYTHONPATH": str(root)}
    script = root / "tests" / "autoencoder_pipeline.py"
    command = [sys.executable, str(script), name, "diffusers", str(samples), str(output)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(output.with_suffix(".json").read_text()), np.load(output.with_suffix(".npz"))


def seeded(network: nn.Module) -> nn.Module:
    """Convolutions as torch starts them; some libraries start so small that nothing would show."""
    for part in network.modules():
        if isinstance(part, nn.Conv1d) and not hasattr(part, "parametrizations"):
            part.reset_parameters()
    return network


def test_stable_audio_open_passes_the_whole_way(root, tmp_path) -> None:
    torch.manual_seed(0)
    state = to_numbered(diffusers.AutoencoderOobleck().state_dict())
    (tmp_path / "stable-audio-open").mkdir()
    published = {f"pretransform.model.{key}": tensor for key, tensor in state.items()}
    save_file(published, tmp_path / "stable-audio-open" / "model.safetensors")
    # Longer than a piece, and no whole number of frames.
    report, found = pipeline(root, tmp_path, "stable-audio-open", 7 * SECOND + 11)
    assert report["latents"] == [1, 64, 151] and report["shape"] == [2, 7 * SECOND + 11]
    assert (report["frames"], report["kept"]) == (151, 76) and report["finite"]
    assert found["latents"].std() > 1e-3 and found["wave"].std() > 1e-3
    assert report["gigabytes"] < MOST_GIGABYTES


@pytest.mark.parametrize(
    ("name", "model", "config", "channels", "frames"),
    [
        ("dac", transformers.DacModel, transformers.DacConfig(**DAC_CONFIG), 1024, 173),
        (
            "encodec",
            transformers.EncodecModel,
            transformers.EncodecConfig(**ENCODEC_CONFIG),
            128,
            151,
        ),
    ],
)
def test_the_others_pass_the_whole_way(
    root, tmp_path, name, model, config, channels, frames
) -> None:
    torch.manual_seed(0)
    seeded(model(config)).save_pretrained(tmp_path / name)
    report, found = pipeline(root, tmp_path, name, 2 * SECOND + 11)
    assert report["latents"] == [2, channels, frames] and report["shape"] == [2, 2 * SECOND + 11]
    assert (report["frames"], report["kept"]) == (frames, -(-frames // 2)) and report["finite"]
    assert found["latents"].std() > 1e-3 and found["wave"].std() > 1e-3
    assert report["gigabytes"] < MOST_GIGABYTES


@pytest.mark.network
def test_the_real_weights_give_the_sound_back(clips) -> None:
    import huggingface_hub
    import soundfile

    from et_lite.audio import resample
    from et_lite.metrics import distances

    if huggingface_hub.get_token() is None and FOLDER not in os.environ:
        pytest.skip("there is no token of the Hugging Face Hub, nor a folder of the weights")
    autoencoder = StableAudioOpen.from_pretrained()
    wave, rate = soundfile.read(clips / "music_1.flac", dtype="float32", frames=66_150)
    at_rate = resample(wave[None], rate, autoencoder.sample_rate)
    latents = autoencoder.encode(torch.from_numpy(at_rate)).mean
    assert 0.3 < latents.std() < 3
    rebuilt = autoencoder.decode(latents).numpy()[:, : at_rate.shape[1]]
    assert distances(rebuilt.mean(axis=0, keepdims=True), at_rate, 44_100)["mel_distance"] < 1.5
