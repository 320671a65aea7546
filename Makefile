# What can be made here; `make help` lists it. Everything happens inside this folder, in `.venv`.

PYTHON ?= python3
JOBS ?= 2
LAB ?= lab
BROWSER ?= auto
NOTEBOOKS ?= notebooks

venv := .venv
python := $(venv)/bin/python
sources := pyproject.toml setup.py .ci/venv .ci/find-python

# Browser tests: yes requires a browser, no leaves them out, auto skips them where there is none.
# In the environment, other values name the user's web browser, which is none of our business.
browser := $(filter auto yes no,$(BROWSER))
ifeq ($(browser),)
browser := auto
ifeq ($(origin BROWSER),command line)
$(error got BROWSER=$(BROWSER); expected auto, yes or no)
endif
endif

# Tests that take hundredths of a second each.
quick_tests := tests/tools tests/data tests/model tests/test_errors.py tests/test_hostile_formulas.py \
	tests/prediction/test_request.py tests/prediction/test_extrapolation.py \
	tests/planning/test_comparison.py tests/planning/test_constraints.py \
	tests/planning/test_feature_surface.py tests/planning/test_information_gain.py \
	tests/cli/test_console.py tests/cli/test_options.py

# Many small problems: one thread of linear algebra for each process is the fastest.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1
export MKL_NUM_THREADS ?= 1

# An environment is tied to the folder it was made in: after a move or a copy, install again.
$(shell for stamp in .venv*/.with-*; do \
	if [ -f "$$stamp" ] && [ "$$(cat "$$stamp")" != "$$(pwd)" ]; then rm -f "$$stamp"; fi; done)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help report lab apps test quick lint size types test-minimum test-python bench study tables notebooks clean distclean

help: ## list what can be made
	@echo 'Usage: make TARGET'
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' Makefile

report: $(venv)/.with-report ## fit the embedded data and write a report; prints where it is
	@$(python) -m lvkit report --output report

lab: $(venv)/.with-lab ## open JupyterLab on a copy of the notebooks, in the folder lab
	@$(python) -m lvkit lab $(LAB)

apps: $(venv)/.with-lab ## show the planner and the skills as pages without code, by Voila
	JUPYTER_PATH=notebooks/apps $(python) -m voila notebooks/apps --template=lvkit --Voila.ip=127.0.0.1 \
		--VoilaConfiguration.extension_allowlist=@voila-dashboards/widgets-manager8 \
		--VoilaConfiguration.extension_allowlist=@jupyter-widgets/jupyterlab-manager

# Both halves run, whatever becomes of the first.
test: $(venv)/.with-test ## run all tests: notebooks, library, doctests, browser (BROWSER=yes, no), coverage
	@trap 'exit 130' INT; failed=; \
	$(python) -m pytest --override-ini addopts= -W default -p no:cacheprovider --nbval-lax \
		--nbval-current-env --nbval-cell-timeout=600 --nbval-kernel-startup-timeout=300 \
		$(NOTEBOOKS) || failed='the notebooks'; \
	$(python) -m pytest -n $(JOBS) --dist loadfile --browser-tests=$(browser) \
		$(or $(TESTS),--cov) || failed="$${failed:+$$failed and }the tests"; \
	if [ -n "$$failed" ]; then echo "Failed: $$failed (see above)." >&2; exit 1; fi

quick: $(venv)/.with-test ## run the unit tests that need no fit: a minute on one core
	$(python) -m pytest -m "not slow" $(quick_tests)

lint: $(venv)/.with-dev ## check the style of the code and the directions of its imports
	$(python) -m ruff check .
	$(python) -m ruff format --check .
	$(python) tests/imports.py

size: ## print how many modules and lines of code each folder of lvkit has
	@.ci/size

types: $(venv)/.with-dev ## check the types of the library
	$(python) -m mypy

# Old packages call what newer ones under them have deprecated since; that is not ours to mend.
test-minimum: .venv-minimum/.with-test ## run all but the slow tests with the oldest versions supported
	.venv-minimum/bin/python -m pytest -n $(JOBS) --dist loadfile -m "not slow" \
		-W ignore::DeprecationWarning

test-python: ## run all but the slow tests with another Python: VERSION=3.13
	@test -n '$(VERSION)' || { echo 'Which one? make test-python VERSION=3.13' >&2; exit 2; }
	@$(MAKE) --no-print-directory .venv-$(VERSION)/.with-test
	.venv-$(VERSION)/bin/python -m pytest -n $(JOBS) --dist loadfile -m "not slow"

bench: $(venv)/.with-test ## measure speed, growth and accuracy; ten minutes on a quiet machine
	@for script in benchmarks/bench_*.py; do \
		echo "$$script"; $(python) "$$script" || exit 1; done

study: $(venv)/.with-test ## run the simulation study of docs/study.md; forty minutes on a quiet core
	$(python) docs/study.py --jobs $(JOBS)

tables: $(venv)/.with-test ## run every notebook on every unusual table of tests/notebooks/tables.py
	$(python) tests/notebooks/tables.py

notebooks: $(venv)/.with-test ## run the notebooks again and keep their outputs in them
	$(python) -m jupyter nbconvert --to notebook --inplace --execute \
		--ExecutePreprocessor.record_timing=False --ExecutePreprocessor.store_widget_state=False \
		notebooks/*.ipynb notebooks/apps/*.ipynb

clean: ## remove what was made, except the environments
	rm -rf report build dist *.egg-info .coverage .coverage.* .hypothesis \
		.mypy_cache .pytest_cache .ruff_cache
	find . -name '.venv*' -prune -o -name __pycache__ -type d -exec rm -rf {} +

distclean: clean ## remove the environments too
	rm -rf .venv .venv-*

$(venv)/.with-%: $(sources)
	@.ci/venv $(venv) $* -- '$(PYTHON)' 3.13 3.12 3.11

.venv-minimum/.with-%: $(sources) requirements/minimum.txt
	@.ci/venv .venv-minimum $* requirements/minimum.txt -- 3.11

.venv-$(VERSION)/.with-%: $(sources)
	@.ci/venv .venv-$(VERSION) $* -- $(VERSION)
