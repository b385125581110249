# seq2seq_kit: everything runs in the environment .venv, which the first target that needs it creates.
#
#   make venv TORCH_INDEX_URL=https://download.pytorch.org/whl/cpu    torch without CUDA, where the default has it
#   make test ARGS="tests/decoding -k beam"                           some tests
#   make bench NAME=decode_recurrent                                  a benchmark

VENV ?= .venv
PYTHON ?= python3
TORCH_INDEX_URL ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
NATIVE := CMakeLists.txt $(wildcard cmake/* build_tools/*) $(shell find csrc -type f)
# A one-line list of pyproject.toml, as xargs reads it.
requirements = sed -n 's/", "/" "/g; s/^$(1) = \[\(.*\)\]$$/\1/p' pyproject.toml
INSTALL = PATH="$(abspath $(BIN)):$$PATH" $(PIP) install --quiet --no-build-isolation --editable ".[test]"

.DEFAULT_GOAL := help
.PHONY: help venv demo test lint bench sanitize docs rebuild clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1\t\2/p' Makefile | expand -t 12

venv: $(VENV)/built ## create the environment and compile the extension; does nothing when nothing changed

demo: $(VENV)/built ## train a small English-French model and translate with it
	$(BIN)/s2s demo $(ARGS)

test: $(VENV)/built ## run the test suite
	$(BIN)/python -m pytest --numprocesses logical --maxprocesses 8 --dist loadfile --no-loadscope-reorder $(ARGS)

lint: $(VENV)/linters ## check style, types and the format of the C++ code
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	@for source in plugins/*/src; do MYPYPATH=$$source $(BIN)/mypy $$source || exit 1; done
	$(BIN)/clang-format --dry-run --Werror $$(find csrc -name '*.h' -o -name '*.cpp')

bench: $(VENV)/built ## run a benchmark: NAME=…
	$(BIN)/python -m benchmarks $(NAME)

sanitize: $(VENV)/built ## run the core's native tests under the address, undefined-behaviour and thread sanitizers
	PATH="$(abspath $(BIN)):$$PATH" && for sanitizer in address thread; do \
	  cmake -S . -B build/sanitize-$$sanitizer -DSEQ2SEQ_KIT_EXTENSION=OFF -DSEQ2SEQ_KIT_TESTS=ON \
	    -DSEQ2SEQ_KIT_SANITIZE=$$sanitizer && \
	  cmake --build build/sanitize-$$sanitizer --parallel && \
	  ctest --test-dir build/sanitize-$$sanitizer --output-on-failure || exit 1; \
	done

docs: $(VENV)/site-builder ## write the pages of docs/ that are made from the code, and the site build/site
	$(BIN)/python build_tools/search_options_page.py
	$(BIN)/python build_tools/reference_pages.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

rebuild: $(VENV)/installed ## compile the extension again
	@$(INSTALL)
	@touch $(VENV)/built

clean: ## remove what was built and cached, but not the environment
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

# torch first, alone: it may come from an index of its own. What builds the extension comes next, because without
# isolation pip does not fetch it; and cmake only where there is none.
$(VENV)/installed: pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing torch and what the build needs into $(VENV) …"
	@$(call requirements,requires) | grep -o 'torch==[^"]*' | \
	  xargs $(PIP) install --quiet $(if $(TORCH_INDEX_URL),--index-url $(TORCH_INDEX_URL))
	@$(call requirements,requires) | xargs $(PIP) install --quiet
	@command -v cmake >/dev/null || $(PIP) install --quiet "cmake>=3.22"
	@touch $@

$(VENV)/built: $(VENV)/installed $(NATIVE)
	@echo "Compiling and installing seq2seq_kit …"
	@$(INSTALL)
	@touch $@

$(VENV)/site-builder: $(VENV)/built pyproject.toml
	@$(call requirements,docs) | xargs $(PIP) install --quiet
	@touch $@

$(VENV)/linters: $(VENV)/built pyproject.toml
	@$(call requirements,lint) | xargs $(PIP) install --quiet
	@touch $@
