# Needs Python 3.10 or newer and make; everything else is installed into $(VENV).
# `make test PYTHON=python3.12 VENV=.venv312` tests with another Python beside the first.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Makes modules of the files that it reads.
MODULES := sed 's|/|.|; s|\.py$$||'
# Those whose tests are made for every store; on PostgreSQL only here, as they take some minutes.
SERVER_TESTS = $$(grep -lE 'ON_SERVERS|on_stores\(' tests/test_*.py | $(MODULES))
# Those in which processes are killed, or brought down at every point.
KILLS := tests\.(killing|projects|blocking\.children)
KILLING_TESTS = $$(grep -lE '$(KILLS)' tests/test_*.py | $(MODULES))
# Of the others, those that run whole programs: what runs in processes of its own is not measured.
PROGRAMS := tests\.(documents|benchmarks|test_django)|examples\.challenges
PROGRAM_TESTS = $$(grep -LE '$(KILLS)' tests/test_*.py | xargs grep -lE '$(PROGRAMS)' | \
  grep -v '$(LEFT_OUT)' | $(MODULES))
MEASURED_TESTS = $$(grep -LE '$(KILLS)|$(PROGRAMS)' tests/test_*.py | $(MODULES))
# Of these, those that wait for the disks of stores, mostly; and the rest.
STORES := postgresql|ON_SERVERS|on_stores\(
STORE_TESTS = $$(grep -LE '$(KILLS)|$(PROGRAMS)' tests/test_*.py | xargs grep -lE '$(STORES)' | $(MODULES))
OTHER_TESTS = $$(grep -LE '$(KILLS)|$(PROGRAMS)|$(STORES)' tests/test_*.py | $(MODULES))
TRIAL := -m twisted.trial --temp-directory=build/trial
# Programs that are not tried: one Python is enough for those that only we run.
LEFT_OUT ?= ^$$
WHAT ?= in_memory
DEMO_LOG := build/demo/helpdesk.xes.gz
DEMO_STORE := sqlite:///build/demo/helpdesk.db

# One pip at a time may change the environment.
.NOTPARALLEL:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

.PHONY: help compiled demo challenges site test test-programs test-killing test-servers lint format types layers coverage docs changelog wheel benchmark clean

help: ## List what can be made.
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | while IFS="$$(printf '\t')" read -r target what; \
	do printf '  make %-13s %s\n' "$$target" "$$what"; done

demo: $(VENV)/.with-cli $(DEMO_LOG) ## Feed a made-up helpdesk's log to the example application.
	@echo "==> feeding $(DEMO_LOG) to examples/helpdesk.py, durably: a second time nothing is new"
	@$(BIN)/twisted-dispatcher feed $(DEMO_LOG) --app examples.helpdesk:setup --store $(DEMO_STORE)
	@echo "==> what is stored in $(DEMO_STORE)"
	@$(BIN)/twisted-dispatcher list counts --store $(DEMO_STORE)
	@$(BIN)/twisted-dispatcher list events --store $(DEMO_STORE) --limit 3
	@$(BIN)/twisted-dispatcher list deliveries --store $(DEMO_STORE) --limit 5

challenges: $(VENV)/.with-django ## Run the example of a Django site for eleven days, in seconds.
	@echo "==> eleven days of examples/challenges, with a daemon and a mail server"
	@$(BIN)/python -m examples.challenges

site: $(VENV)/.with-django ## Serve the example of a Django site, with its admin.
	@echo "==> making the tables of build/challenges.db"
	@$(BIN)/python examples/challenges/manage.py migrate --verbosity 0
	@$(BIN)/python examples/challenges/manage.py make_up
	@echo "==> http://127.0.0.1:8000/admin/ knows admin, whose password is admin"
	@$(BIN)/python examples/challenges/manage.py runserver

# Tests start hundreds of programs. Where Python is told to write no bytecode, each of them would
# compile all of it once more.
compiled: $(VENV)/.with-test
	@$(BIN)/python -m compileall -q twisted_dispatcher tests examples

test: compiled ## Run the tests.
	@echo "==> running the tests"
	@mkdir -p build
	@$(BIN)/python -m tests.side_by_side build/trials \
	  programs $(PROGRAM_TESTS) -- stores $(STORE_TESTS) -- others $(OTHER_TESTS)

test-programs: compiled ## Run those of the tests that `make coverage` leaves out.
	@echo "==> running the tests that run whole programs"
	@mkdir -p build
	@$(BIN)/python $(TRIAL) $(PROGRAM_TESTS)

test-killing: compiled ## Run the tests in which processes are killed at any moment.
	@echo "==> running the tests in which processes are killed"
	@mkdir -p build
	@$(BIN)/python $(TRIAL) $(KILLING_TESTS)

test-servers: compiled ## Run the tests of durable dispatch on PostgreSQL.
	@echo "==> running the tests of durable dispatch on PostgreSQL"
	@mkdir -p build
	@TWISTED_DISPATCHER_TEST_SERVERS=all $(BIN)/python $(TRIAL) $(SERVER_TESTS)

lint: $(VENV)/.with-lint ## Check the style of the code.
	@echo "==> checking the style"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

format: $(VENV)/.with-lint ## Bring the code into its style.
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

types: $(VENV)/.with-types ## Check the types.
	@echo "==> checking the types"
	@$(BIN)/mypy

layers: $(VENV)/.with-test ## Check that modules import only from the floors below them.
	@mkdir -p build
	@$(BIN)/python $(TRIAL) tests.test_layers

coverage: compiled ## Run the tests that need no programs, and see that they reach the code.
	@echo "==> running the tests under coverage"
	@mkdir -p build/coverage
	@$(BIN)/coverage run $(TRIAL) $(MEASURED_TESTS)
	@$(BIN)/coverage combine --quiet --append
	@$(BIN)/coverage html --quiet --fail-under=0
	@$(BIN)/coverage report

docs: $(VENV)/.with-docs ## Build the documentation into build/docs.
	@echo "==> building the documentation"
	@$(BIN)/sphinx-build -W --keep-going --quiet -d build/doctrees docs build/docs
	@echo "==> it is in build/docs/index.html"

changelog: $(VENV)/.with-release ## Show what the fragments in changes/ make of the changelog.
	@$(BIN)/towncrier build --draft --version next

wheel: $(VENV)/.with-release ## Build the source distribution, and the wheel from it.
	@echo "==> building into build/dist"
	@rm -rf build/dist
	@$(BIN)/python -m build --outdir build/dist . >build/wheel.log 2>&1 || { cat build/wheel.log; exit 1; }
	@ls build/dist

benchmark: $(VENV)/.with-benchmark ## Measure against other libraries: WHAT=in_memory, durable, chains, triggers, sources, blocking or django.
	@echo "==> measuring"
	@$(BIN)/python -m tests.benchmarks.$(WHAT)

clean: ## Remove everything that was made.
	rm -rf build dist $(VENV) .tox *.egg-info _trial_temp*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(DEMO_LOG): examples/generate_log.py | $(VENV)/.with-cli
	@echo "==> making the log $@"
	@mkdir -p $(@D)
	@$(BIN)/python -m examples.generate_log $@

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
	  echo "$(PYTHON) is missing or older than 3.10; name another: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; \
	  exit 1; }
	@echo "==> making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "$(PYTHON) has no venv; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@touch $@

# Extras bring others along, which need not be installed once more.
BROUGHT_BY_test := cli django
BROUGHT_BY_types := test cli django
BROUGHT_BY_docs := cli django

# One stamp per extra: a target installs what it needs, and a second run installs nothing.
$(VENV)/.with-%: pyproject.toml setup.py | $(VENV)/.made
	@echo "==> installing twisted_dispatcher[$*] into $(VENV) (the first time takes a minute)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	@mkdir -p build
	@touch $@ $(addprefix $(VENV)/.with-,$(BROUGHT_BY_$*))
