package stage

import (
	"crypto/rand"
)

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// randomID gives n characters of [A-Za-z0-9], each equally likely.
func randomID(n int) string {
	id := make([]byte, 0, n)
	var buf [32]byte
	for len(id) < n {
		rand.Read(buf[:]) // never fails: crypto/rand aborts the program instead
		for _, b := range buf {
			// 248 is the largest multiple of 62 in a byte; the rest would favour the first letters.
			if b < 248 && len(id) < n {
				id = append(id, base62[b%62])
			}
		}
	}
	return string(id)
}
