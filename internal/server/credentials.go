package server

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Credentials sign requests to the API.
type Credentials struct {
	AccessKeyID     string `json:"accessKeyId"`
	SecretAccessKey string `json:"secretAccessKey"`
}

// Credentials gives the pair that a server with this configuration accepts: the
// configured one, or the one in the data directory, which is made if there is
// none; made tells that it was. With data in memory each call makes a new pair.
func (c *Config) Credentials() (pair Credentials, made bool, err error) {
	switch {
	case c.AccessKeyID != "":
		return Credentials{c.AccessKeyID, c.SecretAccessKey}, false, nil
	case c.Dev:
		return Credentials{c.Account, "anything-will-do"}, false, nil
	case c.Data == Memory:
		return newCredentials(), true, nil
	}
	return keptCredentials(c.Directory())
}

// RootKeyID is the access key id of the pair that [Config.Credentials] gives, as
// far as it is known without making one.
func (c *Config) RootKeyID() (id string, ok bool) {
	if c.AccessKeyID != "" {
		return c.AccessKeyID, true
	}
	if c.Data == Memory {
		return "", false
	}
	kept, err := readCredentials(filepath.Join(c.Directory(), "credentials.json"))
	return kept.AccessKeyID, err == nil
}

func newCredentials() Credentials {
	const upper, all = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	return Credentials{"AKIA" + randomText(16, upper), randomText(40, all)}
}

// randomText draws n characters; the alphabet's length divides 256, so that
// every character is equally likely.
func randomText(n int, alphabet string) string {
	b := make([]byte, n)
	rand.Read(b)
	for i := range b {
		b[i] = alphabet[int(b[i])%len(alphabet)]
	}
	return string(b)
}

// keptCredentials reads <dir>/credentials.json, making it first if need be. The
// server and "callboard env" may do that at the same moment: the file appears
// whole by a link, which only one of them can make.
func keptCredentials(dir string) (kept Credentials, made bool, err error) {
	path := filepath.Join(dir, "credentials.json")
	kept, err = readCredentials(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return kept, false, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return Credentials{}, false, fmt.Errorf("the data directory cannot be made: %w", err)
	}
	err = placeCredentials(dir, path, newCredentials())
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return Credentials{}, false, fmt.Errorf("the credentials cannot be kept: %w", err)
	}
	made = err == nil
	kept, err = readCredentials(path)
	return kept, made, err
}

func placeCredentials(dir, path string, c Credentials) (err error) {
	f, err := os.CreateTemp(dir, "credentials-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if err := writeCredentials(f, c); err != nil {
		return err
	}
	err = os.Link(f.Name(), path)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	// Some file systems have no links. There the file is whole a moment after it appears.
	f, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return writeCredentials(f, c)
}

// writeCredentials fills a new file and closes it.
func writeCredentials(f *os.File, c Credentials) error {
	data, err := json.MarshalIndent(c, "", "  ")
	if err == nil {
		_, err = f.Write(append(data, '\n'))
	}
	return errors.Join(err, f.Sync(), f.Close())
}

func readCredentials(path string) (Credentials, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Credentials{}, fmt.Errorf("the credentials cannot be read: %w", err)
	}
	var c Credentials
	if err := json.Unmarshal(data, &c); err != nil {
		return Credentials{}, fmt.Errorf("%s is not JSON: %w", path, err)
	}
	if !isKeyID(c.AccessKeyID) || !isSecret(c.SecretAccessKey) {
		return Credentials{}, fmt.Errorf("%s must hold accessKeyId and secretAccessKey; remove it to get new ones", path)
	}
	return c, nil
}
