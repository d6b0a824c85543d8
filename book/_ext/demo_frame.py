"""The directive `demo`: the Gradio demo in its page, wherever it can be had.

`make serve` runs the demo beside the book and names its address in the page: there it is embedded
at once (`et_lite.demo.beside`). On a static host a Space can be named by `demo_space`. That is
another host, so nothing of it is loaded before the reader asks. With neither, the content stays.
"""

import html

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

# A classic script: browsers refuse modules to a page opened from a folder.
SCRIPT = """
(function (host) {
  var live = host.dataset.live, space = host.dataset.space;
  function show(address) {
    var frame = document.createElement("iframe");
    frame.src = address;
    frame.title = "The demo";
    frame.allow = "microphone";
    frame.style.cssText = "width:100%;height:60rem;border:0";
    host.replaceChildren(frame);
  }
  if (live) return show(live);
  if (!space) return;
  var button = document.createElement("button");
  button.className = "btn btn-primary";
  button.textContent = "Load the demo from " + new URL(space).host;
  button.onclick = function () { show(space); };
  host.replaceChildren(button);
})(document.currentScript.previousElementSibling);
"""


class Demo(SphinxDirective):
    """A place for the demo; what it holds is shown where there is none."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """The place, its content, and the script that fills it."""
        space = html.escape(self.config.demo_space)
        begin = f'<div class="et-demo" data-live="" data-space="{space}">'
        inside = self.parse_content_to_nodes()
        script = f"</div><script>{SCRIPT}</script>"
        return [nodes.raw("", begin, format="html"), *inside, nodes.raw("", script, format="html")]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.add_config_value("demo_space", "", "env", [str])
    app.add_directive("demo", Demo)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
