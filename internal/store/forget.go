package store

const resetCounters = `UPDATE counter SET value = 0`

// Forget empties every table but those of the store itself, the secrets and who is running.
// Later transactions get the time of the clock, whatever it was before.
func (t *tx) Forget() error {
	var tables []string
	if err := t.all(listTables, func(r row) { tables = append(tables, r.text(0)) }); err != nil {
		return err
	}
	for _, table := range tables {
		switch table {
		case "counter", "secret", "migration", "process":
			continue
		}
		if _, err := t.exec(`DELETE FROM ` + table); err != nil {
			return err
		}
	}
	_, err := t.exec(resetCounters)
	t.change = change{forgot: true} // what came before is gone as well
	return err
}
