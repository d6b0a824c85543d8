"""Both backends of Stable Audio Open's autoencoder: `make test-stable-audio` runs these."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import diffusers
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from et_lite.autoencoders import StableAudioOpen
from et_lite.autoencoders.oobleck import to_named, to_numbered
from et_lite.autoencoders.published import FOLDER
from et_lite.autoencoders.stable_audio import BACKENDS, build_network

SAMPLES = 2 * 44_100 + 11
MOST_GIGABYTES = 6.0
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        find_spec("stable_audio_tools") is None, reason="make test-stable-audio has the library"
    ),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Seeded weights of the full size as the published files: `.safetensors` and `.ckpt`."""
    torch.manual_seed(0)
    state = to_numbered(diffusers.AutoencoderOobleck().state_dict())
    published = {f"pretransform.model.{key}": tensor for key, tensor in state.items()}
    root = tmp_path_factory.mktemp("published")
    (root / "stable-audio-open").mkdir()
    save_file(published, root / "stable-audio-open" / "model.safetensors")
    torch.save({"state_dict": published}, root / "model.ckpt")
    return root


def test_the_published_names_are_stable_audio_tools_own() -> None:
    tools = build_network("stable-audio-tools").state_dict()
    named = diffusers.AutoencoderOobleck().state_dict()
    assert to_numbered(named).keys() == tools.keys() and to_named(tools).keys() == named.keys()
    shapes = {key: tensor.shape for key, tensor in to_named(tools).items()}
    assert shapes == {key: tensor.shape for key, tensor in named.items()}
    assert sum(tensor.numel() for tensor in tools.values()) == 156_112_514


def test_both_backends_agree_over_the_whole_way(root, folder) -> None:
    reports, results = [], []
    for backend in BACKENDS:
        output = folder / backend
        environment = {**os.environ, FOLDER: str(folder), "PYTHONPATH": str(root)}
        script = str(root / "tests" / "autoencoder_pipeline.py")
        command = [sys.executable, script, "stable-audio-open", backend, str(SAMPLES), str(output)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        reports.append(json.loads(output.with_suffix(".json").read_text()))
        results.append(np.load(output.with_suffix(".npz")))
    for report in reports:
        assert report["latents"] == [1, 64, 44] and report["kept"] == 22
        assert report["shape"] == [2, SAMPLES] and report["finite"]
        assert report.pop("gigabytes") < MOST_GIGABYTES
    assert reports[0] == reports[1]
    for name in ("latents", "wave"):
        assert results[0][name].std() > 1e-3
        np.testing.assert_allclose(results[0][name], results[1][name], atol=1e-5, rtol=0)


def test_the_other_backend_is_as_strict(folder, tmp_path) -> None:
    state = torch.load(folder / "model.ckpt", weights_only=True)["state_dict"]
    whole = StableAudioOpen.from_pretrained(folder / "model.ckpt", "stable-audio-tools")
    expected = StableAudioOpen.from_pretrained(folder / "stable-audio-open")
    assert whole.identity == expected.identity
    gone = "decoder.layers.7.weight_v"
    state["pretransform.model.decoder.layers.8.bias"] = torch.ones(1)
    save_file(state, tmp_path / "long.safetensors")
    with pytest.raises(ValueError, match="has the key 'decoder.layers.8.bias', which"):
        StableAudioOpen.from_pretrained(tmp_path / "long.safetensors", "stable-audio-tools")
    del state[f"pretransform.model.{gone}"]
    save_file(state, tmp_path / "short.safetensors")
    with pytest.raises(ValueError, match=f"lacks the key '{gone}'"):
        StableAudioOpen.from_pretrained(tmp_path / "short.safetensors", "stable-audio-tools")
