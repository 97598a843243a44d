package express

import (
	"bufio"
	"bytes"
	"io"
	"maps"
	"net/http"
	"slices"
	"testing"
)

// FuzzWhatIsTakenIsWhatNetHTTPReads holds the parser against net/http's: a request
// that it takes must be one for net/http, with the same meaning and the same end.
// What it does not take is no concern of this test.
func FuzzWhatIsTakenIsWhatNetHTTPReads(f *testing.F) {
	for _, said := range conversations {
		f.Add([]byte(said))
		f.Add([]byte(said + end))
	}
	f.Fuzz(func(t *testing.T, said []byte) {
		r := request{header: http.Header{}}
		v := r.parse(said, longest, takes)
		for n := range said { // what is known early must not be taken back
			early := request{header: http.Header{}}
			if e := early.parse(said[:n], longest, takes); e != more && (e != v || e == whole && early.size != r.size) {
				t.Fatalf("%d bytes of %q are %d, all of them %d", n, said, e, v)
			}
		}
		if v != whole {
			return
		}
		if r.size > longest || r.size > len(said) {
			t.Fatalf("%q has %d bytes?", said, r.size)
		}
		in := bufio.NewReader(bytes.NewReader(said))
		want, err := http.ReadRequest(in)
		if err != nil {
			t.Fatalf("%q: %v", said, err)
		}
		body, err := io.ReadAll(want.Body)
		if err != nil {
			t.Fatal(err)
		}
		rest, _ := io.ReadAll(in)
		got := &r.http
		if !bytes.Equal(body, said[r.size-int(got.ContentLength):r.size]) || !bytes.Equal(rest, said[r.size:]) {
			t.Errorf("%q: body %q, rest %q", said, body, rest)
		}
		if got.Method != want.Method || got.URL.String() != want.URL.String() || got.Host != want.Host || got.RequestURI != want.RequestURI ||
			got.ContentLength != want.ContentLength || got.Proto != want.Proto || want.Close || len(want.TransferEncoding)+len(want.Trailer) > 0 {
			t.Errorf("%q: got %+v, want %+v", said, got, want)
		}
		if !maps.EqualFunc(got.Header, want.Header, slices.Equal) {
			t.Errorf("%q: got %v, want %v", said, got.Header, want.Header)
		}
	})
}
