# Short names for what the project does often. `just` alone lists them; each is one command that can be typed as well.

default:
    @just --list

# Build the binary
build:
    cargo build --release --locked

# Run with everything embedded; arguments go to `paystorm serve`
run *args:
    cargo run --release --locked -- serve {{ args }}

# Run on MySQL, RabbitMQ and Elasticsearch
run-real *args: (services "up")
    cargo run --release --locked -- serve --config config/real.toml {{ args }}

# Everything that must hold before a change lands
test:
    scripts/test.sh

# Formatting, lints and unit tests
fast:
    scripts/test.sh --fast

# MySQL, RabbitMQ and Elasticsearch on this machine: just services up | down | status | env
services *args:
    scripts/services.sh {{ args }}

# Format the source
fmt:
    cargo fmt --all

# Lints, as strict as CI
lint:
    cargo clippy --release --all-targets --locked -- -D warnings

# What is too long for CI
soak *args:
    scripts/soak.sh {{ args }}

# A load run; arguments go to `paystorm load`
load *args:
    cargo run --release --locked -- load {{ args }}
