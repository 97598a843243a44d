package keyring

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// lookInterval is how old the last look at the file may be when a known key is
// asked for: how long a revoked key may go on.
const lookInterval = 250 * time.Millisecond

// Options are what a Book is opened with.
type Options struct {
	Path string       // of the file, "" for a book in memory
	Log  *slog.Logger // nil is silence
}

// Book finds access keys by their ids. It is safe for concurrent use.
type Book struct {
	path string
	log  *slog.Logger

	began  time.Time
	looked atomic.Int64 // when the file was last looked at, since began
	keys   atomic.Pointer[map[string]*Key]

	mu    sync.Mutex
	seen  fs.FileInfo // of the file as it was when it was last read; nil: none
	added []Key       // by Add
}

// Open opens the book of a file, which need not exist yet. A file that is not
// right, or that others than its owner can read, is an error.
func Open(o Options) (*Book, error) {
	b := &Book{path: o.Path, log: o.Log, began: time.Now()}
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}
	var keys []Key
	if b.path != "" {
		var err error
		if keys, b.seen, err = read(b.path); err != nil {
			return nil, err
		}
	}
	b.turn(keys)
	return b, nil
}

// Find gives the key with an id, whatever its state; nil if there is none. The
// key must not be changed. A change of the file shows after a quarter of a
// second, a key that was not there before at once.
func (b *Book) Find(id string) *Key {
	b.Refresh()
	k := (*b.keys.Load())[id]
	if k == nil && b.path != "" {
		b.look()
		k = (*b.keys.Load())[id]
	}
	return k
}

// Refresh looks whether the file has changed, unless that was done within the last
// quarter of a second. Find does so by itself; this is for whoever finds nothing
// and still wants the log to tell of a file that went bad.
func (b *Book) Refresh() {
	last, now := b.looked.Load(), int64(time.Since(b.began))
	if b.path != "" && now-last >= int64(lookInterval) && b.looked.CompareAndSwap(last, now) {
		b.look() // one of many who ask at this moment does
	}
}

// Add puts a key into the book and not into the file. It fails if the key is not
// right or its id is taken.
func (b *Book) Add(k Key) error {
	if err := k.compile(); err != nil {
		return fmt.Errorf("%s: %w", k, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	keys := *b.keys.Load()
	if keys[k.ID] != nil {
		return fmt.Errorf("%s is there already", k)
	}
	b.added = append(b.added, k)
	more := maps.Clone(keys)
	more[k.ID] = &k
	b.keys.Store(&more)
	return nil
}

// look reads the file again if it is another one than last time. A file that
// cannot be used changes nothing; it is reported once and looked at again when
// it has changed.
func (b *Book) look() {
	b.mu.Lock()
	defer b.mu.Unlock()
	info, err := os.Stat(b.path)
	switch {
	case err == nil && unchanged(b.seen, info), errors.Is(err, fs.ErrNotExist) && b.seen == nil:
		return
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return // the directory is out of reach for the moment
	}
	keys, seen, err := read(b.path)
	if err != nil && seen == nil {
		seen = info
	}
	b.seen = seen
	if err != nil {
		b.log.Error("the access keys have changed and cannot be used; those known before stay in force", "error", err)
		return
	}
	b.turn(keys)
	b.log.Info("the access keys have changed", "keys", len(keys))
}

// turn makes these the keys of the book, beside the added ones.
func (b *Book) turn(keys []Key) {
	all := make(map[string]*Key, len(keys)+len(b.added))
	for _, k := range slices.Concat(keys, b.added) {
		all[k.ID] = &k
	}
	b.keys.Store(&all)
}

// unchanged tells whether two looks found the same file. A file that was
// replaced is another one even if it has the same size and time.
func unchanged(a, b fs.FileInfo) bool {
	return a != nil && os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size() && a.Mode() == b.Mode()
}
