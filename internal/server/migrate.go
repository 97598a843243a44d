package server

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"callboard/internal/store"
)

// Migrate copies the facts from one place to another that has none. Each is
// what [Config.Data] may be, but for Memory, and is used by nobody meanwhile.
// Told is called with a line for people of how far it is. Files of credentials
// and keys stay where they are.
func Migrate(ctx context.Context, from, to string, told func(line string)) error {
	source, err := facts(from)
	if err != nil {
		return err
	}
	target, err := facts(to)
	if err != nil {
		return err
	}
	if source == target {
		return errors.New("from and to are the same")
	}
	return store.Copy(ctx, source, target, func(c store.Copying) {
		if c.Rows > 0 {
			told(fmt.Sprintf("%s: %d of %d rows", c.Table, c.Rows, c.Of))
		}
	})
}

// facts is what the store is to open of a place.
func facts(data string) (string, error) {
	if data == Memory || data == "" {
		return "", errors.New("facts are moved between a directory and the URL of a database, such as postgres://user@host/database")
	}
	c := Config{Data: data}
	if path := c.Facts(); store.IsURL(data) {
		return path, nil
	} else {
		return filepath.Abs(path)
	}
}
