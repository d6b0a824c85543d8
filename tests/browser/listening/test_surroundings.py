"""Without scripts, whole in one page, before a kernel, without motion, and with a sound missing."""

import base64
import json
from typing import Any

import pytest

from et_lite.listening.plain import flac
from tests.browser.listening.widget import FRAMES, RATE, STATE, rendering, tones, visit

pytestmark = pytest.mark.browser


def test_without_scripts_there_are_players(browser, address):
    for page in ("beside.html", "inside.html"):
        for widget in visit(browser, address + page, java_script_enabled=False):
            players = widget.page.locator("audio")
            assert players.count() >= 4
            assert all(player.is_visible() for player in players.all())
            assert widget.page.get_by_text("One: the autoencoder alone").is_visible()


def test_plain_players_have_sound(opened, folder):
    for audio in opened.page.locator("audio").all():
        source = audio.get_attribute("src")
        assert (folder / source).read_bytes().startswith(b"fLaC")


def test_everything_in_one_page_plays_too(browser, address):
    for widget in visit(browser, address + "inside.html"):
        widget.play()
        assert widget.heard() == "elastic-0.50"
        widget.slider.press("b")
        assert widget.heard() == "uniform-0.50"
        assert widget.asked == [address + "inside.html"] or all(
            url.startswith(("data:", "blob:")) for url in widget.asked[1:]
        )


ATTACH = """([card, answers]) => {
    const asked = [];
    const heard = [];
    const code = (letter) => letter.charCodeAt(0);
    const bytes = (text) => new DataView(Uint8Array.from(atob(text), code).buffer);
    const answer = (message, sent) => setTimeout(() => heard.forEach((on) => on(message, sent)));
    const model = {
        get: () => [card],
        on: (event, call) => heard.push(call),
        send(question) {
            asked.push(question);
            const found = answers[JSON.stringify(question)];
            if (found) answer(found[0], found[1].map(bytes));
        },
    };
    const el = document.body.appendChild(document.createElement('div'));
    el.className = 'live';
    ElasticListening.attach({ model, el });
    window.asked = asked;
}"""


def test_a_kernel_renders_the_kept_length_where_the_slider_rests(local):
    """The messages are those of `et_lite.listening.live`, whose own tests pin what it answers."""
    clip = rendering("live", "Live")
    card, kept = clip.card(), 50
    assert kept not in {version.kept for version in clip.versions}
    picture, name = card["picture"], f"elastic-{kept}"
    version = {"name": name, "kind": "elastic", "kept": kept, "gain": 0.0}

    def sound(own: str) -> list[Any]:
        return [{"picture": picture}, [base64.b64encode(flac(tones(own), RATE)).decode()]]

    answers = {
        '{"render":{"clip":0,"kind":"elastic","kept":50}}': [{"version": version, "clip": 0}, []]
    }
    for own, of in [("elastic-0.50", "elastic-0.50"), (name, "elastic-0.20")]:
        key = f"{card['key']}/{own}"
        told, data = sound(of)
        answers[json.dumps({"sound": key}, separators=(",", ":"))] = [{**told, "sound": key}, data]
    local.page.evaluate("document.querySelector('.et-listening').remove()")
    local.page.evaluate(ATTACH, [card, answers])
    local.page.evaluate("document.querySelector('.live > div').className = 'et-listening'")
    local.play()
    assert local.heard() == "elastic-0.50"
    local.slider.fill(str(kept))
    local.page.wait_for_function(f"{STATE}.card.versions.some(({{ kept }}) => kept === {kept})")
    assert local.heard() == "elastic-0.20"  # what this kernel sends for it
    assert f"a rendered stop ({kept} of {FRAMES} frames)" in (
        local.page.locator("[data-show=heard]").inner_text()
    )


def test_reduced_motion_is_honoured(browser, address):
    for widget in visit(browser, address + "beside.html", reduced_motion="reduce"):
        widget.play()
        widget.page.wait_for_timeout(1500)
        shares = {share for _, share in widget.page.evaluate("window.places")}
        assert 2 <= len(shares) <= 6


def test_a_sound_that_is_missing_is_said(browser, address, folder):
    sound = next(folder.glob("sounds/two-*/elastic-0.50.js"))
    hidden = sound.rename(sound.with_suffix(".away"))
    page = browser.new_page()
    page.goto(address + "beside.html")
    page.get_by_role("button", name="Two").click()
    page.get_by_role("button", name="Play", exact=True).click()
    page.get_by_role("alert").wait_for()
    assert "elastic-0.50.js did not load" in page.get_by_role("alert").inner_text()
    hidden.rename(sound)
    page.get_by_role("button", name="Play", exact=True).click()
    page.wait_for_function(f"{STATE}.player?.playing")
    assert not page.get_by_role("alert").is_visible()
    page.close()
