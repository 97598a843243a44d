package rehearsal

import (
	"encoding/binary"
	"math/rand/v2"
	"sync"
)

// Dice are loaded: they give the same bytes each time they are thrown anew. They
// are safe for concurrent use, and no good for secrets.
type Dice struct {
	seed [32]byte
	mu   sync.Mutex
	rng  *rand.ChaCha8
}

// NewDice makes dice; equal numbers give equal bytes.
func NewDice(number uint64) *Dice {
	d := new(Dice)
	binary.BigEndian.PutUint64(d.seed[:], number)
	d.Restart()
	return d
}

// Read fills b. It never fails.
func (d *Dice) Read(b []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rng.Read(b)
}

// Restart begins with the first byte again.
func (d *Dice) Restart() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rng = rand.NewChaCha8(d.seed)
}
