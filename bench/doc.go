// Package bench measures what Callboard exists for, each figure as a ratio to a
// floor measured in the same run: a signed page of the roll call against a
// static net/http handler that sends the same bytes. Run it with
//
//	go test -run '^$' -bench . ./bench
//
// Results that were worth keeping are in docs/performance.md.
package bench
