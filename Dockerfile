# syntax=docker/dockerfile:1

FROM rust:1.95-bookworm AS build
WORKDIR /src
# Dependencies first, against an empty program: this layer is rebuilt only when they change, not with every line of ours.
COPY Cargo.toml Cargo.lock ./
COPY .cargo .cargo
RUN mkdir src \
    && echo '' > src/lib.rs \
    && echo 'fn main() {}' > src/main.rs \
    && cargo build --release --locked \
    && rm -r src
COPY . .
# Cargo looks at times of change, and the copied sources may be older than the empty program.
RUN touch src/lib.rs src/main.rs \
    && cargo build --release --locked

FROM debian:bookworm-slim
# The certificates are for TLS towards the services and the targets of webhooks; everything else is in the binary.
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 paystorm \
    && useradd --uid 10001 --gid 10001 --home-dir /var/lib/paystorm --no-create-home --shell /usr/sbin/nologin paystorm \
    && install -d -o 10001 -g 10001 -m 750 /var/lib/paystorm
COPY --from=build /src/target/release/paystorm /usr/local/bin/paystorm
USER 10001:10001
WORKDIR /var/lib/paystorm
VOLUME /var/lib/paystorm
EXPOSE 8080
# Asks for the front page with what bash has built in, so that the image needs no HTTP client. Anything below 500 is alive: a
# redirect to sign in counts too.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8080 && printf 'GET / HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' >&3 && read -r -t 4 _ status _ <&3 && [ \"$status\" -lt 500 ]"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["paystorm"]
CMD ["serve", "--bind", "0.0.0.0:8080", "--data-dir", "/var/lib/paystorm"]
