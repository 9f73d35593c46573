# syntax=docker/dockerfile:1
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --locked --release --package burgee --bin burgee \
    && cp target/release/burgee /usr/local/bin/burgee

FROM debian:bookworm-slim
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/burgee burgee
COPY --from=build /usr/local/bin/burgee /usr/local/bin/burgee
USER burgee
# Where `burgee.db` goes when no other database is named.
WORKDIR /var/lib/burgee
VOLUME /var/lib/burgee
ENV BURGEE_LISTEN=0.0.0.0:8080
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD ["burgee", "healthcheck"]
ENTRYPOINT ["burgee"]
CMD ["serve"]
