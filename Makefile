# Everything runs in .venv, which the first target that needs it makes; nothing has to be activated.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-gpu check docs bench bench-routing bench-delivery bench-peers \
  bench-tables bench-advisor bench-kinds bench-precisions bench-gpu bench-gpu-kinds bench-gateway \
  bench-http ladders fuzz fuzz-models chaos flood soak alerts clean

BIN := .venv/bin
READY := .venv/.ready
# Benchmarks and trials write to results; with PUBLISH=1 to benchmarks/results, which the docs show.
PUBLISHED := $(if $(PUBLISH),--publish)
PIP_INSTALL := $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt
# CPU wheels of torch: a tenth of the default ones. Without this index pip takes PyPI's wheel.
TORCH_INDEX := https://download.pytorch.org/whl/cpu
# Tests in several processes (tests/support/suite/parallel.py), a file's in one; files in our order.
SHARED_OUT := -n auto --dist loadfile --no-loadscope-reorder
# What tests and checks start again and again is compiled once.
unexport PYTHONDONTWRITEBYTECODE
MKDOCS := NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs

help: ## Show this help
	@echo "Usage: make TARGET"; echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## Make .venv with everything installed (the other targets do it when needed)

demo: $(READY) ## Train or reuse two ladders, then show the whole path at work for a minute
	@$(BIN)/ounce demo

test: $(READY) ## Run the tests; Kafka and Prometheus tests are skipped where those can't run
	$(BIN)/python -m pytest $(SHARED_OUT)

test-gpu: $(READY) ## Run the tests that need an NVIDIA GPU and TensorRT; without them they are skipped
	@mkdir -p results
	@if ! command -v nvidia-smi > /dev/null; then \
	  echo "make: no NVIDIA driver here (nvidia-smi): TensorRT is not installed, tests are skipped"; \
	elif [ -e /etc/nv_tegra_release ]; then \
	  echo "make: a Jetson: TensorRT is JetPack's"; \
	  sed -i "s/^include-system-site-packages = .*/include-system-site-packages = true/" .venv/pyvenv.cfg; \
	else \
	  extra=gpu; nvidia-smi | grep -q "CUDA Version: 12" && extra=gpu-cuda12; \
	  $(BIN)/python -m pip show -q onnxruntime-gpu 2> /dev/null || \
	    $(BIN)/python -m pip install --disable-pip-version-check -e ".[$$extra]" || \
	    echo "make: TensorRT can't be installed (see above): its tests are skipped" >&2; \
	fi
	@{ timeout 120 $(BIN)/ounce runtimes || echo "ounce runtimes ended with exit code $$?"; \
	  ! command -v nvidia-smi > /dev/null || \
	    nvidia-smi --query-gpu=name,driver_version,compute_cap,memory.total,mig.mode.current --format=csv; \
	  $(BIN)/python -m pip list --disable-pip-version-check | grep -iE "tensorrt|cuda|onnx|nvidia-ml"; \
	} 2>&1 | tee results/gpu-machine.txt
	CI= $(BIN)/python -m pytest tests/gpu -m gpu -n 1 -W default --log-level=INFO \
	  --timeout=0 -o faulthandler_timeout=180 -o faulthandler_exit_on_timeout=true \
	  --max-worker-restart=20 -p tests.support.suite.at_once -o junit_logging=all \
	  --junitxml=results/gpu-tests.xml

check: $(READY) ## Check format, lint, types, imports, generated contracts, compose.yaml and docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/ounce contracts --check
	$(BIN)/ounce monitoring --check
	$(BIN)/python -m scripts.metrics_page --check
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec compose.yaml
	$(BIN)/python -m benchmarks.tables --check
	$(MKDOCS) build --strict

docs: $(READY) ## Serve the pages on http://127.0.0.1:8010, and again after each change
	$(BIN)/python -m benchmarks.tables
	$(MKDOCS) serve

bench: $(READY) ## Measure the worker against two hand-written loops; PUBLISH=1: for the docs
	$(BIN)/python -m benchmarks.worker.throughput $(PUBLISHED)

fuzz: $(READY) ## Send a million generated bad messages through a pipeline, among good ones
	$(BIN)/python -m trials.fuzz --messages 1000000

fuzz-models: $(READY) ## Ask a thousand models of generated tables hostile rows: ONNX against native
	$(BIN)/python -m trials.pipelines $(PUBLISHED)

chaos: $(READY) ## Workers on a real Kafka under a thousand faults, an hour; SHORT=1: twenty, some minutes
	[ -f models/digits/task.json ] || $(BIN)/ounce train digits
	$(BIN)/python -m trials.chaos $(if $(SHORT),--runs 2 --faults 10,--runs 10 --faults 100 $(PUBLISHED))

flood: $(READY) ## One worker's memory under poison, floods, a stalled broker, a tenfold burst
	[ -f models/digits/task.json ] || $(BIN)/ounce train digits
	$(BIN)/python -m trials.chaos.flood $(PUBLISHED)

soak: $(READY) ## One worker at half of its capacity for an hour: memory and file handles
	[ -f models/digits/task.json ] || $(BIN)/ounce train digits
	$(BIN)/python -m trials.chaos.soak $(PUBLISHED)

alerts: $(READY) ## Make each alert that pages somebody fire by its fault, and follow its runbook
	[ -f models/digits/task.json ] || $(BIN)/ounce train digits
	$(BIN)/python -m trials.alerts

bench-routing: $(READY) ## Compare routing rules: simulated, then on a real Kafka
	$(BIN)/python -m benchmarks.routing $(PUBLISHED)

bench-delivery: $(READY) ## What exactly-once costs: throughput and latency on a real Kafka
	[ -f models/digits/task.json ] || $(BIN)/ounce train digits
	$(BIN)/python -m benchmarks.worker.delivery_cost $(PUBLISHED)

bench-peers: $(READY) ## Put the worker beside what people run today, each in its own environment
	[ -f models/digits/task.json ] || $(BIN)/ounce train digits
	$(BIN)/python -m benchmarks.peers $(PUBLISHED)

bench-tables: $(READY) ## Ladders of public tables against other libraries; DATA=FOLDER, SHORT=1: bundled ones
	$(BIN)/python -m benchmarks.public_tables $(if $(SHORT),--seeds 1,--resume) \
	  $(if $(DATA),--data $(DATA)) $(PUBLISHED)

bench-advisor: $(READY) ## What advice loses on public tables; DATA=FOLDER, SHORT=1, RESUME=1
	$(BIN)/python -m benchmarks.advisor --data $(or $(DATA),tables) $(if $(SHORT),--short) \
	  $(addprefix --peers ,$(or $(PEERS),flaml autogluon tuned-boosting)) $(if $(RESUME),--resume) \
	  $(PUBLISHED)
	$(BIN)/python -m benchmarks.advisor.promises --data $(or $(DATA),tables) $(PUBLISHED)
	$(BIN)/python -m benchmarks.advisor.cost $(PUBLISHED)

bench-kinds: $(READY) ## Anomalies, texts, images and sequences on public data: DATA=FOLDER
	$(BIN)/python -m benchmarks.kinds --data $(DATA) $(PUBLISHED)
	$(BIN)/python -m benchmarks.kinds.distilled --data $(DATA) $(PUBLISHED)
	for task in digits bearing tickets; do \
	  [ -f results/explained/quick/$$task/task.json ] || \
	    $(BIN)/ounce train $$task --quick --models results/explained || exit 1; \
	done
	$(BIN)/python -m benchmarks.kinds.explanations --models results/explained/quick \
	  --of digits --of bearing --of tickets $(PUBLISHED)
	$(BIN)/python -m benchmarks.kinds.transfer --data $(DATA) $(PUBLISHED)
	for of in anomalies images series life life_windows; do \
	  $(BIN)/python -m benchmarks.kinds.signals --data $(DATA) --of $$of $(PUBLISHED) || exit 1; \
	done

bench-precisions: $(READY) ## What other forms of the ladders' models cost and answer here
	$(BIN)/python -m benchmarks.precisions $(PUBLISHED)

bench-gpu-kinds: $(READY) ## Which models TensorRT takes; needs no GPU
	for task in digits bearing; do \
	  [ -f models/$$task/task.json ] || $(BIN)/ounce train $$task || exit 1; \
	done
	$(BIN)/python -m benchmarks.gpu_kinds $(PUBLISHED)

bench-gpu: $(READY) ## Measure TensorRT and CUDA beside the CPU; needs an NVIDIA GPU; MINUTES=5
	@command -v nvidia-smi > /dev/null || \
	  { echo "make: no NVIDIA driver here (nvidia-smi): there is nothing to measure" >&2; exit 1; }
	models=models; [ -f models/digits/task.json ] || { models=models/quick; \
	  [ -f models/quick/digits/task.json ] || $(BIN)/ounce train digits --quick; } && \
	$(BIN)/python -m benchmarks.gpu --models $$models $(addprefix --minutes ,$(MINUTES)) $(PUBLISHED)

bench-gateway: $(READY) ## Ten thousand MQTT devices, an outage, a backlog; SHORT=1: smaller
	$(BIN)/python -m benchmarks.gateway $(if $(SHORT),--outage-s 15 --backlog 20000 --seconds 10) $(PUBLISHED)

bench-http: $(READY) ## Calls over HTTP beside requests by Kafka, of one worker, on a real Kafka
	[ -f models/digits/task.json ] || $(BIN)/ounce train digits
	$(BIN)/python -m benchmarks.http $(PUBLISHED)

ladders: $(READY) ## Train both ladders anew and write what their cards promise for the pages
	$(BIN)/ounce train digits
	$(BIN)/ounce train bearing
	$(BIN)/python -m benchmarks.ladders

clean: ## Remove .venv and caches; trained models stay
	rm -rf .venv .peers .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis site
	find . -type d -name __pycache__ -prune -exec rm -rf {} +

$(READY): pyproject.toml constraints.txt
	@for python in python3.11 python3.12 python3.13 python3.14 python3; do \
	  if $$python -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    found=$$python; break; \
	  fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "make: no Python >= 3.11 with the venv module on PATH: install one" \
	    "(Debian: apt-get install python3 python3-venv)" >&2; \
	  exit 1; \
	fi; \
	[ -x $(BIN)/python ] || { echo "Making .venv with $$found"; $$found -m venv .venv; }
	@echo "Installing torch (1 of 2)"
	$(PIP_INSTALL) --retries 0 --extra-index-url $(TORCH_INDEX) torch
	@echo "Installing ounce and everything else (2 of 2)"
	$(PIP_INSTALL) -e ".[dev]"
	@touch $@
