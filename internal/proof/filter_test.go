package proof

import "callboard/internal/stage"

// filter is a question to the roll; every kind of it is asked.
type filter int

const filters filter = 12

var users = []string{"", "ann", "bob", "zoë"}

// roll is the filter as the control plane has it.
func (f filter) roll(arn stage.ARN, session string, p stage.Page) stage.Roll {
	q := f.query(0, 0)
	return stage.Roll{
		Stage: arn, SessionID: session, Page: p,
		UserID: q.UserID, Connected: q.Connected, Published: q.Published, Recording: q.Recording,
	}
}

func (f filter) query(before int64, limit int) stage.ParticipantQuery {
	q := stage.ParticipantQuery{Before: before, Limit: limit}
	switch f {
	case 1, 2:
		q.Connected = new(f == 1)
	case 3, 4:
		q.Published = new(f == 3)
	case 5:
		q.Recording = new(stage.RecordingDisabled)
	case 6:
		q.Recording = new(stage.RecordingActive)
	case 7, 8, 9, 10:
		q.UserID = &users[f-7]
	}
	return q
}

// matches is the filter as the naive model has it.
func (f filter) matches(user string, connected, published bool) bool {
	switch f {
	case 1, 2:
		return connected == (f == 1)
	case 3, 4:
		return published == (f == 3)
	case 6:
		return false
	case 7, 8, 9, 10:
		return user == users[f-7]
	}
	return true
}
