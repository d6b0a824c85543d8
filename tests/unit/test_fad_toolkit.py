"""fadtk's networks as embeddings, with a stand-in that has the interface of fadtk 1.1.0."""

import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch

from et_lite import audio, cli, evaluation
from et_lite.fad_toolkit import BACKBONE_OF, as_embedding, load_toolkit

CHUNK = 1600


class ModelLoader:
    """What fadtk's own class of this name gives: a rate, a name, and embeddings of a file."""

    def __init__(self, name: str, num_features: int, sr: int) -> None:
        self.model, self.name, self.num_features, self.sr = None, name, num_features, sr

    def load_model(self) -> None:
        torch.manual_seed(len(self.name))
        self.model = torch.nn.Linear(CHUNK, self.num_features)

    def load_wav(self, wav_file: Path) -> np.ndarray:
        wave, rate = soundfile.read(wav_file, dtype="int16")
        assert rate == self.sr and wave.ndim == 1
        return wave / 32768.0

    def get_embedding(self, wave: np.ndarray) -> np.ndarray:
        chunks = wave[: len(wave) // CHUNK * CHUNK].reshape(-1, CHUNK)
        found = self.model(torch.from_numpy(chunks).float())
        return found.detach().numpy().astype(np.float16)


class CLAPLaionModel(ModelLoader):
    def __init__(self, type: str) -> None:
        super().__init__(f"clap-laion-{type}", 6, 48_000)


class W2V2Model(ModelLoader):
    def __init__(self, size: str, layer: int) -> None:
        super().__init__(f"w2v2-{size}" + ("" if layer == 12 else f"-{layer}"), 8, 16_000)


@pytest.fixture
def toolkit(monkeypatch) -> ModuleType:
    """fadtk, as far as it is used."""
    package, loader = ModuleType("fadtk"), ModuleType("fadtk.model_loader")
    loader.CLAPLaionModel, loader.W2V2Model = CLAPLaionModel, W2V2Model
    package.model_loader = loader
    monkeypatch.setitem(sys.modules, "fadtk", package)
    monkeypatch.setitem(sys.modules, "fadtk.model_loader", loader)
    return loader


@pytest.fixture
def wave(clips) -> np.ndarray:
    return audio.read(clips / "speech_1.flac")[0][0][: 2 * 22_050]


def test_every_kind_has_the_network_that_is_named(toolkit) -> None:
    loaded = load_toolkit(set(BACKBONE_OF))
    assert {kind: found.name for kind, found in loaded.items()} == BACKBONE_OF
    assert loaded["music"] is loaded["vocal"]
    assert len({found.identity for found in loaded.values()}) == 3


def test_rows_are_what_the_toolkit_gives_for_a_file(toolkit, wave, tmp_path) -> None:
    model = W2V2Model("base", 12)
    model.load_model()
    found = as_embedding(model)(wave, 22_050)
    soundfile.write(tmp_path / "a.wav", audio.resample(wave[None], 22_050, 16_000)[0], 16_000)
    expected = model.get_embedding(model.load_wav(tmp_path / "a.wav"))
    assert found.shape == (20, 8) and found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)


def test_other_weights_are_another_embedding(toolkit) -> None:
    model = W2V2Model("base", 12)
    model.load_model()
    first = as_embedding(model).identity
    assert as_embedding(model).identity == first
    model.model.bias.data += 1
    assert as_embedding(model).identity != first


def test_a_missing_toolkit_is_named_with_its_extra(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "fadtk", None)
    monkeypatch.setitem(sys.modules, "fadtk.model_loader", None)
    with pytest.raises(ValueError, match=r"needs fadtk .*'et-lite\[fadtk\]' in an environment of"):
        load_toolkit({"music"})


def test_weights_that_cannot_be_had_are_said(toolkit, monkeypatch) -> None:
    def offline(self) -> None:
        raise ConnectionError("no route\nand more")

    monkeypatch.setattr(W2V2Model, "load_model", offline)
    with pytest.raises(
        ValueError, match=r"could not load w2v2-base \(no route\): check the network"
    ):
        load_toolkit({"speech"})


def test_the_command_judges_by_the_toolkit(toolkit, trained, sounds, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(evaluation, "quick_crops", lambda: iter(sounds))
    command = ["evaluate", "--quick", "--fad", "fadtk", "--models", trained("et-greedy")]
    command += ["--keep", "0.8", "--run-dir", str(tmp_path / "run")]
    assert cli.main(command) == 0
    out = tmp_path / "run" / "evaluation_quick"
    card = json.loads(out.with_suffix(".json").read_text())
    assert "--fad fadtk" in card["command"]
    used = {kind: found["name"] for kind, found in card["fad"]["embeddings"].items()}
    assert used == {kind: BACKBONE_OF[kind] for kind in used} and "music" in used
    table = pd.read_csv(tmp_path / "run" / "evaluation_quick_fad.csv").set_index(
        ["system", "domain"]
    )
    row = table.loc["et-greedy", "speech"]
    assert row.embedding == "w2v2-base" and row.fad > 0 and row.windows == 3 * 20


def test_the_command_says_what_is_missing(trained, tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "fadtk", None)
    command = ["evaluate", "--quick", "--fad", "fadtk", "--models", trained("et-greedy")]
    assert cli.main([*command, "--run-dir", str(tmp_path / "run")]) == 2
    assert "et-lite[fadtk]" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
