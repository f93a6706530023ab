# pocketear: make run | make test | make help
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup system-tools test-tools run check test some-tests test-services coverage lint plots audit format dvc-deps serve notify remote pull push release-files publish-release retrain pull-request-report keep-reports swift-test apple clean

# uv from the machine where there is one, else one of our own beside the cache
UV := $(shell command -v uv || echo .pocketear/uv/bin/uv)
RUN := $(UV) run --frozen --no-sync
# what is installed where there is none, here and in the workflows; any uv of pyproject.toml's required-version will do
UV_VERSION := $(shell sed -n 's/^uv-version = "\(.*\)"$$/\1/p' pyproject.toml)
# A file's tests share what is expensive, so they stay together; files begin in tests/conftest.py's order.
# Three workers keep two cores busy: many tests wait for servers.
PYTEST := $(RUN) pytest -q -n 3 --dist loadfile --no-loadscope-reorder
export DO_NOT_TRACK := true
export DVC_NO_ANALYTICS := 1
export TF_CPP_MIN_LOG_LEVEL := 2
# container images set it: then each process would compile every library anew, half of its start
unexport PYTHONDONTWRITEBYTECODE

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 22

setup: .pocketear/synced system-tools  ## the environment, as uv.lock says

.pocketear/uv/bin/uv:
	python3 -m venv .pocketear/uv
	.pocketear/uv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

.pocketear/synced: pyproject.toml uv.lock $(filter .pocketear/%,$(UV))
	@mkdir -p .pocketear
	$(UV) sync --frozen --quiet
	@# two processes that compile librosa's functions at once can leave a cache that crashes every later one
	@$(RUN) python -c 'import librosa, numpy; librosa.feature.mfcc(y=numpy.zeros(4096))'
	@touch $@

system-tools:  ## what the arm64 measurement and the Android package need, where apt and root are at hand
	@sh tools/install.sh run

test-tools:  ## what some tests need besides
	@sh tools/install.sh test

run: setup  ## sounds -> judged Android and iOS packages and a report page; fails where a gate refuses
	@$(RUN) dvc repro --keep-going; status=$$?; $(RUN) pocketear summary && exit $$status

check: setup lint  ## lint, then the fast tests: under two minutes
	$(PYTEST) -m "not slow"

test: setup test-tools lint  ## lint, then all tests
	$(PYTEST)
	@echo "lint and tests passed; the page of a real run: make run, then reports/report.html"

some-tests: setup test-tools  ## the tests in TESTS, files or folders, as CI runs them side by side
	$(PYTEST) $$TESTS

test-services: setup  ## MLflow on a real PostgreSQL and S3, with the model of the last run
	@sh tools/install.sh services
	$(PYTEST) tests/experiments/test_elsewhere.py

coverage: setup test-tools  ## all tests, and the share of lines that they run; a fifth or more on top of their time
	$(PYTEST) --cov=pocketear --cov-report=
	@echo "coverage: $$($(RUN) coverage report --format=total) % of the lines of src/pocketear"

.pocketear/bin/actionlint:
	@GOBIN=$(CURDIR)/.pocketear/bin go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.12 2>/dev/null \
	|| echo "lint: actionlint is left out: it needs Go and Go's module proxy"

lint: setup .pocketear/bin/actionlint  ## style, types, import direction, workflows, containers
	$(RUN) ruff format --check --quiet .
	$(RUN) ruff check --quiet .
	$(RUN) mypy
	$(RUN) python tools/dvc_deps.py --check
	$(RUN) lint-imports --no-cache
	$(RUN) check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(RUN) check-jsonschema --builtin-schema vendor.compose-spec deploy/compose.yaml
	$(RUN) zizmor --offline --quiet --persona auditor .github/workflows
	@if [ -x .pocketear/bin/actionlint ]; then .pocketear/bin/actionlint; fi

plots: setup  ## dvc_plots/index.html as `dvc plots show` has it, with its scripts in it: needs no network
	$(RUN) python tools/plots.py

audit: setup  ## known vulnerabilities of what uv.lock names, where the advisory service can be reached
	@UV=$(UV) $(RUN) python tools/audit.py

dvc-deps: setup  ## the code that each stage depends on, into dvc.yaml, from the imports
	$(RUN) python tools/dvc_deps.py

format: setup  ## what lint would complain of and a tool can fix
	$(RUN) ruff format .
	$(RUN) ruff check --fix .

serve: setup  ## Prefect's server, a worker and MLflow's pages on loopback; Ctrl-C ends all
	$(RUN) python flows/serve.py

notify: setup  ## notify the server that data or params changed: one retrain a change
	$(RUN) python flows/notify.py

# in the clone's own settings, so that nothing of it is committed
remote: setup  ## DVC's remote of this clone, if DVC_REMOTE_URL names one: s3://… or https://…
	@if [ -n "$$DVC_REMOTE_URL" ]; then \
	$(RUN) dvc remote add --quiet --local --default --force storage "$$DVC_REMOTE_URL"; fi

pull: remote  ## the data and outputs that DVC tracks, where there is a remote
	@if [ -n "$$($(RUN) dvc remote list)" ]; then $(RUN) dvc pull --allow-missing; \
	else echo "pull: no DVC remote is set; the recipe needs none"; fi

push: remote  ## data, outputs and what each run made of what, where there is a remote
	@if [ -n "$$($(RUN) dvc remote list)" ]; then $(RUN) dvc push --run-cache; \
	else echo "push: no DVC remote is set; the results stay here"; fi

release-files: setup  ## release/: the packages of an accepted run as TAG releases them, with checksums
	@$(RUN) python tools/release.py "$$TAG"

publish-release:  ## a GitHub release of TAG with what is in release/; needs gh, and GH_TOKEN
	gh release create "$$TAG" --verify-tag --generate-notes release/*

# SET is a list of NAME=VALUE, one a line or by spaces; it is never expanded by make
retrain: setup  ## the DAG as a Prefect flow; SET='train.epochs=5', PROMOTE=1
	@set --; for one in $$SET; do set -- "$$@" --set "$$one"; done; \
	$(RUN) python flows/retrain.py "$$@" $${SET:+--apply} $${PROMOTE:+--promote}

MAIN_REPORTS := .pocketear/main-reports

pull-request-report: setup  ## reports/pull_request.md, against the main branch's reports where they were kept
	@mkdir -p reports
	$(RUN) pocketear report --markdown $(if $(wildcard $(MAIN_REPORTS)/metrics.json),--against $(MAIN_REPORTS)) \
	> reports/pull_request.md
	@cat reports/pull_request.md

keep-reports:  ## main: the reports at hand are what pull requests are compared with
	rm -rf $(MAIN_REPORTS)
	cp -R reports $(MAIN_REPORTS)

swift-test:  ## the Swift tests, by the Swift that is here or by Debian's in a folder of its own (2.7 GB, once)
	@sh tools/swift_test.sh

apple: setup  ## macOS: the packages that were built, on Apple's runtime, and the Swift tests
	$(RUN) python benchmarks/parity_apple.py
	swift test --scratch-path .pocketear/swift --package-path "$$(dirname build/ios/*/Package.swift)"

clean:  ## all that is made, except caches and MLflow's runs
	rm -rf build release reports models data/clips data/groups data/valid data/split data/features
