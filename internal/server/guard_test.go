package server

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func TestAContainerAnswersItsOwnersAndNoPageFromElsewhere(t *testing.T) {
	t.Parallel()
	cases := []struct {
		host, origin string
		want         bool
	}{
		{"localhost:32768", "", true},
		{"127.0.0.1:32768", "http://localhost:3000", true},
		{"172.17.0.2:7480", "", true},
		{"203.0.113.7", "", true},
		{"[fd00::2]:7480", "", true},
		{"callboard:7480", "http://app.test:3000", true},
		{"host.docker.internal:7480", "https://host.docker.internal", true},
		{"callboard:7480", "", true},
		{"callboard:7480", "http://app:3000", false}, // which a neighbour may answer to
		{"callboard:7480", "http://test", false},
		{"box.local", "", true},
		{"box.local", "http://box.local", false}, // likewise
		{"board.example.com", "", true},          // the public URL's
		{"board.example.com", "https://board.example.com", false},
		{"localhost:7480", "https://evil.example", false},
		{"localhost:7480", "http://203.0.113.7", false},
		{"localhost:7480", "null", false},
		{"localhost:7480", "", true},
		{"localhost:7480", "//localhost", false},
		{"localhost:7480", "chrome-extension://localhost", false},
		{"localhost:7480", "file://localhost", false},
		{"localhost:7480", "HTTP://localhost", true},
		{"evil.example:7480", "", false},               // a name that was pointed here
		{"evil.example", "http://evil.example", false}, // and its page
		{"local.evil.example", "", false},
		{"internal.", "", false},
		{"", "", false},
		{"call_board:7480", "", true},
		{"a b", "", false},
		{"localhost:0", "", false},
		{"localhost:99999", "", false},
		{"user@localhost", "", false},
	}
	for _, c := range cases {
		t.Run(c.host+" "+c.origin, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
			r.Host = c.host
			if c.origin != "" {
				r.Header.Set("Origin", c.origin)
			}
			w := httptest.NewRecorder()
			ok := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
			guard{door: ok, host: "board.example.com", network: true}.ServeHTTP(w, r)
			if got := w.Code == http.StatusTeapot; got != c.want {
				t.Errorf("it is answered: %v, %s", got, w.Body)
			}
		})
	}
}

func FuzzHostHeader(f *testing.F) {
	for _, host := range []string{"localhost:7480", "[::1]:80", "[::1]", "::1", "a/b", "x@y", "x?y", "x#y", "a:b:c", "[a]", "[::1%25eth0]:1", "host:"} {
		f.Add(host)
	}
	f.Fuzz(func(t *testing.T, host string) {
		e := hostEndpoints(&http.Request{Host: host})
		if e.WHIP == "" {
			return
		}
		for text, path := range map[string]string{e.WHIP: "/whip", e.Events: "/events"} {
			u, err := url.Parse(text)
			if err != nil || u.Host != host || u.Path != path || u.User != nil || u.RawQuery != "" || u.Fragment != "" || !isReachableOrWildcard(u) {
				t.Errorf("%q gives %q, %v", host, text, err)
			}
		}
		if strings.ContainsAny(host, "/\\@?#%\"'<> \r\n\t") {
			t.Errorf("%q is taken for a host", host)
		}
	})
}

// isReachableOrWildcard tells whether a port is one; a host of all addresses is
// useless, but no harm.
func isReachableOrWildcard(u *url.URL) bool {
	return isReachable(u) || u.Hostname() == "0.0.0.0" || strings.Trim(u.Hostname(), "0:.") == ""
}
