package store

const resetCounters = `UPDATE counter SET value = 0 WHERE name NOT IN ('batch', 'journal')`

// Forget empties every table but those of the store itself, the secrets and who is running.
// Later transactions get the time of the clock, whatever it was before.
func (t *tx) Forget() error {
	if err := t.ready(); err != nil {
		return err
	}
	tables, err := t.conn.tables()
	if err != nil {
		return t.fail(err)
	}
	for _, table := range tables {
		switch table {
		case "batch", "counter", "secret", "migration", "process":
			continue
		}
		if err := t.write(`DELETE FROM ` + table); err != nil {
			return err
		}
	}
	if err := t.write(resetCounters); err != nil {
		return err
	}
	t.numbers.forget()
	t.ledger.forget()
	t.met = met{}
	t.change = change{forgot: true} // what came before is gone as well
	return nil
}
