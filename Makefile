# SPDX-License-Identifier: Apache-2.0
# Short names for the scripts; nothing is built here.

VENV = .venv

.PHONY: demo test bench crash power-cut deb deliver image lint clean messages

demo:
	script/demo

test:
	script/test

bench:
	script/bench

crash:
	script/crash

power-cut:
	script/power-cut
	script/power-cut --vm 20

deb:
	script/deb

image:
	script/image-test

deliver:
	SCOMOD_CUTS=768 SCOMOD_DISK_STEP=1 script/test --timeout=7200 \
		tests/property/test_cuts.py tests/integration/test_full_disk.py

messages:
	script/messages

lint:
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy --strict

clean:
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -exec rm -rf {} +
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist *.egg-info $(VENV)
