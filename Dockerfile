# syntax=docker/dockerfile:1

# Dependencies are a layer of their own: cargo-chef makes a recipe of the manifests alone, so a change of our sources builds
# our sources again and nothing else.
FROM rust:1.95.0-bookworm AS chef
RUN cargo install --locked --version 0.1.78 cargo-chef
WORKDIR /src

FROM chef AS plan
COPY . .
RUN cargo chef prepare --bin burgee --recipe-path recipe.json

FROM chef AS build
COPY --from=plan /src/recipe.json recipe.json
RUN cargo chef cook --locked --release --package burgee --bin burgee --recipe-path recipe.json
COPY . .
RUN cargo build --locked --release --package burgee --bin burgee \
    && deploy/image/assemble.sh target/release/burgee /image

# Nothing but what deploy/image/assemble.sh laid out: about 47 MB. The root file system may be read-only; what is written
# goes to the volume.
FROM scratch
COPY --from=build /image /
USER 65532:65532
# Where `burgee.db` goes when no other database is named.
WORKDIR /var/lib/burgee
VOLUME /var/lib/burgee
ENV PATH=/usr/local/bin \
    HOME=/var/lib/burgee \
    BURGEE_LISTEN=0.0.0.0:8080
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["burgee", "healthcheck", "--url", "http://127.0.0.1:8080/_readiness"]
ENTRYPOINT ["burgee"]
CMD ["serve"]
