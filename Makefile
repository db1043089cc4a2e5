# Every target installs the packages it needs into .venv: once, and again after a dependency file has changed.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CONFIG ?= digits-vae
ARGS ?=
BUNDLED := mnist-ae mnist-sdae mnist-vae mnist-vae-2d
RIVALS := bentoml litserve mlserver ray
IMAGE ?= hourglass:local
# One process for each core, and all tests of a file in one of them.
PARALLEL := --numprocesses auto --maxprocesses 4 --dist loadgroup --no-loadscope-reorder

DEPENDENCIES := pyproject.toml constraints.txt
PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt

.PHONY: help
help: ## list the targets
	@echo "Hourglass trains autoencoders and serves them over REST."
	@echo
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r target text; \
		do printf '  make %-13s %s\n' "$$target" "$$text"; done

.PHONY: serve
serve: $(VENV)/.serve ## serve the models on http://127.0.0.1:8000 (options: ARGS="--port 9000")
	@exec $(BIN)/hourglass $(ARGS)

.PHONY: test
test: $(VENV)/.dev ## run every check that needs only Python: ruff, mypy, the tests with coverage
	@$(MAKE) lint
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest $(PARALLEL) $(ARGS)
	@$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

.PHONY: test-system
test-system: $(VENV)/.dev ## run the checks that need a browser, nginx, Docker and others (ALLOW_MISSING=1 skips what is not there)
	tests/system/install.sh
	$(BIN)/python -m pytest tests/system $(ARGS)
	tests/system/docker.sh $(IMAGE)

.PHONY: train
train: $(VENV)/.train ## train, evaluate and export a model: make train CONFIG=mnist-vae ARGS=--max-minutes=30
	$(BIN)/hourglass-train train $(CONFIG) $(ARGS)

.PHONY: models
models: $(VENV)/.train ## train new versions of the bundled models (ARGS='--data-dir DIR --models-dir DIR')
	@set -e; for name in $(BUNDLED); do $(BIN)/hourglass-train train $$name $(ARGS); done

.PHONY: lint
lint: $(VENV)/.dev ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.PHONY: format
format: $(VENV)/.dev ## format the code
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

.PHONY: image
image: ## build the image IMAGE, with its revision and time in its labels
	docker build --tag $(IMAGE) --build-arg VERSION="$$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)" \
		--build-arg REVISION="$$(git rev-parse HEAD)" --build-arg CREATED="$$(date -u +%Y-%m-%dT%H:%M:%SZ)" .

.PHONY: image-sizes
image-sizes: $(VENV)/.dev ## print the size of the image IMAGE by layer and by component
	@$(BIN)/python -m docker.sizes $(IMAGE)

.PHONY: lock
lock: $(VENV)/.dev ## write the hashed requirements of the image after a change of constraints.txt
	$(BIN)/python -m docker.lock

STUBS := app/api/v2/grpc
.PHONY: stubs
stubs: ## write the messages of gRPC after a change of their .proto file
	$(PYTHON) -m venv .stubs
	.stubs/bin/python -m pip install --disable-pip-version-check --quiet grpcio-tools==1.85.1
	.stubs/bin/python -m grpc_tools.protoc -I $(STUBS) --python_out=$(STUBS) --pyi_out=$(STUBS) open_inference.proto
	@# A pool of its own: tritonclient's messages have the same names, and one pool cannot hold both.
	sed -i.orig 's/_descriptor_pool\.Default()/_descriptor_pool.DescriptorPool()/' $(STUBS)/open_inference_pb2.py
	rm -rf .stubs $(STUBS)/open_inference_pb2.py.orig

.PHONY: test-docker
test-docker: $(VENV)/.dev ## test the image named by IMAGE on the local Docker engine
	HOURGLASS_IMAGE=$(IMAGE) $(BIN)/python -m pytest docker

.PHONY: bench
bench: $(VENV)/.dev $(RIVALS:%=.bench/%/.installed) ## compare the server with others, in about an hour (needs wrk; ARGS=--quick is shorter)
	$(BIN)/python -m bench.serving --output .bench/serving.json --report docs $(ARGS)

# Each rival has its own environment, since they need different versions of the same packages.
.bench/%/.installed: bench/requirements/%.txt
	$(PYTHON) -m venv .bench/$*
	.bench/$*/bin/python -m pip install --disable-pip-version-check --quiet --requirement $<
	@touch $@

.PHONY: clean
clean: ## delete everything that was installed or built, except models and runs
	rm -rf $(VENV) .bench .stubs .system build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage .coverage.*
	find app training tests bench docker examples -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit("Hourglass needs Python 3.11 or newer") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.serve: $(DEPENDENCIES) | $(BIN)/python
	$(PIP) --editable .
	@touch $@

$(VENV)/.train: $(VENV)/.serve
	$(PIP) --editable '.[train]'
	@touch $@

$(VENV)/.dev: $(VENV)/.train
	$(PIP) --editable '.[train,dev]'
	@touch $@
