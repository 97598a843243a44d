# The build is `go build ./cmd/callboard`; these are shorthands for scripts.
.PHONY: test interop

test:
	./scripts/test

interop: # Amazon's SDK for browsers, as it is published, against this server
	./scripts/interop
