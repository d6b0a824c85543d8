"""What a site needs beside its pages: a sitemap, a page for wrong addresses, and a card for links.

All of it names the published address, which follows from the repository's: GitHub Pages serves
`https://github.com/OWNER/NAME` at `https://OWNER.github.io/NAME/`. `html_baseurl` says otherwise.
"""

import html
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

CARD = "social-card.png"  # of book/_assets, 1200 × 630
CARD_ALT = "A spectrogram, and below it the kept frames: dense at onsets, sparse in held tones"
LOST = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>No such page - {title}</title>
<style>
:root {{ color-scheme: light dark }}
main {{ max-width: 32em; margin: 15vh auto; padding: 0 1em; font: 1.1em/1.6 system-ui, sans-serif }}
a {{ color: LinkText; text-decoration: underline }}
</style>
</head>
<body>
<main>
<h1>There is no such page</h1>
<p>It may have moved: chapters are renumbered now and then.</p>
<p><a href="{start}">Go to the beginning of the book</a>, where every page is listed and can be
searched.</p>
</main>
</body>
</html>
"""


def published(app: Sphinx) -> str:
    """Where the site is published, with a slash at its end; empty when that is not known."""
    if app.config.html_baseurl:
        return str(app.config.html_baseurl).rstrip("/") + "/"
    found = re.fullmatch(
        r"https://github\.com/([^/]+)/([^/]+?)/?", app.config.html_theme_options["repository_url"]
    )
    return f"https://{found[1].lower()}.github.io/{found[2]}/" if found else ""


def add_card(app: Sphinx, page: str, template: str, context: dict[str, Any], doc: Any) -> None:
    """What a link to the page looks like where somebody shares it."""
    base = published(app)
    if doc is None or not base:
        return
    long = [p.astext() for p in doc.findall(nodes.paragraph) if len(p.astext()) > 40]
    gives = [text for text in long if text.startswith("You get")]  # a chapter says so itself
    said = " ".join([*gives, *long, str(app.config.html_title)][0].split())
    values = {
        "og:type": "article",
        "og:site_name": app.config.html_title,
        "og:title": re.sub("<[^>]+>", "", context["title"]),
        "og:description": said if len(said) <= 200 else said[:199].rsplit(" ", 1)[0] + "…",
        "og:url": f"{base}{page}.html",
        "og:image": f"{base}_static/{CARD}",
        "og:image:alt": CARD_ALT,
    }
    tags = [f'<meta property="{k}" content="{html.escape(v)}">' for k, v in values.items()]
    tags += ['<meta name="twitter:card" content="summary_large_image">']
    tags += [f'<meta name="description" content="{html.escape(values["og:description"])}">']
    context["metatags"] = context.get("metatags", "") + "\n".join(tags)


def write_files(app: Sphinx, exception: Exception | None) -> None:
    """Write sitemap.xml, robots.txt and 404.html beside the pages."""
    if exception or app.builder.name != "html":
        return
    base, folder = published(app), Path(app.outdir)
    root = app.config.root_doc
    title = html.escape(str(app.config.html_title))
    # A wrong address may lie in any folder, so that no relative link can be right.
    lost = LOST.format(title=title, start=html.escape(f"{base or '/'}{root}.html"))
    (folder / "404.html").write_text(lost, encoding="utf-8")
    if base:
        urls = [f"<url><loc>{html.escape(base + p)}.html</loc></url>" for p in _pages(app)]
        sitemap = '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">'
        text = "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', sitemap, *urls, "</urlset>"])
        (folder / "sitemap.xml").write_text(f"{text}\n", encoding="utf-8")
        (folder / "robots.txt").write_text(f"Sitemap: {base}sitemap.xml\n", encoding="utf-8")


def _pages(app: Sphinx) -> list[str]:
    return sorted(app.env.found_docs)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("html-page-context", add_card)
    app.connect("build-finished", write_files)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
