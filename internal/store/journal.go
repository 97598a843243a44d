package store

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// journal makes a batch durable for the price of one write and one sync. It is
// a file beside an SQLite database, with a record for each batch that SQLite
// has run and not committed yet, and for some that it has: see [record]. A
// commit of SQLite stores the number of the last record that it covers, so
// what has to be run again after a crash is what has a higher number.
//
// SQLite need not sync such a commit: when it loses the last ones together, it
// also loses their number. Only before records are overwritten the commit that
// covers them is synced. So of all whole records in the file those that the
// database does not have yet follow on each other without a gap, and one that is
// missing among them says that the file was damaged, or is not of this database.
type journal struct {
	file  *os.File
	sync  *syncer
	limit int64 // of what is written before the file is begun anew
	end   int64 // where the next record goes
	size  int64 // of the file
	last  int64 // number of the last record that is durable; 0 if that is not known
	draft draft // of the next one
}

const (
	// block is what records begin at a multiple of: nothing that is durable is
	// ever in a block that is written to again.
	block = 4096
	// journalLimit is the default of [Options.JournalBytes].
	journalLimit = 16 << 20
	// farther than this from each other are no two records of one journal.
	farther = 1 << 40
	// firstGrowth is how large the file becomes at first; then it doubles.
	firstGrowth = 256 << 10
)

// openJournal opens the journal at a path, for its owner only. Its name is
// durable when it is there.
func openJournal(path string, limit int64) (*journal, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the journal: %w", err)
	}
	if limit == 0 {
		limit = journalLimit
	}
	j := &journal{file: f, sync: newSyncer(f), limit: limit}
	info, err := f.Stat()
	if err == nil {
		j.size = info.Size()
		err = errors.Join(os.Chmod(path, 0o600), syncDirectory(filepath.Dir(path)))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the journal: %w", err), j.close())
	}
	j.draft.reset()
	return j, nil
}

// write makes the draft durable, under the next number. After an error nobody
// finds it in the file, unless that is [ErrUnknown].
func (j *journal) write() error {
	b := j.draft.seal(j.last + 1)
	if err := j.grow(j.end + int64(len(b))); err != nil {
		return err
	}
	if err := j.put(b); err != nil {
		// It may be there as a whole: whoever opens the file after a crash would run it.
		if again := j.put(make([]byte, block)); again != nil {
			return fmt.Errorf("%w: %w", ErrUnknown, err)
		}
		return err
	}
	j.end += int64(len(b))
	j.last++
	return nil
}

// put writes durably where the next record goes.
func (j *journal) put(b []byte) error {
	if _, err := j.file.WriteAt(b, j.end); err != nil {
		return err
	}
	return j.sync.sync()
}

// grow makes the file at least so large. What is written to a file that has its
// size and its places on the disk is synced without anything else.
func (j *journal) grow(size int64) error {
	if size <= j.size {
		return nil
	}
	zeros := make([]byte, 64<<10)
	for to := max(size, 2*j.size, firstGrowth); j.size < to; {
		n, err := j.file.WriteAt(zeros[:min(to-j.size, int64(len(zeros)))], j.size)
		if err != nil {
			return err
		}
		j.size += int64(n)
	}
	return j.file.Sync()
}

// full says that it is time to begin the file anew.
func (j *journal) full() bool { return j.end >= j.limit }

// restart has the next record overwrite the first. All must be in the database, durably.
func (j *journal) restart() { j.end = 0 }

// empty leaves nothing in the file. All must be in the database, durably.
func (j *journal) empty() error {
	j.end = 0
	if j.size == 0 {
		return nil
	}
	err := errors.Join(j.file.Truncate(0), j.file.Sync())
	if err != nil {
		return fmt.Errorf("empty the journal: %w", err)
	}
	j.size = 0
	return nil
}

func (j *journal) close() error {
	j.sync.close()
	return j.file.Close()
}

func (j *journal) read() ([]byte, error) {
	data, err := io.ReadAll(io.NewSectionReader(j.file, 0, j.size))
	if err != nil {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	return data, nil
}

// after gives the records after the one of a number.
func (j *journal) after(no int64) (list []record, err error) {
	data, err := j.read()
	if err != nil {
		return nil, err
	}
	for _, r := range readRecords(data) {
		if no-r.no > farther {
			return nil, fmt.Errorf("the journal %s has record %d, where the database has all up to %d: it is of another database", j.file.Name(), r.no, no)
		}
		if r.no <= no || j.last > 0 && r.no > j.last { // the latter could not be synced, and whoever waited for it knows
			continue
		}
		if next := no + int64(len(list)) + 1; r.no != next {
			return nil, fmt.Errorf("the journal %s has record %d where %d should be: it is damaged, or of another database", j.file.Name(), r.no, next)
		}
		list = append(list, r)
	}
	if no+int64(len(list)) < j.last {
		return nil, fmt.Errorf("the journal %s ends with record %d, not with %d: it is damaged", j.file.Name(), no+int64(len(list)), j.last)
	}
	return list, nil
}

// takeOver runs what the database does not have yet, makes all that it has durable
// and empties the journal. It may be broken off anywhere and be called again.
// doubt says that the disk may not have all of SQLite's log: see fold.go.
func (j *journal) takeOver(c *liteConn, doubt bool) error {
	err := c.syncing(true)
	if err == nil {
		err = c.beginWrite()
	}
	if err == nil && doubt {
		err = c.relog()
	}
	if err == nil {
		err = j.replay(c)
	}
	if err == nil {
		err = c.commit()
	}
	if err == nil {
		err = j.empty()
	}
	if err != nil {
		return errors.Join(fmt.Errorf("take over the journal: %w", err), c.rollback())
	}
	return nil
}

// replay runs the records after the one that the database names.
func (j *journal) replay(c *liteConn) error {
	var no int64
	t := &tx{conn: c}
	if err := t.one(counterValue, func(r row) { no = r.int(0) }, counted[journalNo]); err != nil {
		return fmt.Errorf("the journal %s is not of this database: %w", j.file.Name(), err)
	}
	list, err := j.after(no)
	if err != nil {
		return err
	}
	for _, r := range list {
		err := r.each(func(sql string, args []any) error {
			_, err := c.change(sql, args)
			return err
		})
		if err != nil {
			return err
		}
	}
	for _, last := range []int64{0, no + int64(len(list))} { // a commit without a change would not be synced: see secure
		if _, err = c.change(setCounter, []any{last, counted[journalNo]}); err != nil {
			return err
		}
	}
	return nil
}

// recover takes over what a process left that ended in the midst of its work.
func (j *journal) recover(path string) error {
	data, err := j.read()
	if err != nil {
		return err
	}
	if len(readRecords(data)) == 0 {
		return j.empty()
	}
	c, err := connectWriter(path)
	if err != nil {
		return err
	}
	return errors.Join(j.takeOver(c, true), c.close()) // what went wrong before the end, nobody knows
}

// begin gives the next record a number, with nothing in the journal. Whenever a
// database is opened the numbers begin somewhere else, so that no journal is taken
// for another's: not for that of a copy, either.
func (j *journal) begin(c *liteConn) error {
	if err := c.beginWrite(); err != nil {
		return err
	}
	defer c.rollback()
	j.last = 1 + rand.Int64N(1<<61)
	t := &tx{conn: c, writable: true}
	if err := t.write(setCounter, j.last, counted[journalNo]); err != nil {
		return err
	}
	if err := c.commit(); err != nil {
		return err
	}
	return c.syncing(false)
}
