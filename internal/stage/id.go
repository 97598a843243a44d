package stage

import (
	"io"
	"sync"

	"github.com/google/uuid"
)

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// lottery draws every id of the domain from one source, one after another.
type lottery struct {
	mu     sync.Mutex
	source io.Reader
}

// randomID gives n characters of [A-Za-z0-9], each equally likely.
func (l *lottery) randomID(n int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	id := make([]byte, 0, n)
	var buf [32]byte
	for len(id) < n {
		_, err := io.ReadFull(l.source, buf[:])
		mustDraw(err)
		for _, b := range buf {
			// 248 is the largest multiple of 62 in a byte; the rest would favour the first letters.
			if b < 248 && len(id) < n {
				id = append(id, base62[b%62])
			}
		}
	}
	return string(id)
}

// randomUUID gives a UUID of version 4.
func (l *lottery) randomUUID() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	id, err := uuid.NewRandomFromReader(l.source)
	mustDraw(err)
	return id.String()
}

// mustDraw ends the request when there are no random numbers: an id of zeros
// would be everybody's.
func mustDraw(err error) {
	if err != nil {
		panic("stage: no random numbers: " + err.Error())
	}
}
