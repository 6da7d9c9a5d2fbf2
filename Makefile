GO            ?= go
VERSION       ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LINT_VERSION  := v2.15.0
VULN_VERSION  := v1.9.0
LINT          := bin/golangci-lint-$(LINT_VERSION)
FUZZ_TIME     ?= 20s
comma         := ,
BENCH_PHONE   := -brand yealink -family t4x -model t46u -agent 'Yealink SIP-T46U 108.86.0.20 00:15:65:00:00:00'

.PHONY: build run demo test lint vuln sync-fleet bench bench-beside torture fuzz golden cover clean

build: ## the program, without cgo, in bin/
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/dialtone ./cmd/dialtone

run: build ## serve for real, with SQLite in this folder
	bin/dialtone serve

demo: build ## the whole story on an empty machine: boot, register, change, check-sync
	$(GO) run ./cmd/demo -dialtone bin/dialtone

test: ## every test with the race detector, on SQLite and on a real MariaDB; no secret may be printed
	scripts/test-deps
	CGO_ENABLED=1 scripts/without-secrets scripts/with-mariadb $(GO) test -race -timeout 30m ./...

lint: $(LINT) ## format, vet, linters, direction of imports
	$(LINT) run ./...

$(LINT):
	mkdir -p bin
	GOBIN=$(CURDIR)/bin $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)
	mv bin/golangci-lint $@

vuln: ## known vulnerabilities in what the program calls, from Go's public database
	$(GO) run golang.org/x/vuln/cmd/govulncheck@$(VULN_VERSION) ./...

sync-fleet: build ## 20,000 phones, a bulk job, and kill -9 in the middle: each phone is told once
	scripts/sync-fleet $(FLEET)

bench: bench-beside ## benchmarks, on SQLite and on a real MariaDB; BENCH_LARGE=1 goes up to a million devices; what the figures mean: docs/performance.md
	scripts/with-mariadb $(GO) test -run '^$$' -bench . -benchmem -timeout 2h ./...

bench-beside: build ## phones' files beside nginx, a storm of phones, registrations beside Kamailio; writes the table of docs/performance.md
	scripts/test-deps bench
	scripts/with-mariadb $(GO) run ./cmd/bench -dialtone bin/dialtone $(BENCH_PHONE) -write docs/performance.md $(if $(BENCH_LARGE),-sizes 1000$(comma)100000$(comma)1000000)

torture: ## hundreds of kill -9, a Galera cluster of three nodes; RFC 4475's messages, 100,000 malformed or half-open SIP requests, 200,000 fetches and as many registrations
	scripts/test-deps galera
	scripts/with-mariadb $(GO) test -timeout 2h -count 1 -v -run 'TestCrashLoop|TestReplicas|TestGalera' ./cmd/dialtone -args -kills 200 -galera
	TORTURE=1 CGO_ENABLED=1 $(GO) test -race -timeout 1h ./sip -run 'Torture|NothingLeaks|LeaveNothing' -count 1
	TORTURE=1 CGO_ENABLED=1 $(GO) test -race -timeout 1h ./provisioner/phonehttp -run LeaveNothing -count 1

fuzz: ## every fuzz target for FUZZ_TIME
	scripts/fuzz $(FUZZ_TIME)

golden: ## rewrite the rendered samples after a change of templates; read the diff
	$(GO) test ./provisioner -run Golden -update

cover: ## coverage of the tests that need no server
	$(GO) test -short -coverprofile bin/cover.out ./... && $(GO) tool cover -func bin/cover.out | tail -n 1

clean:
	rm -rf bin
