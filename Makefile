# `make` alone lists what there is. Nothing here needs a database or a service of yours: what is needed is started privately.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo test test-slow lint fmt bench doc sqlx postgres check-api

NEXTEST := $(shell command -v cargo-nextest 2>/dev/null)
DENY    := $(shell command -v cargo-deny 2>/dev/null)

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | awk -F'\t' '{ printf "  make %-9s %s\n", $$1, $$2 }'

demo: $(if $(DATABASE_URL),,postgres) ## Run the whole of it on a year of real flights and show what was found
	cargo run -- demo

test: postgres ## Run all tests (with nextest where it is installed); they start what they need
ifdef NEXTEST
	cargo test --quiet --doc
	cargo nextest run
else
	cargo test
endif

test-slow: ## Play thousands of A/B tests with fixed seeds: the evidence in docs/ab-testing-evidence.md (takes minutes)
ifdef NEXTEST
	cargo nextest run --profile slow --run-ignored only -E 'test(/ab_simulations::/)'
else
	cargo test --test it -- --ignored ab_simulations::
endif

lint: ## Formatting, clippy, and licences and advisories where cargo-deny is installed
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings
ifdef DENY
	cargo deny check bans licenses sources
else
	@echo 'cargo-deny is not installed: licences and duplicates were not checked' >&2
endif

fmt: ## Format the code
	cargo fmt

bench: postgres ## Compare with pyarrow, scipy, statsmodels and MLflow on this machine (takes minutes; close other programs)
	cargo build --release
	benches/drift.sh
	benches/ab.sh
	benches/latest.sh
	benches/promotion_race.sh

check-api: postgres ## Attack the REST API with schemathesis, out of its own OpenAPI document (sets itself up)
	.ci/check-api

doc: postgres ## Remake what is generated (docs/, jobs/README.md, parts of README.md) and the API documentation
	UPDATE_DOCS=1 UPDATE_JOB_FILES=1 STEWARD_UPDATE_DOCS=1 cargo test --quiet -- config::reference documents:: jobs:: api::openapi transcripts::
	cargo doc --no-deps --document-private-items

sqlx: postgres ## Record the statements again (.sqlx), against a private server with all migrations
	.ci/record-statements

postgres: ## Install PostgreSQL's server programs when there are none (starts no server)
	@.ci/install-postgres
