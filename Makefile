# The commands of README.md. `make help` lists them.

SHELL := /bin/bash
PREFIX ?= /usr/local
DESTDIR ?=
TOOLS := volt container gitops service cas registry

# The programs of each tool; private helpers have '--' in their names.
programs_volt := volt
programs_container := volt-container volt-container--init volt-container--run volt-container--port volt-container--decrypt volt-container--registry
programs_gitops := volt-gitops volt-gitops--worker volt-gitops--notify
programs_service := volt-service
programs_cas := volt-cas
programs_registry := volt-registry

# A release links the Swift runtime into each program, so that it runs without a toolchain.
release_flags := -c release --static-swift-stdlib --disable-index-store

.PHONY: help setup build release demo test soak fuzz bench lint format reference install $(TOOLS:%=install-%)

help:
	@sed -n 's/^## //p' Makefile

## make demo              set up, build, and run a push to its container on embedded defaults (root)
demo: setup
	swift build
	scripts/demo

## make test              set up, build and pass the tests
test:
	scripts/setup toolchain build run test
	scripts/test

## make soak              the long tests
soak:
	scripts/setup toolchain build run test
	scripts/soak

## make fuzz              every reader of foreign bytes, a minute each, or FUZZ_SECONDS=600
FUZZ_SECONDS ?= 60
fuzz:
	scripts/setup toolchain build
	scripts/fuzz $(FUZZ_SECONDS)

## make bench             every benchmark beside its peer, with ratios
bench: release
	scripts/setup bench
	Benchmarks/all

## make release           the programs as they are installed, in .build/release
release: setup
	swift build $(release_flags)

## make install           release, and install every tool below PREFIX (/usr/local)
install: $(TOOLS:%=install-%)

## make install-TOOL      one tool: volt, container, gitops, service, cas or registry
$(TOOLS:%=install-%): install-%: setup
	@set -e; for program in $(programs_$*); do swift build $(release_flags) --product $$program; done
	scripts/install "$(DESTDIR)$(PREFIX)" $(programs_$*)

## make lint              check the formatting
lint:
	swift format lint --strict --parallel --recursive Package.swift Sources Tests

## make format            format the sources
format:
	swift format --in-place --parallel --recursive Package.swift Sources Tests

## make reference         write docs/cli-reference.md and the golden files anew
reference:
	VOLT_RECORD=1 scripts/test

setup:
	@scripts/setup
