"""The Gradio demo: your own sound through every shipped method (book: demo).

All that gradio writes lies in one folder, which is removed when the demo ends; a file in it goes
after a quarter of an hour. Nothing is sent anywhere: no analytics, no share link, no fetched font.
"""

import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any, TypeVar

import gradio as gr
import uvicorn
from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from gradio.utils import get_upload_folder

from et_lite import answers
from et_lite.codec import shipped
from et_lite.listening import credit
from et_lite.solvers import SOLVERS
from et_lite.storage import ASSETS

LIFETIME = 900  # seconds that a file stays in gradio's cache
LARGEST = "50mb"  # of an upload
WAITING = 16  # people in the queue; the next one is told to come back
HOST, PORT, BESIDE_BOOK = "127.0.0.1", 7860, "/demo"
PAGE, NOWHERE = "book/demo.html", 'data-live=""'  # where the book embeds it (book/_ext/demo_frame)
CLIPS = {clip.stem: clip for clip in sorted((ASSETS / "clips").glob("*.flac"))}
# What `launch` and `mount_gradio_app` are both told.
SERVED: dict[str, Any] = {"max_file_size": LARGEST, "run_history": False, "ssr_mode": False}
ABOUT = f"""# Elastic Time, on your own sound

A frame that can be predicted from the frames before it need not be kept: choose how many are.
Up to {answers.LONGEST:g} seconds, mono or stereo. Files are deleted after {LIFETIME // 60} minutes.
No sound is made louder or softer, so what you hear is what you get."""
Found = TypeVar("Found")


def build(lifetime: int = LIFETIME) -> gr.Blocks:
    """The app, whose API is `/clip`, `/solvers`, `/rebuild` and `/sweep`.

    Files stay for `lifetime` seconds. ValueError when no model is shipped.
    """
    systems = shipped()
    if not systems:
        raise ValueError("there are 0 trained models, not 1 or more: run make models first")
    cache = (min(60, lifetime), lifetime)
    with gr.Blocks(title="Elastic Time", analytics_enabled=False, delete_cache=cache) as app:
        gr.Markdown(ABOUT)
        with gr.Row():
            with gr.Column():
                # No button to share it: nothing leaves this machine.
                sound = gr.Audio(
                    sources=["upload", "microphone"],
                    type="filepath",
                    label="Sound",
                    buttons=["download"],
                )
                ours = gr.Dropdown([*CLIPS], value=None, label="Or one of our clips")
            with gr.Column():
                system = gr.Dropdown(systems, value=systems[0], label="Method")
                solvers = [answers.TRAINED, *SOLVERS]
                solver = gr.Dropdown(solvers, value=answers.TRAINED, label="Solver")
                keep = gr.Slider(0.05, 1, 0.5, step=0.01, label="Kept fraction of frames")
                button = gr.Button("Rebuild", variant="primary")
        with gr.Row():
            heard = [_player(name) for name in ("Original", "The autoencoder alone", "Rebuilt")]
        boundaries = gr.HTML()
        with gr.Row():
            files = gr.File(label="Download", file_count="multiple")
            facts = gr.JSON(label="What the payload holds")
        pictures = gr.HTML()
        table = gr.Dataframe(headers=answers.HEADS, type="array", label="Sweep of this clip")
        marked = gr.JSON(label="The chosen point, and the autoencoder alone")
        gr.Markdown("\n\n".join(credit(name) for name in CLIPS))

        # Not `gr.Examples`: those go with all other files of that age.
        ours.input(lambda name: str(CLIPS[name]), ours, sound, api_name="clip")
        gr.on([app.load, system.change], _solvers, system, solver, api_name="solvers")
        asked = [sound, system, solver, keep]
        shown = [*heard, boundaries, files, facts]
        # A clip keeps every core busy: both share one place.
        rebuilt = button.click(_rebuild, asked, shown, api_name="rebuild", concurrency_id="work")
        measured = [pictures, table, marked]
        rebuilt.success(_sweep, asked, measured, api_name="sweep", concurrency_id="work")
    return app.queue(max_size=WAITING, default_concurrency_limit=1)


def _player(label: str) -> gr.Audio:
    """A player of a file as it is: gradio scales samples to their peak, but leaves files alone."""
    return gr.Audio(label=label, type="filepath", interactive=False, buttons=["download"])


def _said(answer: Callable[[], Found]) -> Found:
    """An answer, or its one sentence of refusal where the reader sees it."""
    try:
        return answer()
    except (ValueError, OSError) as error:
        text = str(error).rstrip(".")
        raise gr.Error(f"{text[:1].upper()}{text[1:]}.", print_exception=False) from error


def _solvers(system: str) -> gr.Dropdown:
    names = _said(lambda: answers.solvers_of(system))
    return gr.Dropdown(names, value=names[0])


def _rebuild(source: str | None, system: str, solver: str, keep: float) -> tuple[Any, ...]:
    # In gradio's own folder, where it deletes what is old and serves without another copy.
    to = Path(tempfile.mkdtemp(dir=get_upload_folder()))
    try:
        found = _said(lambda: answers.rebuild(source, system, solver, keep, to))
    except BaseException:
        shutil.rmtree(to)
        raise
    heard = [str(file) for file in (found.original, found.ceiling, found.rebuilt)]
    return *heard, found.boundaries, [str(found.payload), heard[-1]], found.facts


def _sweep(source: str | None, system: str, solver: str, keep: float) -> tuple[Any, ...]:
    found = _said(lambda: answers.sweep(source, system, solver, keep))
    marked = {"chosen": found.chosen, "autoencoder alone": found.ceiling}
    named = {n: dict(zip(answers.HEADS, _rounded(row), strict=True)) for n, row in marked.items()}
    return found.pictures, [_rounded(row) for row in found.rows], named


def _rounded(row: list[float]) -> list[float]:
    """To what a reader takes in."""
    return [round(value, 4) for value in row]


@contextmanager
def running(port: int | None = None, lifetime: int = LIFETIME) -> Iterator[str]:
    """The demo's address on this machine, for as long as the block lasts (book: demo).

    OSError when the port is taken; None takes a free one, or a Space's own.
    """
    with _temporary():
        app = build(lifetime)
        try:
            _, address, _ = app.launch(
                server_port=port,
                share=False,
                inbrowser=False,
                inline=False,
                quiet=True,
                prevent_thread_lock=True,
                **SERVED,
            )
            yield address
        finally:
            app.close(verbose=False)


def serve(port: int = PORT, book: Path | None = None) -> None:
    """The demo alone, or at /demo beside a built book, until Ctrl-C or a signal to end.

    ValueError for a folder that holds no built book, OSError when the port is taken.
    """
    # Else a polite end would leave the temporary folder.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if book is not None:
            with _temporary():
                print(f"http://{HOST}:{port} (the demo: {BESIDE_BOOK})", flush=True)
                uvicorn.run(beside(book), host=HOST, port=port, log_level="warning")
            return
        with running(port) as address:
            print(address, flush=True)
            Event().wait()
    except KeyboardInterrupt:
        print()


def beside(book: Path) -> FastAPI:
    """A server of a built book's folder with the demo at /demo."""
    if not (book / "index.html").is_file():
        raise ValueError(f"{book} holds no index.html: run make book first")
    served = FastAPI()
    if (page := book / PAGE).is_file():

        @served.get(f"/{PAGE}", response_class=HTMLResponse)
        def embedding() -> str:
            """The demo's own page, which a static host cannot tell that there is a demo."""
            return page.read_text(encoding="utf-8").replace(NOWHERE, f'data-live="{BESIDE_BOOK}/"')

    app = gr.mount_gradio_app(served, build(), BESIDE_BOOK, **SERVED)
    app.mount("/", StaticFiles(directory=book, html=True))
    return app


@contextmanager
def _temporary() -> Iterator[None]:
    """A new folder for all that gradio writes, removed at the end."""
    with tempfile.TemporaryDirectory(prefix="et-lite-demo-", ignore_cleanup_errors=True) as folder:
        told = {"GRADIO_TEMP_DIR": folder, "GRADIO_ANALYTICS_ENABLED": "False"}
        before = {name: os.environ.get(name) for name in told}
        os.environ.update(told)
        try:
            yield
        finally:
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})
