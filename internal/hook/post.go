package hook

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

const (
	// maxAnswer is how much of an answer is read, so that the connection can be
	// used again; nobody looks at it.
	maxAnswer = 64 << 10
	// maxAfter bounds how long a receiver can ask to be left alone.
	maxAfter = time.Hour
)

// outcome is what came of one attempt.
type outcome struct {
	delivered bool
	gone      bool          // the receiver wants nothing any more
	after     time.Duration // it asks to be left alone for this long
	reason    string        // why it was not delivered: never a word of the receiver's
}

// transport makes the connections of hooks. Those made through the API go
// nowhere that check refuses, whatever names resolve to by then.
func transport(check *guard) *http.Transport {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	if check != nil {
		dialer.Control = check.control
	}
	return &http.Transport{
		DialContext:            dialer.DialContext,
		TLSHandshakeTimeout:    10 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		MaxIdleConns:           100,
		MaxIdleConnsPerHost:    parallel,
		IdleConnTimeout:        90 * time.Second,
		ForceAttemptHTTP2:      true,
	}
}

func client(t http.RoundTripper) *http.Client {
	return &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// post makes one attempt.
func (c *Courier) post(ctx context.Context, h *Hook, no int64, id string, body []byte) outcome {
	ctx, cancel := context.WithTimeout(ctx, c.o.Timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, h.URL, bytes.NewReader(body))
	if err != nil {
		return outcome{reason: "the URL is none"}
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "Callboard")
	r.Header.Set("Callboard-Event-Number", strconv.FormatInt(no, 10)) // by which it can be asked for again
	now := c.o.Now()
	if err := sign(r.Header, h.secrets, id, now, body); err != nil {
		return outcome{reason: "the secret cannot be read"}
	}
	free := c.guarded
	if h.Configured {
		free = c.open
	}
	answer, err := free.Do(r)
	if err != nil {
		return outcome{reason: unreachable(err)}
	}
	defer answer.Body.Close()
	io.Copy(io.Discard, io.LimitReader(answer.Body, maxAnswer)) // a receiver that breaks off has still answered
	return judge(answer, now)
}

// judge says what an answer means. Anything but success is tried again.
func judge(a *http.Response, now time.Time) outcome {
	o := outcome{delivered: a.StatusCode/100 == 2, gone: a.StatusCode == http.StatusGone}
	if o.delivered {
		return o
	}
	o.reason = "status " + strconv.Itoa(a.StatusCode)
	if a.StatusCode == http.StatusTooManyRequests || a.StatusCode == http.StatusServiceUnavailable {
		o.after = retryAfter(a.Header.Get("Retry-After"), now)
	}
	return o
}

// retryAfter reads the header of RFC 9110, section 10.2.3: seconds or a date.
func retryAfter(text string, now time.Time) time.Duration {
	if n, err := strconv.ParseUint(text, 10, 31); err == nil {
		return min(time.Duration(n)*time.Second, maxAfter)
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, min(at.Sub(now), maxAfter))
	}
	return 0
}

// unreachable says why nobody answered, without the URL, which may hold a secret.
func unreachable(err error) string {
	if inside, ok := errors.AsType[*url.Error](err); ok {
		if inside.Timeout() {
			return "no answer in time"
		}
		err = inside.Err
	}
	switch text := err.Error(); {
	case errors.Is(err, errInner):
		return errInner.Error()
	case errors.Is(err, context.Canceled):
		return "the server stopped"
	case len(text) > 200:
		return text[:200]
	default:
		return text
	}
}
