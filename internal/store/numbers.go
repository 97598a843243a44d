package store

import "fmt"

const (
	listCounters = `SELECT name, value FROM counter`
	setCounter   = `UPDATE counter SET value = $1 WHERE name = $2`
	counterValue = `SELECT value FROM counter WHERE name = $1`
)

// counted are the counters that a commit reads once and writes once, however
// often its updates count.
var counted = [...]string{"document", "session", "event", "batch", "clock", "journal"}

// Their places in [numbers].
const (
	documentNo = iota
	sessionNo
	eventNo
	batchNo
	clockAt
	journalNo
)

// numbers are the counters in the transaction under way. A copy of them is the
// way back to where it was taken.
type numbers struct {
	now, stored [len(counted)]int64
	told        [len(counted)]int64 // what the journal has
}

// read takes over what is stored. Whoever calls it has the right to write, so
// it stays true until the commit.
func (n *numbers) read(t *tx) error {
	found := 0
	err := t.all(listCounters, func(r row) {
		name, value := r.text(0), r.int(1)
		for i := range counted {
			if counted[i] == name {
				n.now[i], n.stored[i], n.told[i] = value, value, value
				found++
			}
		}
	})
	if err == nil && found != len(counted) {
		err = fmt.Errorf("the database has %d of %d counters", found, len(counted))
	}
	return err
}

// write stores those that were counted.
func (n *numbers) write(t *tx) error {
	for i, value := range n.now {
		if value == n.stored[i] {
			continue
		}
		if err := t.later(setCounter, value, counted[i]); err != nil {
			return err
		}
		n.stored[i] = value
	}
	return nil
}

// tell notes those that were counted in the journal's next record.
func (n *numbers) tell(d *draft) {
	for i, value := range n.now {
		if i != journalNo && value != n.told[i] {
			d.add(setCounter, value, counted[i])
			n.told[i] = value
		}
	}
}

// forget begins anew, as resetCounters has done in the database.
func (n *numbers) forget() {
	for i := range counted {
		if i != batchNo && i != journalNo {
			n.now[i], n.stored[i], n.told[i] = 0, 0, 0
		}
	}
}

// next gives the next of one of the numbers. They are part of the transaction,
// so one that is not used is given again.
func (t *tx) next(which int) (int64, error) {
	if err := t.willWrite(); err != nil {
		return 0, err
	}
	t.numbers.now[which]++
	return t.numbers.now[which], nil
}
