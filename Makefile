# Two commands are enough to start with:  make demo   and   make test
# Everything runs in .venv, made from requirements.lock on first use.  Nothing needs root.
SHELL := /bin/sh
.DEFAULT_GOAL := help
# Not even with -j: "make clean demo" has an order. What make test does at once it says itself.
ifndef AT_ONCE
.NOTPARALLEL:
endif
.PHONY: help demo start stop test test-room combinations lint pytest unit integration molecule molecule-short lint-short lint-code proof lossless bench strangers \
    versions drafts faults mutants documents transcripts screenshots collection sanity sanity-offline clean venv lock

FILES ?= 10000
PYTHON ?=
export PYTHON

# molecule and testinfra start ansible-playbook and pytest by name.
export PATH := $(CURDIR)/.venv/bin:$(PATH)
# Settings of the caller's shell that would lead the project astray.
unexport ANSIBLE_CONFIG ANSIBLE_INVENTORY ANSIBLE_COLLECTIONS_PATH ANSIBLE_ROLES_PATH
unexport PGHOST PGPORT PGUSER PGPASSWORD PGDATABASE PGSERVICE PGOPTIONS PYTHONPATH PYTHONHOME VIRTUAL_ENV
# Or that would have each of the hundreds of programs that are started compile its own source again, or read what a step
# is sent, the code of all steps, one byte at a time.
unexport PYTHONDONTWRITEBYTECODE PYTHONPYCACHEPREFIX PYTHONUNBUFFERED

help: ## this list
	@echo 'make demo          deploy a migration on a database of $(FILES) files; make demo FILES=300000 for a large one'
	@echo 'make test          lint, sanity, pytest and molecule, without what two of them try: everything that CI checks'
	@echo
	@echo 'make lint          ansible-lint, yamllint, ruff, mypy'
	@echo 'make unit          pytest tests/unit: no database'
	@echo 'make integration   pytest tests/integration: against a real PostgreSQL that the tests start'
	@echo 'make test-room ROOM=salvage   the tests of one room: tests/unit/salvage and tests/integration/salvage'
	@echo 'make combinations  pytest with all that make test leaves out: each combination of parameters, not each pair'
	@echo 'make molecule      molecule test, every scenario: whole playbooks (make test: two of ten); SCENARIO=default for one'
	@echo 'make collection    build the collection pgops.runbook for others, into dist/'
	@echo 'make sanity        ansible-test sanity on it as installed; needs a package index the first time'
	@echo 'make proof         measure how far the proofs hold, as a table; QUICK=1 a tenth of it, SEED=1 repeats a run'
	@echo 'make lossless      measure whether rollbacks lose anything; QUICK=1, SEED=1 likewise'
	@echo 'make bench         measure how long everything takes beside bare pg_dump, pg_restore and psql; FILES=1000000, QUICK=1, SEED=1, ONLY=commands'
	@echo 'make strangers     back up and prove the schemas of strangers, plant differences in them; deploy their migrations'
	@echo 'make versions      try the main chain, random migrations and backups on PostgreSQL 15, 16, 17 and 18; QUICK=1, SEED=1, ONLY=15'
	@echo 'make drafts        draft rollbacks of their migrations, and play them'
	@echo 'make faults        let everything go wrong that can, and see that every word is true; QUICK=1, SEED=1 likewise, NAMES=500 hostile names'
	@echo 'make mutants       make the code wrong in one place after the other, and see tests fail; ROOM=ledger, QUICK=1'
	@echo 'make transcripts   write the transcripts in README.md from runs on the demo (which begins anew)'
	@echo 'make screenshots   take those of docs/screenshots from runs on the demo (which begins anew); needs chromium'
	@echo 'make start, stop   start or stop the local server of the demo; its data stays'
	@echo 'make documents     write the pages of docs/ that are made from tables in the code'
	@echo 'make clean         stop the server; remove .venv, .local, artifacts, backups, bench, dist and caches'
	@echo 'make lock          write requirements.lock from requirements.txt (needs the network)'
	@echo
	@echo 'PYTHON=/usr/bin/python3.12 chooses the Python (3.11 or newer) that .venv is made with.'

demo: start
	@echo 'Loading the library as it stood before migration 009, $(FILES) files:'
	@python demo/load_library.py --files '$(FILES)'
	@echo
	@echo '$$ ansible-playbook deploy.yml -e migration=009'
	@rm -f artifacts/latest
	@ansible-playbook deploy.yml -e migration=009; python demo/show_result.py

start: venv ## start the local server, unless it runs
	@python demo/local_server.py start

stop:
	@test ! -x .venv/bin/python || python demo/local_server.py stop

# Each of these leaves a core idle by turns, so that three at a time are done sooner. Where nobody looks on, what one
# prints comes when it ends.
test: venv
	@$(MAKE) --no-print-directory --jobs=3 AT_ONCE=1 $(if $(MAKE_TERMOUT),,--output-sync=target) pytest lint-short sanity-offline molecule-short
	@echo 'make test: all passed'

lint: lint-code
	ansible-lint

# What make test has room for: the scenarios of molecule are read by yamllint only, and what is no Ansible is not read
# line by line for what tasks may not contain.
lint-short: lint-code
	ansible-lint --exclude molecule tests benchmarks demo docs sql collections/ansible_collections/pgops/runbook/plugins --

lint-code: venv
	yamllint --strict .
	ruff check .
	ruff format --check .
	mypy

# Stories take seconds and other tests hundredths of one: each worker begins with stories (tests/long_first.py), and one
# that has none left takes another's. Three on two cores: a test waits for its server, a lock or a program by turns. More
# workers cost the cores more than they gain: the same 270 tests 115 s of a core with two, 119 with three, 138 with four.
# (Without the flags of this make, which the makes in tests would take for theirs.)
PYTEST := env -u MAKEFLAGS -u MFLAGS pytest -n 3 --dist worksteal

pytest: venv
	$(PYTEST) tests

combinations: venv
	$(PYTEST) --every-combination tests

unit: venv
	pytest tests/unit

integration: venv
	$(PYTEST) tests/integration

# A room is a folder of plugins/module_utils or plugins/plugin_utils; its tests are in folders of the same name.
test-room: venv
	@test -n '$(ROOM)' || { echo 'Which room?  make test-room ROOM=salvage; docs/floors.py lists them.' >&2; exit 2; }
	$(PYTEST) $(or $(wildcard tests/unit/$(ROOM) tests/integration/$(ROOM)),$(error There are no tests of a room $(ROOM)))

molecule: venv
	.ci/molecule $(SCENARIO)

# What make test has room for.
molecule-short: venv
	.ci/molecule --short

collection: venv
	@python .ci/collection.py

sanity: venv
	@python .ci/sanity.py

# Without those of its tests for which ansible-test installs packages.
sanity-offline: venv
	@python .ci/sanity.py --offline

# Every choice made by chance follows from the seed, which is printed.
proof: venv
	@python benchmarks/proof.py $(if $(QUICK),--quick) $(if $(SEED),--seed '$(SEED)')

lossless: venv
	@python benchmarks/lossless.py $(if $(QUICK),--quick) $(if $(SEED),--seed '$(SEED)')

# It asserts nothing about time. Table and plots are written into bench/.
bench: venv
	@python benchmarks/bench.py --files '$(FILES)' $(if $(QUICK),--quick) $(if $(SEED),--seed '$(SEED)') $(if $(ONLY),--only $(ONLY))

strangers: venv
	@python benchmarks/strangers.py
	@python benchmarks/generated_rows.py
	@python benchmarks/migrations_of_strangers.py

# What it downloads for that stays until make clean.
versions: venv
	@python benchmarks/versions.py $(if $(ONLY),--only $(ONLY)) $(if $(QUICK),--quick) $(if $(SEED),--seed '$(SEED)')

drafts: venv
	@python benchmarks/drafts.py

# Its small disks need root; without it these cases are left out.
faults: venv
	@python benchmarks/faults.py $(if $(QUICK),--quick) $(if $(NAMES),--names '$(NAMES)') $(if $(SEED),--seed '$(SEED)')

# In copies of the checkout, which itself is never changed.
mutants: venv
	@python benchmarks/mutants.py $(if $(ROOM),--room '$(ROOM)') $(if $(QUICK),--quick) $(if $(SEED),--seed '$(SEED)')

# Their test in tests/integration/demo runs the same stories and fails when the README tells them differently.
transcripts: start
	@python demo/transcripts.py

# A test knows by the templates when they are old.
screenshots: start
	@python demo/screenshots.py

# Servers first: as root their data lies below /var/tmp, and only their state files know where.
clean:
	@if [ -x .venv/bin/python ]; then \
	    python benchmarks/releases/programs.py || exit 1; \
	    for state in .local .local/molecule/*; do \
	        if [ -f "$$state/lock" ]; then python demo/local_server.py remove --state "$$state" || exit 1; fi; \
	    done; \
	elif [ -f .local/lock ]; then \
	    echo 'The local server may still run and .venv is gone: type make venv, then make clean.' >&2; exit 1; \
	fi
	rm -rf .venv .local .collections artifacts backups bench dist .pytest_cache .ruff_cache .mypy_cache .hypothesis .ansible
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

venv:
	@.ci/venv

documents: venv
	@python docs/make.py
	@python docs/ledger_page.py

lock: venv
	@python .ci/lock.py
