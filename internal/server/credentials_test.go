package server

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
)

func TestCredentialsAreMadeOnceHoweverManyAskAtTheSameMoment(t *testing.T) {
	t.Parallel()
	c := Default()
	c.Data = filepath.Join(t.TempDir(), "data")
	var all [8]Credentials
	var wg sync.WaitGroup
	var makers atomic.Int32
	for i := range all {
		wg.Go(func() {
			got, made, err := c.Credentials()
			if err != nil {
				t.Error(err)
			}
			all[i] = got
			if made {
				makers.Add(1)
			}
		})
	}
	wg.Wait()
	if n := makers.Load(); n != 1 {
		t.Errorf("%d of them say that they made the credentials", n)
	}
	for _, got := range all {
		if got != all[0] || len(got.AccessKeyID) != 20 || len(got.SecretAccessKey) != 40 {
			t.Errorf("got different credentials, or of wrong length (%d, %d)", len(got.AccessKeyID), len(got.SecretAccessKey))
		}
	}
	entries, _ := os.ReadDir(c.Data)
	if len(entries) != 1 {
		t.Errorf("%d files are left, want only credentials.json", len(entries))
	}
}

func TestOnlyTheOwnerCanReadTheCredentials(t *testing.T) {
	t.Parallel()
	c := Default()
	c.Data = filepath.Join(t.TempDir(), "data")
	if _, _, err := c.Credentials(); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]os.FileMode{c.Data: 0o700, filepath.Join(c.Data, "credentials.json"): 0o600} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has mode %v (%v), want %v", path, info.Mode().Perm(), err, want)
		}
	}
}

func TestDamagedCredentialsAreReportedNotReplaced(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "{", "{}", `{"accessKeyId":"AKIA1234","secretAccessKey":""}`} {
		c := Default()
		c.Data = t.TempDir()
		if err := os.WriteFile(filepath.Join(c.Data, "credentials.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, _, err := c.Credentials()
		wantError(t, err, "credentials.json")
	}
}

func TestGivenCredentialsTouchNoFile(t *testing.T) {
	t.Parallel()
	c := Default()
	c.Data = filepath.Join(t.TempDir(), "data")
	c.AccessKeyID, c.SecretAccessKey = "AKIA1234", "12345678"
	got, made, err := c.Credentials()
	if err != nil || made || got != (Credentials{"AKIA1234", "12345678"}) {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := os.Stat(c.Data); !os.IsNotExist(err) {
		t.Errorf("the data directory exists: %v", err)
	}
}

func TestCredentialsAreKeptWhereAFileCannotBeLinked(t *testing.T) {
	t.Parallel()
	elsewhere, err := os.MkdirTemp("/dev/shm", "callboard") // usually another file system, where no link leads
	if err != nil {
		t.Skip(err)
	}
	defer os.RemoveAll(elsewhere)
	path := filepath.Join(t.TempDir(), "credentials.json")
	want := newCredentials()
	if err := placeCredentials(elsewhere, path, want); err != nil {
		t.Fatal(err)
	}
	if got, err := readCredentials(path); err != nil || got != want {
		t.Errorf("kept is %v, %v", got == want, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v", info, err)
	}
	if err := placeCredentials(elsewhere, path, newCredentials()); !errors.Is(err, fs.ErrExist) {
		t.Errorf("the second file is refused with %v", err)
	}
}
