package bucket

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func mustOpen(t testing.TB, o Options) Buckets {
	t.Helper()
	b, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func mkdir(t testing.TB, path string) {
	t.Helper()
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
}

func TestADirectoryInThePlaceIsABucketAndStaysAsItWas(t *testing.T) {
	t.Parallel()
	place := t.TempDir()
	mkdir(t, filepath.Join(place, "my-bucket"))
	if err := mustOpen(t, Options{Location: place}).Probe(t.Context(), "my-bucket"); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(filepath.Join(place, "my-bucket")); err != nil || len(left) > 0 {
		t.Errorf("the probe left %v, %v", left, err)
	}
}

func TestWhatIsNoDirectoryInThePlaceIsMissing(t *testing.T) {
	t.Parallel()
	place := filepath.Join(t.TempDir(), "place")
	mkdir(t, place)
	mkdir(t, filepath.Join(place, "bucket"))
	mkdir(t, filepath.Join(place, "bucket", "inner"))
	mkdir(t, place+"-beside")
	mkdir(t, filepath.Join(place, "...")) // exists, but no bucket may be called that
	if err := os.WriteFile(filepath.Join(place, "a-file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	b := mustOpen(t, Options{Location: place})
	for _, bucket := range []string{
		"", ".", "..", "...", "nothing", "a-file", "../place-beside", "..\\place-beside", "bucket/inner", "bucket/../bucket", "/bucket", "bucket/",
		"place-beside/..", "BUCKET", "bu..cket", ".bucket", "bucket.", "bucket\x00", "ab", strings.Repeat("a", 64), "con\n",
	} {
		if err := b.Probe(t.Context(), bucket); !errors.Is(err, ErrMissing) {
			t.Errorf("%q: %v", bucket, err)
		}
	}
}

func TestABucketThatMayNotBeWrittenToIsDenied(t *testing.T) {
	t.Parallel()
	place, bucket := t.TempDir(), "locked"
	path := filepath.Join(place, bucket)
	switch {
	case runtime.GOOS == "windows":
		t.Skip("directories of Windows are locked in other ways")
	case os.Geteuid() != 0:
		mkdir(t, path)
		if err := os.Chmod(path, 0o500); err != nil {
			t.Fatal(err)
		}
	case runtime.GOOS == "linux": // where the superuser may not write everywhere either
		place, bucket = "/sys", "kernel"
	default:
		t.Skip("the superuser may write everywhere")
	}
	if err := mustOpen(t, Options{Location: place}).Probe(t.Context(), bucket); !errors.Is(err, ErrDenied) {
		t.Errorf("got %v", err)
	}
}

func TestNothingIsProbedForWhoHasGone(t *testing.T) {
	t.Parallel()
	place := t.TempDir()
	mkdir(t, filepath.Join(place, "bucket"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := mustOpen(t, Options{Location: place}).Probe(ctx, "bucket"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestAPlaceMustBeThere(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, location := range []string{
		file, filepath.Join(t.TempDir(), "missing"),
		"http://", "https://:9000", "https://key:secret@host/", "https://host/path", "https://host/?regoin=x", "https://host/#x", "http://[::1", "https://host:port/",
	} {
		_, err := Open(Options{Location: location})
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", location, err)
		}
	}
}

// Whatever a stranger calls a bucket, it lies in the place or does not exist.
func FuzzNoNameLeadsOutOfThePlace(f *testing.F) {
	place := filepath.Join(f.TempDir(), "place")
	mkdir(f, place)
	for _, dir := range []string{"bucket", "b-2"} {
		mkdir(f, filepath.Join(place, dir))
	}
	b := mustOpen(f, Options{Location: place})
	for _, seed := range []string{"bucket", "..", "../place", "a/b", "bucket/..", "b-2\x00", "./bucket", "..."} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, bucket string) {
		err := b.Probe(t.Context(), bucket)
		if known := bucket == "bucket" || bucket == "b-2"; known != (err == nil) {
			t.Errorf("%q: %v", bucket, err)
		}
	})
}
