package store

import (
	"cmp"
	"embed"
	"fmt"
	"io/fs"
	"time"

	"zombiezen.com/go/sqlite/sqlitex"
)

//go:embed migrations/*.sql
var migrations embed.FS

const (
	createMigration = `CREATE TABLE IF NOT EXISTS migration (no BIGINT NOT NULL, name TEXT NOT NULL, at BIGINT NOT NULL, PRIMARY KEY (no))`
	lastMigration   = `SELECT COALESCE(MAX(no), 0) FROM migration`
	insertMigration = `INSERT INTO migration (no, name, at) VALUES ($1, $2, $3)`
)

// migrate brings the database to the last of the migrations in dir, which are
// numbered by their order. Each is applied once, wholly or not at all.
func migrate(c *conn, dir fs.FS, now time.Time) error {
	names, err := fs.Glob(dir, "migrations/*.sql")
	if err != nil {
		return err
	}
	if err := c.run(createMigration); err != nil {
		return fmt.Errorf("migrate the database: %w", err)
	}
	var applied int64
	t := &tx{conn: c, now: now, writable: true}
	if err := t.one(lastMigration, func(r row) { applied = r.int(0) }); err != nil {
		return fmt.Errorf("migrate the database: %w", err)
	}
	if applied > int64(len(names)) {
		return fmt.Errorf("the database was written by a newer version of this server (schema %d, known here: %d): run that version, or restore a backup made before it",
			applied, len(names))
	}
	for i, name := range names[applied:] {
		if err := applyMigration(t, dir, applied+int64(i)+1, name); err != nil {
			return fmt.Errorf("migrate the database: %s: %w", name, err)
		}
	}
	return nil
}

func applyMigration(t *tx, dir fs.FS, no int64, name string) error {
	sql, err := fs.ReadFile(dir, name)
	if err != nil {
		return err
	}
	if err := t.conn.run(beginWrite); err != nil {
		return err
	}
	err = sqlitex.ExecuteScript(t.conn.Conn, dialect.Replace(string(sql)), nil)
	if err == nil {
		_, err = t.exec(insertMigration, no, name, t.now)
	}
	if err == nil {
		err = t.conn.run(commit)
	}
	if err != nil {
		return cmp.Or(err, t.conn.run(rollback))
	}
	return nil
}
