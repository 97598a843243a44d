package live

import (
	"sync"
	"time"
)

// Person is what others may know of a connected participant.
type Person struct {
	ID           string
	UserID       string
	Attributes   map[string]string // shared, not to be changed
	MayPublish   bool
	MaySubscribe bool
	Publishing   bool
	AudioMuted   bool
	VideoStopped bool
	SessionID    string
	JoinedAt     time.Time
	PublishEpoch int64 // counts the publications since the join
}

// State is what one participant sees of its stage.
type State struct {
	Version int64 // grows with each change, for as long as clocks go forward even beyond a restart
	Local   Person
	Common  *Snapshot
	// Truncated tells that somebody who is connected is not shown.
	Truncated bool
}

// Snapshot is what everybody sees of a stage. It is shared between all who look and never changes.
type Snapshot struct {
	// People are in the order of joining: all who publish and, on a stage that is
	// not too crowded, all others. The one who looks may be among them or not.
	People []Person

	once    sync.Once
	encoded [][]byte
}

// Encoded gives what encode makes of each of the people. It is called once for
// each snapshot; every caller gets the same result, which must not be changed.
func (s *Snapshot) Encoded(encode func(Person) []byte) [][]byte {
	s.once.Do(func() {
		for _, p := range s.People {
			s.encoded = append(s.encoded, encode(p))
		}
	})
	return s.encoded
}
