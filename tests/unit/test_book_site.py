"""What the site has beside its pages, and the facts that its pages read off files."""

import json
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest
from docutils import nodes
from docutils.utils import new_document

from book._ext import demo_frame, printed_facts, site_files
from et_lite import demo
from et_lite.config import PRESETS, SYSTEMS

REPOSITORY = "https://github.com/Some-One/a-book"


def app(folder: Path, repository: str = REPOSITORY, base: str = "") -> SimpleNamespace:
    config = SimpleNamespace(
        html_baseurl=base,
        html_theme_options={"repository_url": repository},
        html_title="A <book>",
        root_doc="book/intro",
    )
    env = SimpleNamespace(found_docs={"book/intro", "notebooks/01_latents"})
    return SimpleNamespace(
        config=config, env=env, outdir=str(folder), builder=SimpleNamespace(name="html")
    )


@pytest.mark.parametrize(
    ("repository", "base", "address"),
    [
        (REPOSITORY, "", "https://some-one.github.io/a-book/"),
        (REPOSITORY, "https://host/book", "https://host/book/"),
        ("https://elsewhere.example/a-book", "", ""),
    ],
)
def test_the_published_address_follows_from_the_repository(tmp_path, repository, base, address):
    assert site_files.published(app(tmp_path, repository, base)) == address


def test_the_sitemap_names_every_page(tmp_path):
    site_files.write_files(app(tmp_path), None)
    tree = ElementTree.parse(tmp_path / "sitemap.xml")
    base = "https://some-one.github.io/a-book/"
    found = {element.text for element in tree.iter() if element.tag.endswith("loc")}
    assert found == {f"{base}book/intro.html", f"{base}notebooks/01_latents.html"}
    assert f"{base}sitemap.xml" in (tmp_path / "robots.txt").read_text()


def test_a_wrong_address_leads_to_the_beginning(tmp_path):
    site_files.write_files(app(tmp_path), None)
    page = (tmp_path / "404.html").read_text()
    assert 'href="https://some-one.github.io/a-book/book/intro.html"' in page
    assert "A &lt;book&gt;" in page and "<h1>" in page


def test_nothing_is_written_where_the_address_is_unknown_or_the_build_failed(tmp_path):
    site_files.write_files(app(tmp_path), RuntimeError())
    assert not list(tmp_path.iterdir())
    site_files.write_files(app(tmp_path, "https://elsewhere.example/a-book"), None)
    assert [file.name for file in tmp_path.iterdir()] == ["404.html"]


def test_a_shared_link_says_what_the_page_is_about(tmp_path):
    document = new_document("page")
    document += nodes.paragraph("", "Short.")
    document += nodes.paragraph("", 'A "long" first paragraph ' + "that goes on " * 30)
    context = {"title": "<code>x</code> and <em>y</em>"}
    site_files.add_card(app(tmp_path), "book/intro", "page.html", context, document)
    tags = context["metatags"]
    assert 'property="og:title" content="x and y"' in tags
    assert "A &quot;long&quot; first paragraph" in tags and tags.count("…") == 2
    assert f"/_static/{site_files.CARD}" in tags


def test_a_shared_chapter_says_what_it_gives_and_not_what_it_needs(tmp_path):
    document = new_document("chapter")
    for text in ("You need a way to hear sound, and know what a vector is.", "You get an ear " * 4):
        document += nodes.paragraph("", text)
    context = {"title": "A chapter"}
    site_files.add_card(app(tmp_path), "notebooks/01_latents", "page.html", context, document)
    assert 'property="og:description" content="You get an ear' in context["metatags"]


def test_the_card_has_the_size_that_networks_ask_for():
    file = Path(site_files.__file__).parents[1] / "_assets" / site_files.CARD
    header = file.read_bytes()[:24]
    assert header[1:4] == b"PNG"
    assert [int.from_bytes(header[i : i + 4], "big") for i in (16, 20)] == [1200, 630]


def card(folder: Path, stem: str, **values: object) -> Path:
    file = folder / f"{stem}.json"
    file.write_text(json.dumps({"commit": "abc", "machine": "a machine", **values}))
    return file


def test_a_model_says_how_it_was_made(tmp_path):
    method = {"kind": "method", "name": "et-dp@0.5", "data": "train.safetensors 123", "seed": 3}
    row = printed_facts.model_row(card(tmp_path, "et-dp@0.5", config={"seed": 3}, **method))
    assert row[0] == "`et-dp@0.5.safetensors`" and row[2:] == ["3", "`abc`", "a machine"]
    assert row[1] == (
        "`et-lite train runs/latents/train.safetensors --system et-dp@0.5 --seed 3 "
        "-o assets/weights/et-dp@0.5`"
    )
    base = card(tmp_path, "spectral-vae", kind="spectral_vae", config={"seed": 1})
    assert printed_facts.model_row(base)[1] == "`et-lite train-base corpus --seed 1`"


def test_a_result_must_say_how_it_was_made(tmp_path):
    row = printed_facts.result_row(card(tmp_path, "choices", command="python choices.py", seed=0))
    assert row == ["`choices.json`", "`python choices.py`", "0", "`abc`", "a machine"]
    with pytest.raises(ValueError, match=r"bare.json names no command"):
        printed_facts.result_row(card(tmp_path, "bare"))


def test_every_stored_result_says_how_it_was_made():
    cards = [*(printed_facts.ASSETS / "results").glob("*.json")]
    assert cards and all(len(printed_facts.result_row(file)) == 5 for file in cards)


def test_times_are_those_of_the_benchmark():
    speeds = json.loads(printed_facts.SPEEDS.read_text())
    rows = printed_facts.pace_rows(speeds)
    assert {row[0].strip("`") for row in rows} <= set(SYSTEMS) and len(rows) > 5
    made_up = {"systems": {"lite/a": {"seconds": [9.0, 1.0, 2.0]}, "paper/a": {"seconds": [1]}}}
    minutes = PRESETS["lite"].steps * 2 / 60
    assert printed_facts.pace_rows(made_up) == [["`a`", "2.00 s", f"{minutes:.0f} min"]]


def test_words_of_a_notebook_are_those_of_its_text(tmp_path):
    cells = [
        {"cell_type": "markdown", "source": ["three little ", "words"]},
        {"cell_type": "code", "source": ["not = counted"]},
    ]
    (tmp_path / "a.ipynb").write_text(json.dumps({"cells": cells}))
    (tmp_path / "b.md").write_text("# Two words")
    assert [printed_facts.words(tmp_path / name) for name in ("a.ipynb", "b.md")] == [3, 3]


def test_the_server_finds_the_place_of_the_demo():
    """What the page is built with, and what `make serve` replaces in it."""
    frame = Path(demo_frame.__file__).read_text()
    assert demo.NOWHERE in frame
    assert (Path(demo_frame.__file__).parents[2] / demo.PAGE).with_suffix(".md").is_file()
