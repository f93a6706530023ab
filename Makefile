# pocketear: make run | make test | make lint | make help
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup phone-tools run test lint format clean

# uv from the machine where there is one, else one of our own beside the cache
UV := $(shell command -v uv || echo .pocketear/uv/bin/uv)
RUN := $(UV) run --frozen --no-sync
export DO_NOT_TRACK := true
export DVC_NO_ANALYTICS := 1
export TF_CPP_MIN_LOG_LEVEL := 2

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 14

setup: .pocketear/synced phone-tools  ## the environment, as uv.lock says

.pocketear/uv/bin/uv:
	python3 -m venv .pocketear/uv
	.pocketear/uv/bin/python -m pip install --quiet --disable-pip-version-check uv

.pocketear/synced: pyproject.toml uv.lock $(filter .pocketear/%,$(UV))
	@mkdir -p .pocketear
	$(UV) sync --frozen --quiet
	@touch $@

phone-tools:  ## what the arm64 measurement needs, where apt and root are at hand
	@sh src/pocketear/phone/install.sh

run: setup  ## sounds -> judged Android and iOS packages and a report page
	@$(RUN) dvc repro; status=$$?; $(RUN) pocketear summary; exit $$status

test: setup  ## all tests, lint first
	@$(MAKE) --no-print-directory lint
	$(RUN) pytest -q

lint: setup  ## style, types, import direction, workflows
	$(RUN) ruff format --check .
	$(RUN) ruff check .
	$(RUN) mypy
	$(RUN) lint-imports

format: setup  ## what lint would complain of and a tool can mend
	$(RUN) ruff format .
	$(RUN) ruff check --fix .

clean:  ## all that is made, except caches and MLflow's runs
	rm -rf build reports models data/clips data/valid data/split data/features
