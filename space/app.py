"""The demo as a Space: `make space` puts the package and its assets beside this file."""

from threading import Event

from et_lite.demo import running

with running():
    Event().wait()
