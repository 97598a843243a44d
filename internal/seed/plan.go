package seed

import (
	"fmt"
	"os"
	"path/filepath"

	"callboard/internal/keyring"
	"callboard/internal/stage"
)

// Bounds of a seed: more than a test needs, less than a server chokes on.
const (
	maxFile   = 4 << 20 // bytes
	maxThings = 20_000  // stages, tokens and keys together
)

// Defaults are the account and region of what names none.
type Defaults struct {
	Account, Region string
	Regions         []string // that may be named; none means any
}

// Plan is what a seed file says, checked.
type Plan struct {
	Stages     []Stage
	PublicKeys []PublicKey
	Keys       []keyring.Key
}

// Stage is a stage that must be there. ID or Name tells which one it is.
type Stage struct {
	Account, Region string
	ID, Name        string
	Tags            map[string]string
	Tokens          []Token

	line int
}

// Token is a participant token to issue.
type Token struct {
	Name string // to find it by in the result; may be empty
	stage.TokenRequest
}

// PublicKey is a public key that must be imported.
type PublicKey struct {
	Account, Region string
	Name            string
	Material        string // PEM
	Tags            map[string]string

	fingerprint string
	line        int
}

// Load reads a seed file. What it names by a path is looked for beside it. The
// error is one sentence with file, line and reason.
func Load(path string, d Defaults) (*Plan, error) {
	beside := func(name string) string {
		if filepath.IsAbs(name) {
			return name
		}
		return filepath.Join(filepath.Dir(path), name)
	}
	text, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("the seed cannot be read: %w", err)
	}
	p, err := parse(text, d, func(name string) ([]byte, error) { return readFile(beside(name)) })
	if err != nil {
		return nil, fmt.Errorf("the seed %s is not right: %w", path, err)
	}
	return p, nil
}

func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s must be a file of at most %d MiB", path, maxFile>>20)
	}
	return os.ReadFile(path)
}
