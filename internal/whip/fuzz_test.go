package whip

import (
	"strings"
	"testing"
)

func FuzzLocate(f *testing.F) {
	for _, path := range []string{"", "/", "/publish/abc", "/subscribe/abc", "/sessions/abc", "//", "/sessions/a/b", "/sessions/a/layer", "/sessions//layer", "x"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		place, id := locate(path)
		if strings.Contains(id, "/") || place == nowhere && id != "" || (place == subscribe || place == session || place == layer) && id == "" {
			t.Errorf("%q is place %d, id %q", path, place, id)
		}
	})
}

func FuzzReadChoice(f *testing.F) {
	for _, body := range []string{`{"layer":"hi"}`, `{"layer":"auto","video":true}`, `{"video":false}`, `{}`, `null`, `[`, `{"layer":null}`} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		if c, err := readChoice(body); err == nil && c.Layer == nil && c.Video == nil {
			t.Errorf("%q chooses nothing", body)
		}
	})
}

func FuzzMatches(f *testing.F) {
	for _, condition := range []string{`"abc"`, `"x", "abc"`, "*", `"*"`, `W/"abc"`, "", ",", `abc`} {
		f.Add(condition, "abc")
	}
	f.Fuzz(func(t *testing.T, condition, etag string) {
		if matches(condition, etag) && !strings.Contains(condition, "*") && !strings.Contains(condition, quote(etag)) {
			t.Errorf("%q matches %q", condition, etag)
		}
	})
}

func FuzzAllowedHeaders(f *testing.F) {
	f.Add("authorization,content-type,x-stages-sdk")
	f.Add("a\r\nSet-Cookie: b")
	f.Add(strings.Repeat("x,", 1000))
	f.Fuzz(func(t *testing.T, requested string) {
		allowed := allowedHeaders(requested)
		if strings.ContainsAny(allowed, "\r\n\x00:;") || len(allowed) > 64*66 {
			t.Errorf("%q would be allowed", allowed)
		}
	})
}
