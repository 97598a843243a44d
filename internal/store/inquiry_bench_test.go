//go:build unix

package store

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"callboard/internal/stage"
)

// million is a session of which 30 % published and 0.1 % are still connected, with
// three events each. %[1]d is how many there are, %[2]s the stage.
const million = `
INSERT INTO session VALUES (1, '%[2]s', 'st-million000000', 1770000000000, 0, 0, %[1]d / 1000, %[1]d + 1);
INSERT INTO participant WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < %[1]d)
	SELECT 1, i, printf('%%012x', (i*2654435761)%%281474976710656), printf('user-%%d', i%%333333), i%%1000=7, i%%10<3,
		CASE i%%125 WHEN 3 THEN 5 ELSE 0 END, 1770000000000+i FROM n;
INSERT INTO participant_detail SELECT 1, seq, '{"avatar":"https://cdn.example.com/avatars/4f3c2b1a.png","displayName":"Somebody With A Name","role":"'
	|| CASE WHEN seq%%100=0 THEN 'host' ELSE 'guest' END || '"}', CASE WHEN published THEN 'WHIP' ELSE 'UNKNOWN' END,
	'Android', '16', 'Chrome', '150.0.1.2', '1.34.0' FROM participant;
INSERT INTO event SELECT seq, first_join, '%[2]s', 1, id, 'JOINED', '', '' FROM participant ORDER BY seq;
INSERT INTO event SELECT %[1]d+seq, first_join+100000, '%[2]s', 1, id, CASE WHEN published THEN 'PUBLISH_STARTED' ELSE 'SUBSCRIBE_STARTED' END,
	CASE WHEN published THEN '' ELSE 'abc' END, '' FROM participant ORDER BY seq;
INSERT INTO event SELECT 2*%[1]d+seq, first_join+2000000, '%[2]s', 1, id, 'LEFT', '', '' FROM participant WHERE connected=0 ORDER BY seq;
UPDATE counter SET value = 3*%[1]d WHERE name = 'event';
UPDATE counter SET value = 1 WHERE name = 'session';`

// BenchmarkInquiry asks questions that go through all of a session, of 1e5 people,
// or 1e6, or as many as CALLBOARD_STORE_BENCH_PEOPLE says, that are kept in the
// directory that CALLBOARD_STORE_BENCH names. The metric is how much of a processor
// the question would take for a million.
func BenchmarkInquiry(b *testing.B) {
	people, path := 100_000, filePath(b)
	if dir := os.Getenv("CALLBOARD_STORE_BENCH"); dir != "" {
		people = 1_000_000
		if text := os.Getenv("CALLBOARD_STORE_BENCH_PEOPLE"); text != "" {
			var err error
			if people, err = strconv.Atoi(text); err != nil {
				b.Fatal(err)
			}
		}
		path = filepath.Join(dir, fmt.Sprintf("inquiry-%d.db", people))
	}
	s := openAt(b, Options{Path: path, RollBytes: -1})
	service, _, err := stage.Open(b.Context(), stage.Options{Store: s})
	if err != nil {
		b.Fatal(err)
	}
	session := stage.Session{No: 1, Stage: testStage, ID: "st-million000000", Started: time.UnixMilli(1_770_000_000_000)}
	if s.feedEnd.no < int64(people) {
		c, err := s.writer.get(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		if err := c.script(fmt.Sprintf(million, people, testStage)); err != nil {
			b.Fatal(err)
		}
		s.feedEnd.set(int64(3 * people))
		s.writer.put(c)
	}
	yes := true
	count := func(q stage.Inquiry) func() (int64, error) {
		return func() (int64, error) { return service.CountParticipants(b.Context(), session, q) }
	}
	failed := stage.RecordingFailed
	roll := func(q stage.ParticipantQuery) func() (int64, error) { // halfway down
		q.Session, q.Before, q.Limit = session.No, int64(people)/2, 50
		return func() (n int64, err error) {
			err = s.View(b.Context(), func(tx stage.Tx) error {
				list, err := tx.Participants(q)
				n = int64(len(list))
				return err
			})
			return n, err
		}
	}
	moment := time.UnixMilli(1_770_000_000_000 + int64(people)/2)
	for _, question := range []struct {
		name string
		ask  func() (int64, error)
	}{
		{"roll/all", roll(stage.ParticipantQuery{})},
		{"roll/connected", roll(stage.ParticipantQuery{Connected: &yes})},
		{"roll/published", roll(stage.ParticipantQuery{Published: &yes})},
		{"roll/recording-failed", roll(stage.ParticipantQuery{Recording: &failed})},
		{"count/connected+published", count(stage.Inquiry{Filter: stage.Filter{Connected: &yes, Published: &yes}})},
		{"count/prefix+joined", count(stage.Inquiry{Filter: stage.Filter{UserPrefix: "user-1", JoinedFrom: moment}})},
		{"count/protocol", count(stage.Inquiry{Filter: stage.Filter{Protocol: stage.ProtocolWHIP}})},
		{"count/attribute-of-1%", count(stage.Inquiry{Filter: stage.Filter{Attributes: map[string]string{"role": "host"}}})},
		{"count/attribute-of-99%", count(stage.Inquiry{Filter: stage.Filter{Attributes: map[string]string{"role": "guest"}}})},
		{"count/publishing", count(stage.Inquiry{Publishing: &yes})},
		{"count/publishing-at", count(stage.Inquiry{Publishing: &yes, At: moment})},
		{"count/present-over", count(stage.Inquiry{PresentOver: time.Hour})},
		{"groups/state", func() (int64, error) {
			_, n, err := service.CountGroups(b.Context(), session, stage.Inquiry{}, stage.Group{By: stage.ByState})
			return n, err
		}},
		{"groups/attribute", func() (int64, error) {
			_, n, err := service.CountGroups(b.Context(), session, stage.Inquiry{}, stage.Group{By: stage.ByAttribute, Attribute: "role"})
			return n, err
		}},
		{"page/first", func() (int64, error) { return page50(b, service, session, stage.NewestFirst) }},
		{"page/longest-present", func() (int64, error) { return page50(b, service, session, stage.LongestFirst) }},
		{"curve", func() (int64, error) {
			c, err := service.Concurrency(b.Context(), session, 0)
			return c.Connected.Count, err
		}},
	} {
		b.Run(question.name, func(b *testing.B) {
			var n int64
			began := processorTime()
			for b.Loop() {
				if n, err = question.ask(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n), "counted")
			took := processorTime() - began
			b.ReportMetric(took.Seconds()*1000/float64(b.N)*1e6/float64(people), "cpu-ms/1e6")
		})
	}
}

func page50(b *testing.B, service *stage.Service, session stage.Session, o stage.Order) (int64, error) {
	list, _, err := service.Attendances(b.Context(), session, stage.Listing{Order: o, Limit: 50})
	return int64(len(list)), err
}
