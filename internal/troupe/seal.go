package troupe

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// sealHeader carries the proof that a request comes from a process of the troupe.
const sealHeader = "Callboard-Peer"

// sealWindow is how far the clocks of two processes may be apart.
const sealWindow = 30 * time.Second

var (
	errUnsealed = errors.New("the request is not from a process of this troupe")
	errStale    = errors.New("the request was made too long ago, or the clocks of the two machines are too far apart")
	errReplayed = errors.New("the request has been seen before")
	errAstray   = errors.New("the request is meant for another process")
)

// seal proves to the other processes who speaks, by a secret that all of them have. A
// proof is good for one request to one process: method, path and query, for a
// short time, once.
type seal struct {
	secret []byte
	now    func() time.Time

	mu         sync.Mutex
	young, old map[string]struct{} // nonces, by the window they came in
	turned     time.Time
}

func newSeal(secret []byte) *seal {
	return &seal{secret: secret, now: time.Now, young: map[string]struct{}{}, old: map[string]struct{}{}}
}

// proof is the value of the header for a request to path, which begins with /peer/ and has its query.
func (s *seal) proof(method, path, from, to string) string {
	at := strconv.FormatInt(s.now().UnixMilli(), 10)
	nonce := rand.Text()
	return strings.Join([]string{from, to, at, nonce, s.mac(method, path, from, to, at, nonce)}, " ")
}

func (s *seal) mac(parts ...string) string {
	h := hmac.New(sha256.New, s.secret)
	h.Write([]byte("callboard peer 1"))
	for _, part := range parts {
		h.Write([]byte{'\n'})
		h.Write([]byte(part))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// check gives the process that a request to me comes from.
func (s *seal) check(r *http.Request, me string) (from string, err error) {
	parts := strings.Split(r.Header.Get(sealHeader), " ")
	if len(parts) != 5 || len(r.Header.Values(sealHeader)) != 1 {
		return "", errUnsealed
	}
	from, to, at, nonce, mac := parts[0], parts[1], parts[2], parts[3], parts[4]
	if !hmac.Equal([]byte(mac), []byte(s.mac(r.Method, pathOf(r), from, to, at, nonce))) {
		return "", errUnsealed
	}
	ms, err := strconv.ParseInt(at, 10, 64)
	if err != nil {
		return "", errUnsealed
	}
	if age := s.now().Sub(time.UnixMilli(ms)); age > sealWindow || age < -sealWindow {
		return "", errStale
	}
	if to != me {
		return "", errAstray
	}
	if !s.fresh(nonce) {
		return "", errReplayed
	}
	return from, nil
}

// fresh tells whether a nonce comes for the first time. Only what was proved to
// come from the troupe is kept, for as long as it could be repeated.
func (s *seal) fresh(nonce string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.now(); now.Sub(s.turned) > 2*sealWindow {
		s.old, s.young, s.turned = s.young, map[string]struct{}{}, now
	}
	_, young := s.young[nonce]
	_, old := s.old[nonce]
	s.young[nonce] = struct{}{}
	return !young && !old
}

func pathOf(r *http.Request) string {
	if r.URL.RawQuery == "" {
		return r.URL.Path
	}
	return r.URL.Path + "?" + r.URL.RawQuery
}
