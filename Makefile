# What takes longer than CI may: run by hand, results in docs/bench.md with the commit.
PYTHON ?= python3

.PHONY: check long bench

check:        ## what CI does
	.ci/run

bench:        ## the ratios at 100,000 identities
	$(PYTHON) -m tests.bench.run 100000
	$(PYTHON) -m tests.bench.latency 100000

long:         ## the ratios at 1,000,000 identities, and the long sweeps
	$(PYTHON) -m tests.bench.run 1000000
	$(PYTHON) -m tests.bench.latency 1000000
	$(PYTHON) -m tests.bench.log 1000000
	$(PYTHON) -m tests.bench.revoke
	$(PYTHON) -m tests.bench.hammer postgres 60
	$(PYTHON) -m tests.bench.hammer sqlite 60
	$(PYTHON) -m pytest -m long -q
