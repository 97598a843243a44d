package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"
)

// Copying is how far [Copy] is.
type Copying struct {
	Table    string
	Rows, Of int64 // of this table
}

// Copy copies everything that one database has to another, which must be empty,
// in one transaction there. Each is a file or a URL, as in [Options.Path];
// neither may be in use. The source is brought to the present schema first, as
// by [Open]. Progress is told of every table at its beginning and its end, and
// from time to time between; it may be nil.
func Copy(ctx context.Context, from, to string, progress func(Copying)) error {
	if progress == nil {
		progress = func(Copying) {}
	}
	if _, err := os.Stat(from); err != nil && !IsURL(from) {
		return fmt.Errorf("there is no database to copy: %w", err)
	}
	source, err := openSole(ctx, from)
	if err != nil {
		return fmt.Errorf("the source %s: %w", Redacted(from), err)
	}
	defer source.close()
	target, err := openSole(ctx, to)
	if err != nil {
		return fmt.Errorf("the target %s: %w", Redacted(to), err)
	}
	err = copyAll(ctx, source.conn, target.conn, progress)
	if err != nil {
		err = fmt.Errorf("nothing was copied: %w", err)
	}
	return errors.Join(err, target.close())
}

// sole is a database that nobody else uses.
type sole struct {
	engine engine
	conn   conn
}

func openSole(ctx context.Context, path string) (*sole, error) {
	e, err := openEngine(&Options{Path: path, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	c, err := e.sole(ctx)
	if err != nil {
		return nil, errors.Join(err, e.close())
	}
	s := &sole{engine: e, conn: c}
	if err := migrate(ctx, c, migrations, time.Now()); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *sole) close() error { return errors.Join(s.conn.close(), s.engine.close()) }

// running are the tables that say which servers run, whom each holds and what
// they tell each other: not facts, and not true of the target.
var running = []string{"batch", "process", "seat"}

// copyAll copies all tables, with the right to write on both sides.
func copyAll(ctx context.Context, source, target conn, progress func(Copying)) error {
	if err := errors.Join(source.beginWrite(), target.beginWrite()); err != nil {
		return errors.Join(err, source.rollback(), target.rollback())
	}
	defer source.rollback()
	from, to := &tx{conn: source, ctx: ctx}, &tx{conn: target, ctx: ctx, writable: true}
	tables, err := source.tables()
	if err == nil {
		err = empty(to, tables)
	}
	tables = slices.DeleteFunc(tables, func(name string) bool { return slices.Contains(running, name) })
	slices.Sort(tables)
	for _, name := range tables {
		if err == nil {
			err = copyTable(from, to, name, progress)
		}
	}
	if err == nil {
		err = to.write(setCounter, int64(0), counted[journalNo]) // the target's journal shall not be taken for the source's
	}
	if err == nil {
		err = target.commit()
	}
	if err != nil {
		return errors.Join(err, target.rollback())
	}
	return nil
}

// empty tells whether a database has nothing but its schema, and takes out
// what a schema begins with.
func empty(t *tx, tables []string) error {
	for _, name := range tables {
		if name == "migration" || name == "counter" {
			continue
		}
		n, err := count(t, name)
		if err != nil {
			return err
		}
		if n > 0 {
			return fmt.Errorf("the target is not empty (%d rows of %s): choose a place that has no facts yet", n, name)
		}
	}
	counted := false
	err := t.all(listCounters, func(r row) { counted = counted || r.int(1) != 0 })
	if err == nil && counted {
		err = errors.New("the target is not empty (something was stored there once): choose a place that has no facts yet")
	}
	return cmp.Or(err, t.write(`DELETE FROM counter`), t.write(`DELETE FROM migration`))
}

func count(t *tx, table string) (n int64, err error) {
	err = t.one(`SELECT COUNT(*) FROM `+table, func(r row) { n = r.int(0) })
	return n, err
}

// column is a column of a table.
type column struct {
	name string
	kind kind
}

type kind int

const (
	aNumber kind = iota
	aText
	someBytes
)

// kindOf reads the name of a type, in either database.
func kindOf(typ string) kind {
	switch typ = strings.ToUpper(typ); {
	case typ == "BYTEA":
		return someBytes
	case strings.HasPrefix(typ, "TEXT"):
		return aText
	default:
		return aNumber
	}
}

// copyTable copies one table and counts what has arrived.
func copyTable(from, to *tx, table string, progress func(Copying)) error {
	columns, err := from.conn.columns(table)
	if err != nil {
		return err
	}
	p := Copying{Table: table}
	if p.Of, err = count(from, table); err != nil {
		return err
	}
	progress(p)
	names, places := make([]string, len(columns)), make([]string, len(columns))
	for i, c := range columns {
		names[i], places[i] = c.name, fmt.Sprintf("$%d", i+1)
	}
	list := strings.Join(names, ", ")
	insert := `INSERT INTO ` + table + ` (` + list + `) VALUES (` + strings.Join(places, ", ") + `)`
	var failed error
	told := time.Now()
	err = from.all(`SELECT `+list+` FROM `+table, func(r row) {
		if failed = cmp.Or(failed, to.ready()); failed != nil {
			return
		}
		failed = to.write(insert, values(r, columns)...)
		if p.Rows++; time.Since(told) > time.Second {
			told = time.Now()
			progress(p)
		}
	})
	if err := cmp.Or(err, failed); err != nil {
		return fmt.Errorf("%s: %w", table, err)
	}
	arrived, err := count(to, table)
	if err != nil {
		return fmt.Errorf("%s: %w", table, err)
	}
	if arrived != p.Of || p.Rows != p.Of {
		return fmt.Errorf("%s: %d of %d rows arrived", table, arrived, p.Of)
	}
	progress(p)
	return nil
}

// values gives a row as the arguments that store it.
func values(r row, columns []column) []any {
	args := make([]any, len(columns))
	for i, c := range columns {
		switch c.kind {
		case aNumber:
			args[i] = r.int(i)
		case aText:
			args[i] = r.text(i)
		case someBytes:
			args[i] = r.bytes(i)
		}
	}
	return args
}
