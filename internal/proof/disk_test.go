package proof

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// disk is what a recorded run has done to the files below one directory, and
// how much of it a cut of the power would leave.
//
// What was written to a file before a sync of it began, is there once that sync
// has returned. Of everything later any part may be there, in any order, and a
// write may be torn between sectors. That a file exists is known of its
// directory, which must be synced itself; until then the name may be there or
// not, whatever has been done to the file. No promise of a particular file
// system is relied on, such as that a sync of a new file syncs its name.
type disk struct {
	root  string
	files map[string]*file
	dirs  map[string]*entry
}

// file is a name and what is behind it.
type file struct {
	entry
	durable []byte
	pending []step
	order   []int // the step that each pending one was
}

// entry is a name in a directory: which of the states since the last sync of
// the directory it has after the cut, nobody knows.
type entry struct {
	there   []bool // the first is durable
	changed []int  // the step of each but the first
}

func newDisk(root string) *disk {
	return &disk{root: root, files: map[string]*file{}, dirs: map[string]*entry{}}
}

func (d *disk) file(path string) *file {
	if d.files[path] == nil {
		d.files[path] = &file{entry: entry{there: []bool{false}, changed: []int{-1}}}
	}
	return d.files[path]
}

// apply takes the step of a number.
func (d *disk) apply(no int, s step) {
	switch s.kind {
	case writes, truncates:
		f := d.file(s.path)
		f.pending, f.order = append(f.pending, s), append(f.order, no)
	case creates:
		f := d.file(s.path)
		f.there, f.changed = append(f.there, true), append(f.changed, no)
	case removes:
		// What comes under this name later is another file; since nothing of
		// the old one may be seen in it, its content goes with the name.
		f := d.file(s.path)
		f.there, f.changed = append(f.there, false), append(f.changed, no)
		f.pending, f.order = append(f.pending, step{kind: truncates}), append(f.order, no)
	case mkdirs:
		d.dirs[s.path] = &entry{there: []bool{false, true}, changed: []int{-1, no}}
	case syncs:
		d.sync(s.path, int(s.size))
	case fails:
		d.file(s.path).forget(int(s.size))
	}
}

// forget loses what was written before a step: a sync of it has failed, and no
// later one is about it, though whoever reads the file finds it there.
func (f *file) forget(before int) {
	var pending []step
	var order []int
	for i, s := range f.pending {
		if f.order[i] >= before || s.kind == truncates {
			pending, order = append(pending, s), append(order, f.order[i])
		}
	}
	f.pending, f.order = pending, order
}

// sync makes durable what was done to a path before a step.
func (d *disk) sync(path string, before int) {
	if f := d.files[path]; f != nil {
		n := 0
		for n < len(f.pending) && f.order[n] < before {
			f.durable = f.pending[n].on(f.durable, nil)
			n++
		}
		f.pending, f.order = f.pending[n:], f.order[n:]
		return
	}
	for name, f := range d.files {
		if filepath.Dir(name) == path {
			f.settle(before)
		}
	}
	for name, e := range d.dirs {
		if filepath.Dir(name) == path {
			e.settle(before)
		}
	}
}

func (e *entry) settle(before int) {
	for len(e.there) > 1 && e.changed[1] < before {
		e.there, e.changed = e.there[1:], e.changed[1:]
	}
}

// on gives content after a step. With a generator the step is torn: each of its
// sectors is there or not.
func (s step) on(content []byte, torn *rand.Rand) []byte {
	if s.kind == truncates {
		return resized(content, s.size)
	}
	sector := int64(len(s.data))
	if torn != nil {
		sector = []int64{512, 4096}[torn.IntN(2)]
	}
	for from := int64(0); from < int64(len(s.data)); from += sector {
		if torn != nil && torn.IntN(2) == 0 {
			continue
		}
		to := min(from+sector, int64(len(s.data)))
		content = resized(content, max(int64(len(content)), s.at+to))
		copy(content[s.at+from:], s.data[from:to])
	}
	return content
}

func resized(content []byte, size int64) []byte {
	if size <= int64(len(content)) {
		return content[:size:size]
	}
	return append(content, make([]byte, size-int64(len(content)))...)
}

// cut writes to a directory what may be left.
func (d *disk) cut(t *testing.T, rng *rand.Rand, to string) {
	t.Helper()
	gone := func(path string) bool {
		for name, e := range d.dirs {
			if (path == name || strings.HasPrefix(path, name+"/")) && !e.left(rng) {
				return true
			}
		}
		return false
	}
	lostDirs := map[string]bool{} // one decision for each directory
	for name := range d.dirs {
		lostDirs[name] = gone(name)
	}
	all := rng.IntN(8)
	for path, f := range d.files {
		if lostDirs[filepath.Dir(path)] {
			continue
		}
		there := f.left(rng)
		if all == 0 {
			there = f.there[0]
		} else if all == 1 {
			there = f.there[len(f.there)-1]
		}
		if !there {
			continue
		}
		content := append([]byte(nil), f.durable...)
		if all != 0 {
			content = f.remains(content, rng, all)
		}
		if strings.HasSuffix(path, "-shm") { // shared memory is whatever it is
			content = make([]byte, 32<<10)
			for i := range content {
				content[i] = byte(rng.Uint32())
			}
		}
		name := filepath.Join(to, strings.TrimPrefix(path, d.root))
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// left says whether a name is there after the cut.
func (e *entry) left(rng *rand.Rand) bool { return e.there[rng.IntN(len(e.there))] }

// remains adds what has reached the disk without being told to.
func (f *file) remains(content []byte, rng *rand.Rand, all int) []byte {
	pending := append([]step(nil), f.pending...)
	if all > 4 {
		rng.Shuffle(len(pending), func(i, j int) { pending[i], pending[j] = pending[j], pending[i] })
	}
	kept := rng.IntN(101) // of a hundred
	if all == 1 {
		kept = 100
	}
	for _, s := range pending {
		switch {
		case rng.IntN(100) >= kept:
		case all > 1 && rng.IntN(6) == 0:
			content = s.on(content, rng)
		default:
			content = s.on(content, nil)
		}
	}
	return content
}
