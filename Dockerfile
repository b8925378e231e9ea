# The image holds the static binary, the certificate authorities and the folder
# of the state file, nothing else: no shell, no package manager, no root.
#
#   docker buildx build --platform linux/amd64,linux/arm64 \
#     --build-arg VERSION="$(git describe --tags --always)" \
#     --build-arg REVISION="$(git rev-parse HEAD)" .

# The compiler runs on the machine that builds and cross-compiles, so that an
# image for another architecture needs no emulation.
ARG GO_IMAGE=docker.io/library/golang:1.26.8-bookworm
FROM --platform=${BUILDPLATFORM} ${GO_IMAGE} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG TARGETOS
ARG TARGETARCH
ARG VERSION=unknown
RUN CGO_ENABLED=0 GOOS=${TARGETOS} GOARCH=${TARGETARCH} \
    go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /out/yativo-card-exporter .
# scratch has no mkdir, so the state folder is made here and copied as an entry
# of its own, which is what gives it its owner and mode.
RUN mkdir -p /out/lib && mkdir -m 0700 /out/lib/yativo-card-exporter

FROM scratch
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="yativo-card-exporter" \
      org.opencontainers.image.description="Prometheus exporter for the card customers of the Yativo card-issuer API" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build --chown=65532:65532 /out/lib/ /var/lib/
COPY --from=build /out/yativo-card-exporter /yativo-card-exporter
# Numeric, so that Kubernetes can see that it is not root (runAsNonRoot).
USER 65532:65532
# The state folder is the only place that is written to, so the root file system
# can be read-only; the demo's temporary folder is put there as well.
ENV EXPORTER_STATE_FILE=/var/lib/yativo-card-exporter/state.db \
    TMPDIR=/var/lib/yativo-card-exporter
VOLUME ["/var/lib/yativo-card-exporter"]
EXPOSE 10101
# The OCI format has no health check: podman and buildah keep it with --format docker.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 \
    CMD ["/yativo-card-exporter", "healthcheck"]
ENTRYPOINT ["/yativo-card-exporter"]
