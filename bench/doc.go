// Package bench measures what Callboard exists for, each figure as a ratio to a
// floor measured in the same run: a signed page of the roll call against a
// static net/http handler that sends the same bytes. Run it with
//
//	go test -run '^$' -bench . ./bench
//
// Media are measured beside other media servers, if there are any, by what it costs a server to forward a packet and
// to let a viewer join; see [BenchmarkMedia].
//
// Results that were worth keeping are in docs/performance.md.
package bench
