package lobby

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func get(l *Lobby, method, path string, header ...string) *http.Response {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	l.ServeHTTP(w, r)
	return w.Result()
}

func TestThePageAndWhatItNeedsAreServed(t *testing.T) {
	l := New()
	paths := map[string]string{
		"/join": "text/html", "/join/join.js": "text/javascript", "/join/join.css": "text/css",
		"/sdk/stage.js": "text/javascript", "/sdk/stage.d.ts": "text/plain",
	}
	for path, kind := range paths {
		resp := get(l, http.MethodGet, path)
		if resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Content-Type"), kind) {
			t.Errorf("%s: %s, %s", path, resp.Status, resp.Header.Get("Content-Type"))
		}
	}
	if resp := get(l, http.MethodGet, "/join/nothing"); resp.StatusCode != http.StatusNotFound {
		t.Errorf("what is not there: %s", resp.Status)
	}
	if resp := get(l, http.MethodPost, "/join"); resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %s", resp.Status)
	}
}

func TestEveryImportLeadsToAFile(t *testing.T) {
	l := New()
	imported := regexp.MustCompile(`from "\.{1,2}/([^"]+)"`)
	for path, f := range l.files {
		if !strings.HasSuffix(path, ".js") {
			continue
		}
		for _, found := range imported.FindAllStringSubmatch(string(f.body), -1) {
			to := "/sdk/" + found[1]
			if strings.HasPrefix(path, "/join/") {
				to = "/join/" + found[1]
			}
			if strings.HasPrefix(found[1], "sdk/") {
				to = "/" + found[1]
			}
			if _, ok := l.files[to]; !ok {
				t.Errorf("%s imports %s, which is not served", path, to)
			}
		}
	}
}

func TestOnlyTheModuleIsForOtherOriginsAndOnlyThePageHasTheCamera(t *testing.T) {
	l := New()
	if open := get(l, http.MethodGet, "/sdk/stage.js").Header.Get("Access-Control-Allow-Origin"); open != "*" {
		t.Errorf("the module is open to %q", open)
	}
	page := get(l, http.MethodGet, "/join").Header
	if open := page.Get("Access-Control-Allow-Origin"); open != "" {
		t.Errorf("the page is open to %q", open)
	}
	if csp := page.Get("Content-Security-Policy"); !strings.Contains(csp, "frame-ancestors 'none'") || !strings.Contains(csp, "script-src 'self'") {
		t.Errorf("the page's policy is %q", csp)
	}
}

func TestAFileThatIsKnownIsNotSentAgain(t *testing.T) {
	l := New()
	etag := get(l, http.MethodGet, "/join").Header.Get("ETag")
	if resp := get(l, http.MethodGet, "/join", "If-None-Match", etag); resp.StatusCode != http.StatusNotModified {
		t.Errorf("the same file again: %s", resp.Status)
	}
}
