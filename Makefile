# Every target sets up what it needs; only Python 3.13, make and git have to be there. `make` alone prints this list.
.DEFAULT_GOAL := help
.SUFFIXES:
MAKEFLAGS += --no-print-directory

# The first interpreter on PATH that is 3.13 (pyenv's shims follow .python-version); looked for only by targets that use it.
PYTHON = $(shell for name in python3.13 python3 python; do "$$name" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' >/dev/null 2>&1 && command -v "$$name" && break; done)
define local
	@python='$(PYTHON)'; [ -n "$$python" ] || { echo 'showrunner: Python 3.13 was not found; install it and put python3.13 on PATH (or: make PYTHON=/path/to/python3.13 $@)' >&2; exit 2; }; exec "$$python" -m local
endef

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST)) | while IFS= read -r line; do \
		name=$$(printf '%s' "$$line" | awk '{print $$2}'); case $$name in bench-*) [ -f "tests/bench/$${name#bench-}.py" ] || continue;; esac; printf '%s\n' "$$line"; done

run: ## make a video from events/brief.json, from nothing (BRIEF=path.json ASPECT=16:9 LENGTH=30 PUBLISH=1)
	$(local) run $(if $(BRIEF),--brief '$(BRIEF)') $(if $(ASPECT),--aspect '$(ASPECT)') $(if $(LENGTH),--length '$(LENGTH)') $(if $(PUBLISH),--publish)

run-cms: ## a month of a made-up content owner: reports dropped and fetched, money, a change and its undo (ROWS=1000 SEED=1)
	$(local) run-cms $(if $(ROWS),--rows '$(ROWS)') $(if $(SEED),--seed '$(SEED)')

run-metrics: ## collect three artists' figures from the stand-ins for 14 days, and draw them (.local/out/metrics)
	$(local) run-metrics

test: ## the whole test suite in its everyday size
	$(local) test

test-full: ## the test suite with its long tests
	$(local) test --full

coverage: ## measure which lines the everyday tests run; fails below the floors of pyproject.toml
	$(local) coverage

check: ## format, lint, types, import directions, templates, state machines
	$(local) check

costs: ## compute docs/cost.md from the templates and list prices
	$(local) costs

protections: ## write the values of the templates that protect a stage anew, for a review
	$(local) protections

record-release: ## record what executions hold when a release is out; the next release is tested with it
	$(local) record-release

up: ## start the local stack and deploy to it
	$(local) up

down: ## stop the local stack; its data stay
	$(local) down

open: ## the addresses of the running local stack, and a token for its API
	$(local) open

build: ## build the functions and layers as they are deployed
	$(local) build

deploy: ## deploy to AWS (STAGE=dev; DRY_RUN=1 only prints the commands; CONFIRM=prod for prod)
	$(local) deploy --stage '$(STAGE)' $(if $(DRY_RUN),--dry-run) $(if $(CONFIRM),--confirm '$(CONFIRM)')

preflight: ## what a deployment to AWS lacks, each with the command (STAGE=dev)
	$(local) preflight --stage '$(STAGE)'

.PHONY: keys bench-keys restore-keys
keys: ## make the stage's own keys, ask for the services' and try them (STAGE=dev; ORGANISATION=id: its own Google client)
	$(local) keys --stage '$(STAGE)' $(if $(ORGANISATION),--organisation '$(ORGANISATION)')

secrets: keys ## the other name of make keys

record: ## call a real service once for each kind of response and save their shapes (SERVICE=openai, elevenlabs, pexels, youtube)
	$(local) record --service '$(SERVICE)'

prices: ## list prices that were read at their source more than 60 days ago
	$(local) prices

admin: ## make somebody the first platform admin of a stage (STAGE=dev EMAIL=you@label.com ORGANISATION='My label')
	$(local) admin --stage '$(STAGE)' --email '$(EMAIL)' $(if $(ORGANISATION),--organisation '$(ORGANISATION)')

orphans: ## list objects that no row owns, and rows whose objects are missing; nothing is deleted (STAGE=dev)
	$(local) orphans --stage '$(STAGE)'

smoke: ## order a video of ten seconds from a stage and check it (STAGE=dev)
	$(local) smoke --stage '$(STAGE)'

verify: ## check everything that only a real account can show: drift, ways out, alarms, backups, a video (STAGE=dev)
	$(local) verify --stage '$(STAGE)'

edge: ## CloudFront with WAF in front of a stage's HTTP APIs (STAGE=dev)
	$(local) edge --stage '$(STAGE)'

trace: ## every log line of one request or video (STAGE=dev ID=..., or STAGE=local)
	$(local) trace --stage '$(STAGE)' --id '$(ID)'

restore: ## replace a stage's database with a snapshot (STAGE=dev SNAPSHOT=name; CONFIRM=prod for prod)
	$(local) restore --stage '$(STAGE)' --snapshot '$(SNAPSHOT)' $(if $(CONFIRM),--confirm '$(CONFIRM)')

.PHONY: switch
switch: ## put a restored copy of a backup in place of a stage's database (STAGE=dev DATABASE=showrunner_restore_...; CONFIRM=prod for prod)
	$(local) switch --stage '$(STAGE)' --database '$(DATABASE)' $(if $(CONFIRM),--confirm '$(CONFIRM)')

restore-keys: ## put all secrets of a nightly copy into an empty stage (STAGE=dev FROM=s3://bucket/keys/dev/2026-11-29.json)
	$(local) restore-keys --stage '$(STAGE)' --source '$(FROM)'

restore-drill: ## back up, destroy and restore the data of the running local stack, and compare
	$(local) restore-drill

destroy: ## take a stage down (STAGE=dev DATA=keep or DATA=delete; CONFIRM=prod for prod)
	$(local) destroy --stage '$(STAGE)' --data '$(DATA)' $(if $(CONFIRM),--confirm '$(CONFIRM)')

bench-render: ## how fast the renderer is, beside its limit and a peer
	$(local) bench render

bench-quality: ## CPU seconds, bytes and VMAF of the renderer's encoder options, for each kind of content
	$(local) bench quality

bench-api: ## how fast the API answers
	$(local) bench api

bench-cold: ## how fast functions start
	$(local) bench cold

bench-ingest: ## how fast notifications and reports are taken in
	$(local) bench ingest

bench-receive: ## how long a hub waits for the receiver on the running stack, beside an empty function
	$(local) bench receive

bench-load: ## 50 users at once over HTTP, beside an empty function
	$(local) bench load

.PHONY: bench-metrics
bench-metrics: ## collect 10,000 artists' figures from five stand-ins, with failures and a restart
	$(local) bench metrics

bench-keys: ## rotations killed at each remote call, beside callers that cache the old key
	$(local) bench keys

bench-lists: ## how fast lists are, page after page
	$(local) bench lists

bench-reports: ## how fast reports of content owners are loaded, beside psql's copy, pandas and pydantic
	$(local) bench reports

bench-upload: ## how fast a film is uploaded, beside a bare PUT, and in how much memory (10 MB to 4 GB)
	$(local) bench upload

lock: ## resolve the dependency groups again into local/lock
	$(local) lock

clean: ## stop the local stack and remove everything it has made
	$(local) clean

.PHONY: help run run-cms run-metrics test test-full coverage check costs protections record-release up down open build deploy preflight secrets admin orphans smoke verify edge trace restore restore-drill destroy bench-render bench-quality bench-api bench-cold bench-ingest bench-receive bench-lists bench-load bench-reports bench-upload lock clean
