package store

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

//go:embed migrations/*.sql
var migrations embed.FS

const (
	createMigration = `CREATE TABLE migration (no BIGINT NOT NULL, name TEXT NOT NULL, at BIGINT NOT NULL, PRIMARY KEY (no))`
	listMigrations  = `SELECT no FROM migration ORDER BY no`
	insertMigration = `INSERT INTO migration (no, name, at) VALUES ($1, $2, $3)`
)

// migrate applies those of the migrations in dir that the database has not
// seen: all of them, or none if one fails. Their numbers begin their names.
func migrate(ctx context.Context, c conn, dir fs.FS, now time.Time) error {
	err := c.beginSchema(ctx)
	if err == nil {
		err = applyMigrations(&tx{conn: c, now: now, writable: true}, dir)
	}
	if err == nil {
		err = c.commit()
	}
	if err != nil {
		return errors.Join(fmt.Errorf("migrate the database: %w", err), c.rollback())
	}
	return nil
}

func applyMigrations(t *tx, dir fs.FS) error {
	names, err := fs.Glob(dir, "migrations/*.sql")
	if err != nil {
		return err
	}
	applied, err := appliedMigrations(t)
	if err != nil {
		return err
	}
	for _, name := range names {
		no, err := migrationNo(name)
		if err != nil {
			return err
		}
		if i := slices.Index(applied, no); i >= 0 {
			applied = slices.Delete(applied, i, i+1)
			continue
		}
		if err := applyMigration(t, dir, no, name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if len(applied) > 0 {
		return fmt.Errorf("the database was written by a newer version of this server (schema %d, unknown here): run that version, or restore a backup made before it",
			slices.Max(applied))
	}
	return nil
}

// appliedMigrations gives the numbers of those that the database has seen.
func appliedMigrations(t *tx) (nos []int64, err error) {
	tables, err := t.conn.tables()
	if err != nil {
		return nil, err
	}
	if !slices.Contains(tables, "migration") {
		return nil, t.conn.script(createMigration)
	}
	err = t.all(listMigrations, func(r row) { nos = append(nos, r.int(0)) })
	return nos, err
}

// migrationNo reads the number that begins a migration's name.
func migrationNo(name string) (int64, error) {
	digits, _, _ := strings.Cut(path.Base(name), "_")
	no, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("the migration %s has no number: %w", name, err)
	}
	return no, nil
}

func applyMigration(t *tx, dir fs.FS, no int64, name string) error {
	sql, err := fs.ReadFile(dir, name)
	if err == nil {
		err = t.conn.script(string(sql))
	}
	if err == nil {
		_, err = t.exec(insertMigration, no, name, t.now)
	}
	return err
}
