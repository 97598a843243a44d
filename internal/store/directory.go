package store

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// createDirectory makes the directory the database is in, for its owner only,
// such that a cut of the power does not take it away again with all that is in
// it. One that exists is left as it is.
func createDirectory(path string) error {
	dir := filepath.Dir(path)
	missing := []string{} // the deepest first
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Stat(at); err == nil || at == filepath.Dir(at) {
			break
		}
		missing = append(missing, at)
	}
	if len(missing) == 0 {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("create the database's directory: %w", err)
	}
	for _, made := range missing {
		if err := syncDirectory(filepath.Dir(made)); err != nil {
			return fmt.Errorf("create the database's directory: %w", err)
		}
	}
	return os.Chmod(dir, 0o700)
}

// syncDirectory makes the names in a directory durable, where a system knows
// how: a file that is synced may still lose its name.
func syncDirectory(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if closed := d.Close(); err == nil {
		err = closed
	}
	return err
}
