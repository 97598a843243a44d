package desk

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"callboard/internal/stage"
)

type (
	countParticipantsInput struct {
		place
		inquiry
		By string `query:"by" max:"256" doc:"counts by the values of this as well: state, published, publishing, recordingState, protocol, or attribute. and a key"`
	}
	countParticipantsOutput struct {
		Count  int64   `json:"count" doc:"how many meet all conditions"`
		Groups []group `json:"groups,omitempty" doc:"the values there are, the most frequent first; whoever does not have the attribute is in none"`
	}
	group struct {
		Value string `json:"value"`
		Count int64  `json:"count"`
	}

	getConcurrencyInput struct {
		place
		Resolution int64 `query:"resolution" min:"1" max:"31536000" doc:"seconds in a bucket; if not given, what suits the length of the session"`
	}
	getConcurrencyOutput struct {
		StartTime  time.Time `json:"startTime" doc:"the beginning of the session"`
		EndTime    time.Time `json:"endTime" doc:"its end, or now"`
		Resolution int64     `json:"resolution" doc:"seconds in a bucket"`
		Peak       peaks     `json:"peak"`
		Buckets    []bucket  `json:"buckets"`
	}
	peaks struct {
		Connected  peak `json:"connected"`
		Publishing peak `json:"publishing"`
	}
	peak struct {
		Count int64     `json:"count"`
		Time  time.Time `json:"time" doc:"when there were so many for the first time"`
	}
	bucket struct {
		StartTime  time.Time `json:"startTime"`
		Connected  span      `json:"connected"`
		Publishing span      `json:"publishing"`
	}
	// span is what a count was in a stretch of time.
	span struct {
		Min  int64 `json:"min"`
		Max  int64 `json:"max"`
		Last int64 `json:"last"`
	}
)

func countRoutes() []route {
	return []route{
		answer("CountParticipants", "GET", "/stages/{stage}/sessions/{session}/participants/count",
			"Count the participants of a session who meet all conditions.", (*Desk).countParticipants),
		answer("GetConcurrency", "GET", "/stages/{stage}/sessions/{session}/concurrency",
			"Read how many were connected and publishing at once in the course of a session.", (*Desk).getConcurrency),
	}
}

// groupings are what counts can be split by, and the names of the values where they
// are not those of the domain.
var groupings = map[string]struct {
	by    stage.GroupBy
	names map[string]string
}{
	"state":          {stage.ByState, map[string]string{"true": "CONNECTED", "false": "DISCONNECTED"}},
	"published":      {by: stage.ByPublished},
	"publishing":     {by: stage.ByPublishing},
	"recordingState": {stage.ByRecording, numbered(recordingStates[:])},
	"protocol":       {by: stage.ByProtocol},
}

func numbered(names []string) map[string]string {
	m := map[string]string{}
	for i, name := range names {
		m[strconv.Itoa(i)] = name
	}
	return m
}

func (d *Desk) countParticipants(ctx context.Context, c *call, in *countParticipantsInput) (*countParticipantsOutput, error) {
	session, err := d.session(ctx, c, in.place)
	if err != nil {
		return nil, err
	}
	if in.By == "" {
		n, err := d.o.Service.CountParticipants(ctx, session, in.meaning())
		return &countParticipantsOutput{Count: n}, err
	}
	how, known := groupings[in.By]
	by := stage.Group{By: how.by}
	if key, ok := strings.CutPrefix(in.By, "attribute."); ok {
		by = stage.Group{By: stage.ByAttribute, Attribute: key}
	} else if !known {
		return nil, invalid("by must be state, published, publishing, recordingState, protocol, or attribute. and a key")
	}
	groups, all, err := d.o.Service.CountGroups(ctx, session, in.meaning(), by)
	if err != nil {
		return nil, err
	}
	out := &countParticipantsOutput{Count: all}
	for value, n := range groups {
		if name, ok := how.names[value]; ok {
			value = name
		}
		out.Groups = append(out.Groups, group{value, n})
	}
	slices.SortFunc(out.Groups, func(a, b group) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Value, b.Value))
	})
	return out, nil
}

func (d *Desk) getConcurrency(ctx context.Context, c *call, in *getConcurrencyInput) (*getConcurrencyOutput, error) {
	session, err := d.session(ctx, c, in.place)
	if err != nil {
		return nil, err
	}
	curve, err := d.o.Service.Concurrency(ctx, session, time.Duration(in.Resolution)*time.Second)
	if err != nil {
		return nil, err
	}
	out := &getConcurrencyOutput{
		StartTime: curve.From.UTC(), EndTime: curve.To.UTC(), Resolution: int64(curve.Width / time.Second),
		Peak:    peaks{peak{curve.Connected.Count, curve.Connected.At.UTC()}, peak{curve.Publishing.Count, curve.Publishing.At.UTC()}},
		Buckets: make([]bucket, len(curve.Buckets)),
	}
	for i, b := range curve.Buckets {
		out.Buckets[i] = bucket{b.From.UTC(), span(b.Connected), span(b.Publishing)}
	}
	return out, nil
}
