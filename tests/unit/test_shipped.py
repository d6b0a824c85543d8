"""Every system ships: its weights load by name, and keep exactly what they are asked to."""

import json

import pytest
import soundfile

from et_lite.codec import ElasticCodec
from et_lite.config import LITE, SYSTEMS
from et_lite.segments import kept_length
from et_lite.storage import ASSETS, beside

WEIGHTS = ASSETS / "weights"
LARGEST = 3.5e6  # bytes of one model in float16
every_system = pytest.mark.parametrize("system", SYSTEMS)


@every_system
def test_weights_are_small_and_their_card_says_how_they_were_made(system) -> None:
    assert beside(WEIGHTS / system, ".safetensors").stat().st_size <= LARGEST
    card = json.loads(beside(WEIGHTS / system, ".json").read_text())
    own = SYSTEMS[system]
    assert (card["config"]["method"], card["seed"]) == (own.method, 0)
    assert card["config"]["selection"]["solver"] == own.selection.solver
    # Equal data, capacity and steps for all.
    assert (card["config"]["steps"], card["config"]["batch"]) == (LITE.steps, LITE.batch)
    assert card["config"]["network"]["width"] == LITE.network.width
    shared = json.loads((WEIGHTS / "et-greedy.json").read_text())
    assert (card["data"], card["autoencoder"]) == (shared["data"], shared["autoencoder"])
    assert card["commit"] and card["machine"] and 0 < card["metrics"]["valid_0.5"] < 1


@every_system
def test_a_file_goes_in_and_out_with_exactly_as_many_frames_as_asked(system, clips) -> None:
    codec = ElasticCodec.from_pretrained(system)
    wave, rate = soundfile.read(clips / "speech_1.flac", frames=3 * 22_050, dtype="float32")
    for keep in (0.2, 0.5, 0.6, 0.75, 0.9):
        payload = codec.compress(wave, rate, keep)
        asked = kept_length(payload.frames, keep)
        assert payload.requested == asked
        if keep == 0.5 or (keep > 0.5 and system != "conv-downsample"):
            assert payload.kept == asked and payload.reached
        if system == "et-dp-widerange":
            assert payload.kept == asked
        if keep == 0.5:
            rebuilt = codec.decompress(payload)
            assert rebuilt.shape == (1, len(wave)) and 0.3 < rebuilt.std() / wave.std() < 3
