package server

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
)

func TestCredentialsAreMadeOnceHoweverManyAskAtTheSameMoment(t *testing.T) {
	t.Parallel()
	c := Default()
	c.Data = filepath.Join(t.TempDir(), "data")
	var all [8]Credentials
	var wg sync.WaitGroup
	for i := range all {
		wg.Go(func() {
			got, err := c.Credentials()
			if err != nil {
				t.Error(err)
			}
			all[i] = got
		})
	}
	wg.Wait()
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
	if _, err := c.Credentials(); err != nil {
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
		_, err := c.Credentials()
		wantError(t, err, "credentials.json")
	}
}

func TestGivenCredentialsTouchNoFile(t *testing.T) {
	t.Parallel()
	c := Default()
	c.Data = filepath.Join(t.TempDir(), "data")
	c.AccessKeyID, c.SecretAccessKey = "AKIA1234", "12345678"
	got, err := c.Credentials()
	if err != nil || got != (Credentials{"AKIA1234", "12345678"}) {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := os.Stat(c.Data); !os.IsNotExist(err) {
		t.Errorf("the data directory exists: %v", err)
	}
}
