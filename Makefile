# `make` lists the targets. It needs Python 3.12, 3.13 or 3.14, and nothing else.
.DEFAULT_GOAL := help
SHELL := /bin/sh
# The tests and the demo start many processes; each would compile the product again.
unexport PYTHONDONTWRITEBYTECODE

SUPPORTED := import sys; sys.exit(not (3, 12) <= sys.version_info[:2] <= (3, 14))
PYTHON ?= $(shell for p in python3.13 python3.14 python3.12 python3 python; do \
	if $$p -c '$(SUPPORTED)' >/dev/null 2>&1; then echo $$p; break; fi; done)
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
POSTGRESQL := $(BIN)/python -m tests.postgresql
PIP_FLAGS := --quiet --disable-pip-version-check --require-hashes
# Tests of one module share what is costly to set up, so they run in one process.
# More workers than the two cores of CI: many tests wait for an engine. PostgreSQL's server and the
# browser take a share of the cores themselves.
WORKERS ?= 4
WORKERS_BESIDE ?= 3
SCOPE := --dist loadscope --no-loadscope-reorder
TEST_FLAGS ?= -n $(WORKERS) $(SCOPE)
POSTGRESQL_FLAGS ?= -n $(WORKERS_BESIDE) $(SCOPE)
BROWSER_FLAGS ?= -n $(WORKERS_BESIDE)
STAGE ?= production
BENCH_APPLICATIONS ?= 50000

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/local ## run the whole product here; PORT, ENGINE_PORT, LOANOFFICE_DATA and TRACES=1 are optional
	@$(BIN)/python manage.py demo

demo-aws: .venv/dev .venv-deploy/ready .venv-emulator/ready ## deploy it to an emulated AWS here, by the real zappa; PORT (8443) is optional
	@$(BIN)/python -m devtools.aws

DB ?= sqlite
ON_sqlite :=
ON_postgresql := $(POSTGRESQL)

ifdef T
test: export LOANOFFICE_TEST_PICTURES = 1
test: .venv/dev
	$(if $(filter sqlite postgresql,$(DB)),,$(error DB is "$(DB)"; it has to be sqlite or postgresql))
	$(ON_$(DB)) $(PYTEST) -m "" $(T)
else
test: test-sqlite test-postgresql test-browser ## run every test once; T=path runs one file or test, DB=postgresql on PostgreSQL
endif

test-full: test test-rest ## run every test on both databases, the long ones at length

test-sqlite: .venv/dev ## run every test on SQLite
	$(PYTEST) $(TEST_FLAGS)

test-postgresql: .venv/dev ## run the tests that may differ between databases, on a real PostgreSQL
	$(POSTGRESQL) $(PYTEST) $(POSTGRESQL_FLAGS) -m both_databases \
		$$(grep -rl --include='test_*.py' both_databases tests)

test-browser: .venv/dev ## run the browser tests, if a Chromium is installed
	$(PYTEST) -m browser $(BROWSER_FLAGS) tests/browser

LONG := LOANOFFICE_TEST_LONG=1
test-rest: rest-sqlite rest-beside rest-postgresql ## run what test-full adds to test

rest-sqlite: .venv/dev # the long tests
	$(LONG) $(PYTEST) $(TEST_FLAGS) --durations=15 -m "long and not browser"

# Each of the two waits a good deal, for the server and for the browser.
rest-beside: .venv/dev
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target rest-long-postgresql rest-browser

rest-browser: .venv/dev
	$(LONG) $(PYTEST) -m "browser and long" $(BROWSER_FLAGS) --durations=5 tests/browser

rest-long-postgresql: .venv/dev # those whose length matters on both databases
	$(LONG) $(POSTGRESQL) $(PYTEST) $(POSTGRESQL_FLAGS) --durations=15 -m long \
		tests/core/admin/test_declared_filters.py tests/devtools/chaos tests/functions/test_traces_end_to_end.py \
		tests/fuzz tests/hard_cases

rest-postgresql: .venv/dev # what make test ran on SQLite only, as far as it uses the database
	$(POSTGRESQL) $(PYTEST) $(POSTGRESQL_FLAGS) \
		-m "uses_database and not both_databases and not browser and not deploy"

screens: .venv/dev ## write the screenshots in docs/screens
	LOANOFFICE_SCREENS=docs/screens $(PYTEST) -m browser tests/browser/test_paths.py

test-deploy: .venv/dev .venv-deploy/ready .venv-emulator/ready ## run the real zappa command against a stand-in for AWS and an emulated AWS, on loopback
	$(POSTGRESQL) $(PYTEST) -m deploy -n 2 tests/deploy

package: .venv-deploy/ready ## build the reproducible package of STAGE (production) in dist/
	@mkdir -p dist
	VIRTUAL_ENV=$(CURDIR)/.venv-deploy .venv-deploy/bin/zappa package $(STAGE) --output dist/loanoffice-$(STAGE).zip
	.venv-deploy/bin/python -m deploy.package dist/loanoffice-$(STAGE).zip
	@sha256sum dist/loanoffice-$(STAGE).zip

lint: .venv/dev ## check style, types, import contracts, migrations and the API's schema
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	git ls-files '*/templates/*.html' | xargs $(BIN)/djade --check --target-version 6.0
	$(BIN)/mypy .
	$(BIN)/lint-imports
	$(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/python manage.py check --fail-level WARNING
	$(BIN)/python manage.py spectacular --validate --fail-on-warn --file /dev/null

schema: .venv/dev ## write the API's schema to docs/openapi.yaml
	$(BIN)/python manage.py spectacular --validate --fail-on-warn --file docs/openapi.yaml

roles: export LOANOFFICE_ROLES = 1
roles: .venv/dev ## try what each role may do, and write docs/roles.md
	$(PYTEST) tests/test_role_table.py

architecture: .venv/dev ## draw docs/architecture.svg from the code
	$(BIN)/python -m docs.architecture

format: .venv/dev ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	git ls-files '*/templates/*.html' | xargs $(BIN)/djade --target-version 6.0

bench: export LOANOFFICE_BENCH_APPLICATIONS = $(BENCH_APPLICATIONS)
bench: export PYTHONPATH = $(CURDIR)
bench: export LOANOFFICE_BENCH_RESULTS = $(CURDIR)/docs/performance.json
bench: .venv/dev ## run the benchmarks and write docs/performance.md; BENCH_APPLICATIONS (50000) is the length of the lists
	@failed=; for script in benchmarks/[a-z]*.py; do echo "== $$script"; \
		$(BIN)/python $$script || failed="$$failed $$script"; done; \
	$(BIN)/python -m docs.performance; \
	test -z "$$failed" || { echo "Over a target, or stopped:$$failed"; exit 1; }

performance: .venv/dev ## write docs/performance.md and its picture from the figures of the last make bench
	$(BIN)/python -m docs.performance

requirements: .venv/dev ## compile requirements/*.txt from pyproject.toml (needs uv)
	for set in "base:pyproject.toml" "local:pyproject.toml --extra local" \
		"dev:pyproject.toml --extra local --extra dev" "deploy:pyproject.toml --extra deploy" \
		"emulator:--group emulator"; do \
		uv pip compile --quiet --universal --python-version 3.12 --generate-hashes \
			--no-emit-index-url --no-emit-find-links --no-header \
			$${set#*:} --output-file requirements/$${set%%:*}.txt; done

clean: ## remove the environment and the demo's data
	rm -rf .venv .venv-deploy .venv-emulator var

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Loan Office needs Python 3.12, 3.13 or 3.14, and none is on the PATH."; exit 1; }
	@echo "Making .venv with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv .venv

# The requirements of the product here, and those of its tests.
.venv/local: requirements/local.txt | .venv/bin/python
	@echo "Installing what the demo needs (once)"
	@$(BIN)/python -m pip install $(PIP_FLAGS) -r requirements/local.txt
	@touch $@

.venv/dev: requirements/dev.txt | .venv/bin/python
	@echo "Installing what the tests need (once)"
	@$(BIN)/python -m pip install $(PIP_FLAGS) -r requirements/dev.txt
	@touch $@ .venv/local

# Environments of their own: the one that Zappa packs, with the runtime set and Zappa and no test
# tools, and MiniStack's, which emulates AWS and pins another botocore than the product.
.venv-deploy/ready .venv-emulator/ready: .venv-%/ready: requirements/%.txt
	@test -n "$(PYTHON)" || { echo "Loan Office needs Python 3.12, 3.13 or 3.14, and none is on the PATH."; exit 1; }
	@echo "Making .venv-$* (once)"
	@$(PYTHON) -m venv --clear .venv-$*
	@.venv-$*/bin/python -m pip install $(PIP_FLAGS) -r requirements/$*.txt
	@touch $@

.PHONY: help demo demo-aws test test-full test-rest test-sqlite test-postgresql test-browser rest-sqlite rest-beside rest-browser rest-long-postgresql rest-postgresql screens test-deploy package lint schema roles architecture format bench performance requirements clean
