package keyring

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// How long the record of an ended key is kept. Temporary ones are many.
const (
	keepEnded     = 90 * 24 * time.Hour
	keepTemporary = 24 * time.Hour
)

// lockPatience is how long a command waits for another one.
const lockPatience = 10 * time.Second

// Read reads the keys in a file, in the order in which they were made; a file
// that does not exist holds none. It is an error if anybody but the owner can
// read the file.
func Read(path string) ([]Key, error) {
	keys, _, err := read(path)
	return keys, err
}

func read(path string) ([]Key, fs.FileInfo, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("the access keys cannot be read: %w", err)
	}
	defer f.Close()
	info, err := f.Stat() // of what is read, even if another file has taken its name meanwhile
	if err != nil {
		return nil, nil, fmt.Errorf("the access keys cannot be read: %w", err)
	}
	if err := private(path, info); err != nil {
		return nil, info, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, info, fmt.Errorf("the access keys cannot be read: %w", err)
	}
	keys, err := parse(path, data)
	return keys, info, err
}

// Change reads the keys of a file, has change work on them and writes what it
// returns, all before any other Change of the file begins. When it returns
// without an error the change is durable. An error of change leaves the file as
// it was, and so does a change that Read would not read.
//
// Keys that ended long ago are forgotten on the way, and others that have ended
// where there is no room for them.
func Change(ctx context.Context, path string, now time.Time, change func([]Key) ([]Key, error)) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("the directory of the access keys cannot be made: %w", err)
	}
	unlock, err := lock(ctx, path+".lock")
	if err != nil {
		return fmt.Errorf("the access keys cannot be changed: %w", err)
	}
	defer unlock()
	keys, err := Read(path)
	if err != nil {
		return err
	}
	if keys, err = change(keys); err != nil {
		return err
	}
	keys = slices.DeleteFunc(keys, func(k Key) bool { return k.forgettable(now) })
	data, err := fit(keys, now)
	if errors.Is(err, errFull) {
		return err
	}
	if err == nil {
		_, err = parse(path, data) // a file that nobody can read would end all keys at the next start
	}
	if err == nil {
		err = replace(path, data)
	}
	if err != nil {
		return fmt.Errorf("the access keys cannot be written: %w", err)
	}
	return nil
}

func (k *Key) forgettable(now time.Time) bool {
	keep := keepEnded
	if k.Temporary() {
		keep = keepTemporary
	}
	ended := k.Ended()
	return !ended.IsZero() && ended.Add(keep).Before(now)
}

// fit gives the file that holds the keys. Where there is no room for all of them
// those that have ended go, in the order of expendable.
func fit(keys []Key, now time.Time) ([]byte, error) {
	count, size := len(keys), 0
	sizes, gone := make(map[string]int, count), make(map[string]bool)
	for _, k := range keys {
		alone, err := format([]Key{k}) // a little more than its part of the whole
		if err != nil {
			return nil, err
		}
		sizes[k.ID] = len(alone)
		size += len(alone)
	}
	for _, k := range expendable(keys, now) {
		if count <= maxKeys && size <= maxFile {
			break
		}
		gone[k.ID] = true
		count, size = count-1, size-sizes[k.ID]
	}
	if count > maxKeys {
		return nil, errFull
	}
	return format(slices.DeleteFunc(keys, func(k Key) bool { return gone[k.ID] }))
}

// expendable are the keys that have ended: first the temporary ones, which nobody
// looks for, and among the like of each other the oldest first.
func expendable(keys []Key, now time.Time) []Key {
	ended := slices.DeleteFunc(slices.Clone(keys), func(k Key) bool { return k.State(now) == "active" })
	rank := func(k *Key) int {
		if k.Temporary() {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(ended, func(a, b Key) int {
		return cmp.Or(cmp.Compare(rank(&a), rank(&b)), a.Ended().Compare(b.Ended()))
	})
	return ended
}

// replace puts a new file in the place of the old one. Whoever reads sees the
// one or the other, whole, and so does the next start after a crash.
func replace(path string, data []byte) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "keys-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if err = errors.Join(err, giveToOwner(f, dir), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

// lock takes the lock of a file, which ends with the process at the latest.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := giveToOwner(f, filepath.Dir(path)); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	ctx, cancel := context.WithTimeoutCause(ctx, lockPatience, fmt.Errorf("another command has been changing them for %v", lockPatience))
	defer cancel()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		taken, err := tryLock(f)
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		if taken {
			return func() { f.Close() }, nil // which gives the lock back
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return nil, errors.Join(context.Cause(ctx), f.Close())
		}
	}
}
