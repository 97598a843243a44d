package token

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"sync"
)

// Known remembers signatures that hold. Whoever publishes, subscribes to others and listens for events shows the
// same token each time, and a signature takes a thousand times as long to verify as to be recognised. The zero value
// is ready; it is safe for concurrent use, and bounded.
type Known struct {
	mu         sync.Mutex
	young, old map[digest]struct{}
}

// digest is of a token and the key that signed it: with another key it is another one.
type digest [sha256.Size]byte

// maxKnown signatures are remembered for sure, twice as many at most.
const maxKnown = 1 << 14

// Verify is [Token.Verify], at once for a token that is known.
func (k *Known) Verify(t *Token, pub *ecdsa.PublicKey) error {
	d, err := digestOf(t.text, pub)
	if err != nil {
		return ErrSignature
	}
	if k.knows(d) {
		return nil
	}
	if err := t.Verify(pub); err != nil {
		return err
	}
	k.learn(d)
	return nil
}

// Learn takes note of a token that was signed just now, by the private key of pub.
func (k *Known) Learn(text string, pub *ecdsa.PublicKey) {
	if d, err := digestOf(text, pub); err == nil {
		k.learn(d)
	}
}

func digestOf(text string, pub *ecdsa.PublicKey) (d digest, err error) {
	if pub == nil || !onCurve(pub) {
		return d, ErrSignature
	}
	key, err := pub.Bytes() // always as long, so where the token begins is no question
	if err != nil {
		return d, err
	}
	return sha256.Sum256(append(key, text...)), nil
}

// knows tells whether d is known, and keeps what is asked for.
func (k *Known) knows(d digest) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, ok := k.young[d]; ok {
		return true
	}
	_, ok := k.old[d]
	if ok {
		k.add(d)
	}
	return ok
}

func (k *Known) learn(d digest) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.add(d)
}

// add forgets the older half when there is no room. k.mu is held.
func (k *Known) add(d digest) {
	if k.young == nil || len(k.young) == maxKnown {
		k.young, k.old = map[digest]struct{}{}, k.young
	}
	k.young[d] = struct{}{}
}
