"""Players: they play what they were given, as loud as it is."""

import base64
import io
import re

import numpy as np
import pytest
import soundfile

from et_lite import listening

RATE = 22_050


@pytest.fixture(scope="module")
def wave() -> np.ndarray:
    """A quarter of a second of a tone at half of full scale."""
    time = np.arange(RATE // 4) / RATE
    return (np.sin(2 * np.pi * 1000 * time) / 2).astype(np.float32)


def sounds_in(page: str) -> list[np.ndarray]:
    found = re.findall(r"data:audio/flac;base64,([\w+/=]+)", page)
    return [soundfile.read(io.BytesIO(base64.b64decode(data)))[0] for data in found]


def test_players_change_no_level(wave):
    page = listening.players({"loud <1>": wave, "quiet": wave / 10, "over": wave * 4}, RATE)
    loud, quiet, over = sounds_in(page._repr_html_())
    np.testing.assert_allclose(loud, wave, atol=1 / 32768)
    np.testing.assert_allclose(quiet, wave / 10, atol=1 / 32768)
    assert 0.999 < over.max() <= 1
    assert "loud &lt;1&gt;" in page.text and "loud <1>" not in page.text


def test_recorded_stops_show_one_and_describe_all(wave):
    stops = [
        listening.Stop(f"keep {k}", f"{k} kept", wave * k, b"PNG", f"at {k}")
        for k in (0.25, 0.5, 1)
    ]
    page = listening.recorded_stops(stops, RATE, "Kept fraction", first=1).text
    assert re.findall(r'data-name="(.*?)"( hidden)?>', page) == [
        ("keep 0.25", " hidden"),
        ("keep 0.5", ""),
        ("keep 1", " hidden"),
    ]
    assert re.findall(r'alt="(.*?)"', page) == ["at 0.25", "at 0.5", "at 1"]
    assert 'max="2" value="1"' in page and "<output>keep 0.5</output>" in page
    assert [round(sound.max(), 2) for sound in sounds_in(page)] == [0.12, 0.25, 0.5]
    assert "type=module" not in page and "http" not in page
