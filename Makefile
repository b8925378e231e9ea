# What a contributor runs. Only Go, git, make and, for the race detector, a C
# compiler are assumed; everything else is built from pinned modules below
# tools/ into .tools/, once.

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION)

# The race detector needs cgo. Without a C compiler the tests still run, and
# say that they run without it, rather than stop a newcomer at the first step.
RACE := $(shell command -v $$(go env CC) >/dev/null 2>&1 && echo -race)

# For the tests of one package; go's own ten minutes are few for a slow machine.
TIMEOUT := 20m

# The modules below tools/ whose programs the end-to-end tests run.
TOOLS := prometheus alertmanager pint victoriametrics toxiproxy sbom

.PHONY: help build test vet unit e2e lint tools tool-lint tool-actionlint $(TOOLS:%=tool-%) bench rules docs oncall soak demo stack release screenshots lines clean

help: ## list these targets
	@grep -hE '^[a-z0-9]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9]+):.*## /  \1\t/'

build: ## the static binary, ./yativo-card-exporter
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o yativo-card-exporter .

# What needs no attention runs at low priority in the background: the building
# of tools beside the unit tests, and the linter, which takes minutes to build,
# beside the end-to-end tests, which mostly wait. A failure lets the later stages
# run, so that one run tells everything.
test: vet ## every test and every linter
	@failed=; \
	stage() { echo "== $$1  $$2$$3"; $(MAKE) --no-print-directory $$2 || failed="$$failed $$2"; }; \
	nice $(MAKE) -j --no-print-directory tools & background=$$!; \
	trap 'kill $$background 2>/dev/null' INT TERM; \
	stage 2/3 unit '; in the background the tools of the next stage (about 8 minutes on a new machine, nothing later)'; \
	wait $$background; \
	nice -n 19 $(MAKE) --no-print-directory lint & background=$$!; \
	stage 3/3 e2e ': the real binary, the real Prometheus; in the background golangci-lint (about 3 minutes; what fails is printed at the end)'; \
	wait $$background || failed="$$failed lint"; \
	test -z "$$failed" || { echo "== FAILED:$$failed (alone: make$$failed)"; exit 1; }

vet:
	@echo '== 1/3  gofmt and go vet'
	@unformatted=$$(gofmt -l .) && test -z "$$unformatted" || { echo "run gofmt -w on: $$unformatted"; exit 1; }
	@go vet -tags e2e ./...

unit: ## the tests of every package, with the race detector
	@test -n '$(RACE)' || echo 'WARNING: no C compiler ($(shell go env CC)) is installed, so the tests run without the race detector'
	go test $(RACE) -count=1 -timeout $(TIMEOUT) ./...
	go test -C tools/dashboards -count=1 ./...
	go test -C tools/oncall -count=1 ./...
	go test -C deploy/check -count=1 ./...

e2e: tools ## the tests that run the real binary against real tools
	@command -v chromium >/dev/null || echo 'WARNING: chromium is not installed, so no browser is led through the pages'
	go test -tags e2e -count=1 -timeout $(TIMEOUT) -parallel 8 ./tools/e2e/...

lint: tool-lint tool-actionlint ## golangci-lint, as configured in .golangci.yml, and actionlint
	.tools/golangci-lint run ./...
	.tools/actionlint -no-color .github/workflows/*.yml

tools: $(TOOLS:%=tool-%) ## Prometheus, Alertmanager and what else the tests run, into .tools/

# `go tool` takes no build tags, so the tools are plain binaries. Go sees itself
# what is up to date. Its temporary folder is beside the target, so that a new
# binary is put in its place by a rename, whole, even where two builds meet.
tool-lint tool-actionlint $(TOOLS:%=tool-%): tool-%:
	@mkdir -p .tools
	@GOTMPDIR='$(CURDIR)/.tools' GOWORK=off CGO_ENABLED=0 go build -C tools/$* -trimpath $(FLAGS) -ldflags '-s -w' -o '$(CURDIR)/.tools/' tool

# Service discovery for every cloud is most of what Prometheus takes to build.
tool-prometheus: FLAGS := -tags remove_all_sd

bench: tool-prometheus ## whole processes against their peers and limits, as in docs/performance.md, and the benchmarks of parts
	go run ./tools/bench
	go test -run '^$$' -bench . -benchmem ./...

rules: ## write the checked-in rule files from alerts/rules.yml.tmpl
	go run . alerts > alerts/yativo-card.rules.yml
	go run . alerts -format operator > deploy/kubernetes/prometheusrule.yaml
	go test ./tools/rehearsal -count=1 -run TestDemoRulesAreTheShippedOnes -write

docs: tools ## write the tables of docs/ from the code and from what is measured
	DOCS=write go test -count=1 ./internal/exporter
	go test ./tools/bench/scaling -count=1 -timeout $(TIMEOUT) -write
	go run ./tools/bench -write
	DOCS=write go test -tags e2e -count=1 -timeout $(TIMEOUT) -parallel 1 -run '^(TestFaults|TestOwnFaults)$$' ./tools/e2e

oncall: ## play card programs for months against the rules, an hour or more on two cores, and write docs/oncall.md
	go run -C tools/oncall . -write ../../docs/oncall.md

soak: tools ## half an hour of random troubles against the real binary (SOAK_DURATION, SOAK_SEED)
	DOCS=write SOAK_DURATION=$(or $(SOAK_DURATION),30m) go test -tags e2e -count=1 -timeout 24h -v -run '^TestSoak$$' ./tools/e2e

demo: ## the exporter against its embedded sandbox, on loopback
	go run . demo $(ARGS)

stack: tool-prometheus tool-alertmanager ## sandbox, exporter, real Prometheus and Alertmanager; pages are printed here (SCENARIO=kyc-stall)
	go run ./tools/stack -scenario $(or $(SCENARIO),kyc-stall)

release: tool-sbom ## static binaries with checksums and lists of their parts, into dist/
	VERSION='$(VERSION)' deploy/release.sh

screenshots: tool-prometheus tool-alertmanager ## the pictures in docs/images, with Debian's chromium, and node for Grafana's panels; ten minutes
	tools/panels/screenshots.sh

lines: ## lines of code of the product, without comments, blank lines and tests
	@go run ./tools/house

clean: ## remove what was built, the tools included
	rm -rf yativo-card-exporter dist .tools
