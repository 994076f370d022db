.PHONY: run test test-clients bench check manual mutants test-packages

# Builds Signet and serves it on http://localhost:8080 with a demo user, a demo client and the playground.
run:
	@.ci/packages.sh build
	cargo build --release --locked
	./target/release/signet serve --dev

# Runs every test on every engine and ends with a count; `make test ONLY=token_refresh` runs some.
test: test-packages
	@.ci/test.sh $(ONLY)

# What the tests need beside Rust: servers, a browser, independent relying parties.
test-packages:
	@.ci/packages.sh build
	@.ci/packages.sh test
	@.ci/test-packages.sh

# Runs the guides for applications with the software that they are about; `make test-clients ONLY=caddy` runs one.
test-clients: test-packages
	@.ci/client-packages.sh
	@.ci/test-clients.sh $(ONLY)

# Measures a release build on each engine beside the machine's own limits and prints one table.
bench:
	@.ci/packages.sh build
	@.ci/packages.sh test
	cargo bench --locked --bench load

# The quick half of .ci/run.
check:
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings

# Writes the generated tables of the manual anew.
manual:
	UPDATE_MANUAL=1 cargo test --locked --lib web::manual::tests::tables

# Changes one thing after another in FILE and tells what no test notices; no part of .ci/run. ONLY="names of tests"
# adds those of tests/it.
mutants:
	@.ci/mutants.sh $(FILE) $(ONLY)
