# Callboard in an image that holds nothing else: one static binary, the
# certificates of public authorities, and a directory for the facts.
#
#   docker build -t callboard --build-arg VERSION=$(git describe --tags --always) .
#   docker run --name callboard -p 7480:7480 -p 7481:7481/udp -p 7481:7481 -v callboard:/data callboard
#   eval "$(docker exec callboard callboard env)"
#
# docs/testing.md tells how to run it for tests.

FROM --platform=$BUILDPLATFORM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG TARGETOS TARGETARCH VERSION=
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
	go build -trimpath -ldflags="-s -w -X main.release=$VERSION" -o /out/callboard ./cmd/callboard \
	&& mkdir /out/data

FROM scratch
ARG VERSION= REVISION=
LABEL org.opencontainers.image.title="Callboard" \
	org.opencontainers.image.description="Self-hosted real-time stages with the Amazon IVS Real-Time API" \
	org.opencontainers.image.licenses="Apache-2.0" \
	org.opencontainers.image.version=$VERSION \
	org.opencontainers.image.revision=$REVISION
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/callboard /usr/local/bin/callboard
# A new volume takes its owner and mode from here.
COPY --from=build --chown=65532:65532 /out/data /data

# What clients on the same host need. On a server, set CALLBOARD_PUBLIC_URL to the
# URL that clients use and CALLBOARD_MEDIA_IP to the address that they reach.
ENV PATH=/usr/local/bin \
	CALLBOARD_LISTEN=0.0.0.0:7480 \
	CALLBOARD_MEDIA=0.0.0.0:7481 \
	CALLBOARD_PUBLIC_URL=http://localhost:7480 \
	CALLBOARD_MEDIA_IP=127.0.0.1 \
	CALLBOARD_DATA=/data

USER 65532:65532
VOLUME /data
EXPOSE 7480 7481/udp 7481
HEALTHCHECK --interval=5s --timeout=4s --start-period=30s --retries=3 \
	CMD ["/usr/local/bin/callboard", "health"]
ENTRYPOINT ["/usr/local/bin/callboard"]
CMD ["serve"]
