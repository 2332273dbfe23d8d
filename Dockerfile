FROM node:22-bookworm-slim AS web
WORKDIR /web
COPY web/package.json web/package-lock.json web/.npmrc ./
RUN npm ci
COPY web .
RUN npx vite build

FROM rust:1.95-bookworm AS builder
WORKDIR /praxis
COPY . .
COPY --from=web /web/dist web/dist
# Builds twice, and lets the first build serve the load harness in between.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/praxis/target \
    PRAXIS_WEB=off scripts/dist \
    && install -D target/trained/praxis /image/usr/local/bin/praxis \
    && mkdir /image/data

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=builder /image/usr/local/bin/praxis /usr/local/bin/praxis
# A new volume takes its owner from this directory.
COPY --from=builder --chown=65532:65532 /image/data /data
ENV PRAXIS_DATA_DIR=/data \
    PRAXIS_LISTEN=0.0.0.0:8080
USER 65532:65532
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD ["/usr/local/bin/praxis", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/praxis"]
CMD ["serve"]
