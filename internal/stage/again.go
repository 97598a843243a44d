package stage

import "context"

// RecordAgain is [Register.Record] for facts of which nobody knows whether they
// are recorded, because the answer was lost. It leaves out what the
// participant's events say already: that somebody publishes who does, say. Of
// an error, and of a stop with a start after it, there may be two events.
func (r *Register) RecordAgain(ctx context.Context, e Entry, facts ...Fact) error {
	return r.recordAll(ctx, e, func(tx Tx, p Participant) ([]Fact, error) {
		open, _, err := openFacts(tx, p)
		if err != nil {
			return nil, err
		}
		lasting := map[Fact]bool{} // by what would end it
		for _, end := range open {
			lasting[end] = true
		}
		var rest []Fact
		for _, f := range facts {
			end, lasts := endOf(Event{Name: f.Name, Remote: f.Remote})
			begins := lasts && end.Name != f.Name
			if lasts {
				if lasting[end] == begins {
					continue
				}
				lasting[end] = begins
			}
			rest = append(rest, f)
		}
		return rest, nil
	})
}
