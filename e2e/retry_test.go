//go:build e2e

package e2e

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
)

// moody stands before a board and answers the first requests itself, in the
// form in which the board would.
type moody struct {
	*httptest.Server
	asked atomic.Int32
}

func newMoody(t *testing.T, b *board, failures int32, status int, code, message string) *moody {
	t.Helper()
	target, err := url.Parse(b.url)
	must(t, err)
	m := new(moody)
	proxy := httputil.NewSingleHostReverseProxy(target) // keeps the Host that was signed
	m.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if m.asked.Add(1) > failures {
			proxy.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Amzn-ErrorType", code)
		w.Header().Set("X-Amzn-RequestId", "00000000-0000-0000-0000-000000000000")
		w.WriteHeader(status)
		io.WriteString(w, `{"message":"`+message+`","exceptionMessage":"`+message+`"}`)
	}))
	t.Cleanup(m.Close)
	return m
}

// TestEverySDKTriesAgainWhatMayPassAndNothingElse counts how often each SDK asks
// when it is left to its own policy.
func TestEverySDKTriesAgainWhatMayPassAndNothingElse(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	for name, open := range map[string]func(*testing.T) driver{
		"go": func(*testing.T) driver { return goSDK{} },
		"js": newJavaScript,
		"py": newBoto3,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t)
			for _, c := range []struct {
				status   int
				code     string
				failures int32
				asked    int32
			}{
				{http.StatusTooManyRequests, "ThrottlingException", 1, 2},
				{http.StatusInternalServerError, "InternalServerException", 1, 2},
				{http.StatusServiceUnavailable, "ServiceUnavailableException", 1, 2},
				{http.StatusPaymentRequired, "ServiceQuotaExceededException", 100, 1},
				{http.StatusForbidden, "AccessDeniedException", 100, 1},
				{http.StatusConflict, "ConflictException", 100, 1},
				{http.StatusRequestEntityTooLarge, "RequestEntityTooLargeException", 100, 1},
				{http.StatusNotImplemented, "OperationNotSupportedException", 100, 1},
			} {
				m := newMoody(t, b, c.failures, c.status, c.code, "just so")
				got := d.carryOut(t, order{Endpoint: m.URL, ID: b.id, Secret: b.secret, Region: region, Operation: "CreateStage", Input: map[string]any{}})
				equal(t, c.code+": requests", m.asked.Load(), c.asked)
				if passed := c.failures == 1; passed != (got.Error == nil) {
					t.Errorf("%s: it came to %s", c.code, text(got))
				} else if !passed {
					equal(t, c.code+": what is told", []any{got.Error.Code, got.Error.Status, got.Error.Message}, []any{c.code, c.status, "just so"})
				}
			}
		})
	}
}
