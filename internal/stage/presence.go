package stage

import (
	"maps"
	"slices"
	"time"
)

// Activity is what a participant does for an [Interval].
type Activity string

// The activities.
const (
	Connected  Activity = "CONNECTED"
	Publishing Activity = "PUBLISHING"
	Subscribed Activity = "SUBSCRIBED"
)

// Interval is a time in which a participant did something: From belongs to it,
// To does not.
type Interval struct {
	Activity  Activity
	Publisher string // whom it was subscribed to
	From, To  time.Time
	Open      bool // it still lasted at To, which is the moment asked about
}

// Presence is what a participant's events say of its time in a session, up to
// a moment.
type Presence struct {
	Connected  bool // at the moment
	Publishing bool // at the moment
	Published  bool // ever
	Joins      int64

	ConnectedFor  time.Duration
	PublishingFor time.Duration
	SubscribedFor time.Duration // to anybody; two subscriptions at once count once
}

// Reconnects is how often the participant came back.
func (p Presence) Reconnects() int64 { return max(0, p.Joins-1) }

// stay folds the events of one participant, oldest first, into its presence.
// It believes no event that changes nothing, a second beginning say.
type stay struct {
	Presence
	keep func(Interval) // is shown each interval as it ends; nil looks at none

	connected  time.Time // since when; zero while it is not
	publishing time.Time
	subscribed time.Time            // to the first of those who are
	to         map[string]time.Time // publishers
}

func (s *stay) add(e Event) {
	switch e.Name {
	case Joined:
		if s.connected.IsZero() {
			s.connected = e.At
			s.Joins++
		}
	case PublishStarted:
		s.Published = true
		if s.publishing.IsZero() {
			s.publishing = e.At
		}
	case PublishStopped:
		s.unpublish(e.At, false)
	case SubscribeStarted:
		s.subscribe(e.Remote, e.At)
	case SubscribeStopped:
		s.unsubscribe(e.Remote, e.At, false)
	case Left:
		s.leave(e.At, false)
	}
	s.Connected, s.Publishing = !s.connected.IsZero(), !s.publishing.IsZero()
}

// end counts what is still under way, at the moment asked about.
func (s *stay) end(at time.Time) Presence {
	was := s.Presence
	s.leave(at, true)
	s.Connected, s.Publishing = was.Connected, was.Publishing
	return s.Presence
}

func (s *stay) subscribe(publisher string, at time.Time) {
	if _, ok := s.to[publisher]; ok {
		return
	}
	if s.to == nil {
		s.to = map[string]time.Time{}
	}
	if len(s.to) == 0 {
		s.subscribed = at
	}
	s.to[publisher] = at
}

func (s *stay) unsubscribe(publisher string, at time.Time, open bool) {
	from, ok := s.to[publisher]
	if !ok {
		return
	}
	delete(s.to, publisher)
	s.pass(Interval{Activity: Subscribed, Publisher: publisher, From: from, To: at, Open: open})
	if len(s.to) == 0 {
		s.SubscribedFor += span(s.subscribed, at)
	}
}

func (s *stay) unpublish(at time.Time, open bool) {
	if s.publishing.IsZero() {
		return
	}
	s.PublishingFor += s.pass(Interval{Activity: Publishing, From: s.publishing, To: at, Open: open})
	s.publishing = time.Time{}
}

// leave ends everything, as LEFT does.
func (s *stay) leave(at time.Time, open bool) {
	for _, publisher := range slices.Sorted(maps.Keys(s.to)) {
		s.unsubscribe(publisher, at, open)
	}
	s.unpublish(at, open)
	if s.connected.IsZero() {
		return
	}
	s.ConnectedFor += s.pass(Interval{Activity: Connected, From: s.connected, To: at, Open: open})
	s.connected = time.Time{}
}

// pass shows an interval and gives its length. A clock that was set back makes
// none that ends before it begins.
func (s *stay) pass(i Interval) time.Duration {
	i.To = latest(i.From, i.To)
	if s.keep != nil {
		s.keep(i)
	}
	return i.To.Sub(i.From)
}

func span(from, to time.Time) time.Duration { return max(0, to.Sub(from)) }
