package api

import (
	"net/http/httptest"
	"net/netip"
	"testing"
)

var believed = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}

func TestTheOriginIsWhatTheLastProxySaysThatIsBelieved(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		peer, forwarded, want string
	}{
		{"198.51.100.7:1234", "", "198.51.100.7"},
		{"198.51.100.7:1234", "203.0.113.9", "198.51.100.7"}, // anybody can say that
		{"10.0.0.1:1234", "", "10.0.0.1"},
		{"10.0.0.1:1234", "203.0.113.9", "203.0.113.9"},
		{"10.0.0.1:1234", "8.8.8.8, 203.0.113.9", "203.0.113.9"},
		{"10.0.0.1:1234", "8.8.8.8, 203.0.113.9,10.0.0.2 ", "203.0.113.9"},
		{"10.0.0.1:1234", "10.0.0.3, 10.0.0.2", "10.0.0.3"},
		{"10.0.0.1:1234", "203.0.113.9, unknown", "10.0.0.1"},
		{"10.0.0.1:1234", "203.0.113.9:4711", "203.0.113.9"},
		{"10.0.0.1:1234", "[2001:db8::7]:4711", "2001:db8::7"},
		{"[2001:db8::1]:80", "[2001:db9::7]", "2001:db9::7"},
		{"[::ffff:10.0.0.1]:80", "::ffff:203.0.113.9", "203.0.113.9"},
		{"[fe80::1%eth0]:80", "203.0.113.9", "fe80::1"},
		{"@", "203.0.113.9", ""},
	} {
		r := httptest.NewRequest("POST", "/", nil)
		r.RemoteAddr = c.peer
		if c.forwarded != "" {
			r.Header.Set("X-Forwarded-For", c.forwarded)
		}
		if got := origin(r, believed); got != c.want {
			t.Errorf("%s with %q: %s, want %s", c.peer, c.forwarded, got, c.want)
		}
	}
	r := httptest.NewRequest("POST", "/", nil)
	r.RemoteAddr = "10.0.0.1:80"
	r.Header["X-Forwarded-For"] = []string{"8.8.8.8", "203.0.113.9, 10.0.0.2"}
	if got := origin(r, believed); got != "203.0.113.9" {
		t.Errorf("with two headers: %s", got)
	}
}

func FuzzOrigin(f *testing.F) {
	f.Add("203.0.113.9, 10.0.0.2")
	f.Add("[::1]:x,,")
	f.Fuzz(func(t *testing.T, forwarded string) {
		r := httptest.NewRequest("POST", "/", nil)
		r.Header["X-Forwarded-For"] = []string{forwarded}
		r.RemoteAddr = "10.0.0.1:80"
		if _, err := netip.ParseAddr(origin(r, believed)); err != nil {
			t.Error(err)
		}
		r.RemoteAddr = "198.51.100.7:80"
		if got := origin(r, believed); got != "198.51.100.7" {
			t.Errorf("a stranger says he is %s", got)
		}
	})
}
