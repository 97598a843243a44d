# The build is `go build ./cmd/callboard`; these are shorthands for scripts.
.PHONY: test interop interop-players

test:
	./scripts/test

interop: # Amazon's SDK for browsers, as it is published, against this server
	./scripts/interop

interop-players: # FFmpeg, GStreamer and aiortc of Debian, against this server; as root
	./scripts/players
