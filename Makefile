# make demo   install what is missing, build, and take three million real flights to a served prediction
# make test   install what is missing, build, and run every test
# The rest:   make build | bench | format | tidy | ci | coverage | install | clean

SHELL := /bin/bash
PRESET ?= release
BUILD := build/$(PRESET)
CROMFORD := $(BUILD)/src/main/cromford
FLIGHTS := vendor/node_modules/vega-datasets/data/flights-3m.parquet

.PHONY: demo test build setup setup-tools bench format tidy ci coverage install clean

demo: setup
	@scripts/build.sh $(PRESET) cromford
	@scripts/demo.sh $(CROMFORD) $(FLIGHTS) $(DEMO_FLAGS)

test: setup-tools build
	@scripts/test.sh $(PRESET)

build: setup
	@scripts/build.sh $(PRESET)

setup:
	@scripts/setup.sh

setup-tools:
	@scripts/setup.sh --tools

bench: setup setup-tools
	@bench/run.sh

format:
	@scripts/format.sh --fix

tidy: setup-tools
	@scripts/build.sh release all_verify_interface_header_sets
	@scripts/tidy.sh

# What decides: all tests in release and under the sanitizers, fuzzers, the demo.
ci:
	@scripts/ci.sh

coverage: setup-tools
	@scripts/coverage.sh

install: build
	cmake --install $(BUILD) --prefix $${PREFIX:-/usr/local}

clean:
	rm -rf build
