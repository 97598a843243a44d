package bucket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// directory is a place whose buckets are its subdirectories.
type directory string

func openDirectory(path string) (directory, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.IsDir() {
		return "", fmt.Errorf("%s is no directory", path)
	}
	return directory(path), nil
}

func (d directory) Probe(ctx context.Context, bucket string) error {
	if err := checkName(bucket); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	path := filepath.Join(string(d), bucket)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir() {
		return ErrMissing
	}
	if err == nil {
		err = tryFile(path)
	}
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return fmt.Errorf("%w: %w", ErrDenied, err)
	}
	return err
}

// tryFile makes a file with something in it and removes it.
func tryFile(dir string) error {
	f, err := os.CreateTemp(dir, ".callboard-probe-*")
	if err != nil {
		return err
	}
	_, err = f.WriteString(probe)
	return errors.Join(err, f.Close(), os.Remove(f.Name()))
}
