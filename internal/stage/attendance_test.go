package stage_test

import (
	"maps"
	"slices"
	"strconv"
	"testing"
	"time"

	"callboard/internal/stage"
)

func TestWhatIsAskedOfASessionIsWhatAModelSays(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		t.Run(strconv.Itoa(int(seed)), func(t *testing.T) {
			t.Parallel()
			l := newLife(t, seed)
			for range 3 {
				l.live(25)
				l.compare()
			}
			l.crash()
			l.compare()
		})
	}
}

// compare asks about now, and about earlier moments.
func (l *life) compare() {
	l.t.Helper()
	for range 6 {
		l.compareMoment(l.second, stage.Inquiry{})
		moment := l.rng.IntN(l.second)
		l.compareMoment(moment, stage.Inquiry{At: l.time(moment)})
	}
	l.compareCurve()
	l.compareHistory()
}

func (l *life) compareMoment(moment int, q stage.Inquiry) {
	l.t.Helper()
	meant := l.conditions(&q, moment)
	var want []*soul
	for _, p := range slices.Backward(l.people) {
		if meant(p) {
			want = append(want, p)
		}
	}
	for _, order := range []stage.Order{stage.NewestFirst, stage.OldestFirst, stage.LongestFirst} {
		l.compareList(stage.Listing{Inquiry: q, Order: order, Intervals: 1000}, want, moment)
	}
	n, err := l.CountParticipants(l.t.Context(), l.session(), q)
	l.check(err)
	if n != int64(len(want)) {
		l.t.Errorf("%+v counts %d, want %d", q, n, len(want))
	}
	for by, of := range map[stage.Group]func(*soul) string{
		{By: stage.ByState}:                        func(p *soul) string { return truth(p.at(moment).connected) },
		{By: stage.ByPublished}:                    func(p *soul) string { return truth(p.at(moment).published) },
		{By: stage.ByPublishing}:                   func(p *soul) string { return truth(p.at(moment).publishing) },
		{By: stage.ByAttribute, Attribute: "role"}: func(p *soul) string { return p.role },
		{By: stage.ByRecording}:                    func(*soul) string { return "0" },
	} {
		got, all, err := l.CountGroups(l.t.Context(), l.session(), q, by)
		l.check(err)
		if !maps.Equal(got, groupsOf(want, of)) || all != int64(len(want)) {
			l.t.Errorf("%+v by %+v gives %v of %d, want %v", q, by, got, all, groupsOf(want, of))
		}
	}
}

func (l *life) compareList(q stage.Listing, want []*soul, moment int) {
	l.t.Helper()
	list := l.all(q)
	ids, wantIDs := []string{}, []string{}
	for _, a := range list {
		ids = append(ids, a.ID)
	}
	switch want = slices.Clone(want); q.Order {
	case stage.OldestFirst:
		slices.Reverse(want)
	case stage.LongestFirst:
		slices.SortStableFunc(want, func(a, b *soul) int { return int(b.presence(moment).ConnectedFor - a.presence(moment).ConnectedFor) })
	}
	for _, p := range want {
		wantIDs = append(wantIDs, p.entry.ParticipantID)
	}
	if !slices.Equal(ids, wantIDs) {
		l.t.Fatalf("%+v lists\n%v, want\n%v", q, ids, wantIDs)
	}
	for i, a := range list {
		l.compareOne(a, want[i], moment)
	}
}

// all lists everybody who is meant, page by page.
func (l *life) all(q stage.Listing) (all []stage.Attendance) {
	l.t.Helper()
	q.Limit = 1 + l.rng.IntN(30)
	for {
		page, next, err := l.Attendances(l.t.Context(), l.session(), q)
		l.check(err)
		all = append(all, page...)
		if next == nil {
			return all
		}
		q.After = *next
	}
}

func (l *life) compareOne(a stage.Attendance, p *soul, moment int) {
	l.t.Helper()
	want := p.presence(moment)
	got := a.Presence
	got.Joins = 0
	if got != want || a.Connected != want.Connected || a.Published != want.Published {
		l.t.Errorf("%s at %d: connected %v, published %v, %+v, want %+v", a.ID, moment, a.Connected, a.Published, got, want)
	}
	if moment == l.second && a.Presence.Joins != p.joins {
		l.t.Errorf("%s joined %d times, want %d", a.ID, a.Presence.Joins, p.joins)
	}
	if a.Detail == nil || a.Detail.Attributes["role"] != p.role {
		l.t.Errorf("%s has the detail %+v", a.ID, a.Detail)
	}
	if got, want := spelled(a.Intervals), l.intervals(p, moment); !slices.Equal(got, want) {
		l.t.Errorf("%s at %d:\n%q, want\n%q", a.ID, moment, got, want)
	}
}

func (l *life) compareCurve() {
	l.t.Helper()
	width := 1 + l.rng.IntN(9)
	c, err := l.Concurrency(l.t.Context(), l.session(), time.Duration(width)*time.Second)
	l.check(err)
	began := int(c.From.Sub(l.began) / time.Second)
	var peak [2]stage.Peak
	peak[0].At, peak[1].At = c.From, c.From
	for i, b := range c.Buckets {
		var want [2]stage.Range
		for second := began + i*width; second < began+(i+1)*width && !l.time(second).After(c.To); second++ {
			for k, n := range l.countAt(second) {
				if second == began+i*width {
					want[k] = stage.Range{Min: n, Max: n}
				}
				want[k] = stage.Range{Min: min(want[k].Min, n), Max: max(want[k].Max, n), Last: n}
				if n > peak[k].Count {
					peak[k] = stage.Peak{Count: n, At: l.time(second)}
				}
			}
		}
		if b.Connected != want[0] || b.Publishing != want[1] || !b.From.Equal(l.time(began+i*width)) {
			l.t.Errorf("bucket %d is %+v, want %+v", i, b, want)
		}
	}
	if c.Connected != peak[0] || c.Publishing != peak[1] {
		l.t.Errorf("peaks are %+v and %+v, want %+v", c.Connected, c.Publishing, peak)
	}
}

// countAt counts who was connected and who was publishing.
func (l *life) countAt(second int) (n [2]int64) {
	for _, p := range l.people {
		d := p.at(second)
		if d.connected {
			n[0]++
		}
		if d.publishing {
			n[1]++
		}
	}
	return n
}

// compareHistory has more happen while the history is read, which it must not show.
func (l *life) compareHistory() {
	l.t.Helper()
	h, err := l.History(l.t.Context(), l.session())
	l.check(err)
	moment, people := l.second, slices.Clone(l.people)
	if l.session().Ended.IsZero() {
		l.tick()
		l.live(3)
	}
	i, events := 0, int64(0)
	for a, err := range h.Attendances(l.t.Context()) {
		l.check(err)
		p := people[i]
		l.compareOne(a, p, moment)
		i++
	}
	if i != len(people) {
		l.t.Errorf("the history has %d participants, want %d", i, len(people))
	}
	for e, err := range h.Events(l.t.Context()) {
		l.check(err)
		events++
		if e.No > h.No {
			l.t.Errorf("the history has event %d, after its own end", e.No)
		}
	}
	if events == 0 {
		l.t.Error("the history has no events")
	}
}

func TestRecordingStatesOfEarlierMomentsAreNotKnown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.join(w.stage(), "ann")
	session, err := w.Session(t.Context(), w.caller, e.Stage, e.SessionID)
	w.check(err)
	q := stage.Inquiry{Filter: stage.Filter{Recording: new(stage.RecordingActive)}, At: w.clock()}
	_, err = w.CountParticipants(t.Context(), session, q)
	wantKind(t, err, stage.Invalid)
	_, _, err = w.Attendances(t.Context(), session, stage.Listing{Inquiry: q, Limit: 1})
	wantKind(t, err, stage.Invalid)
}

func TestACurveOfTooManyBucketsIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.join(w.stage(), "ann")
	w.pass(100 * time.Hour)
	session, err := w.Session(t.Context(), w.caller, e.Stage, e.SessionID)
	w.check(err)
	_, err = w.Concurrency(t.Context(), session, time.Second)
	wantKind(t, err, stage.Invalid)
	c, err := w.Concurrency(t.Context(), session, 0)
	w.check(err)
	if len(c.Buckets) > 120 || c.Width != time.Hour {
		t.Errorf("%d buckets of %v", len(c.Buckets), c.Width)
	}
}

func TestACountOfAThousandValuesIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	arn := w.stage()
	var e stage.Entry
	for i := range 1002 {
		var err error
		a := stage.Admission{Stage: arn, ParticipantID: "p" + strconv.Itoa(i), Attributes: map[string]string{"n": strconv.Itoa(i)}, Expires: w.clock().Add(time.Hour)}
		e, err = w.Join(t.Context(), a, stage.Client{})
		w.check(err)
	}
	session, err := w.Session(t.Context(), w.caller, arn, e.SessionID)
	w.check(err)
	_, _, err = w.CountGroups(t.Context(), session, stage.Inquiry{}, stage.Group{By: stage.ByAttribute, Attribute: "n"})
	wantKind(t, err, stage.Invalid)
}
