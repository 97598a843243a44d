package store

import (
	"encoding/json"
	"reflect"
	"testing"

	"callboard/internal/stage"
)

// TestEveryChangeIsToldToOtherProcesses fills each member of a change, those of
// later days as well, and looks whether it comes out again at the other end.
func TestEveryChangeIsToldToOtherProcesses(t *testing.T) {
	t.Parallel()
	did := change{
		forgot: true, opened: []stage.Session{{No: 7, Stage: testStage, ID: "st-1"}}, put: []stage.Participant{{Session: 8, Seq: 9}},
		deleted: []stage.ARN{testStage}, stale: []int64{10},
	}
	var sum, told changes
	sum.add(&did)
	text, err := json.Marshal(&sum)
	if err == nil {
		err = json.Unmarshal(text, &told)
	}
	s := &Store{rolls: newRolls(1)}
	heard, err2 := s.resolve(nil, &told)
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	if len(told.Put) != 1 || told.Put[0] != [2]int64{8, 9} {
		t.Errorf("participants are told as %v", told.Put)
	}
	sent, got := reflect.ValueOf(did), reflect.ValueOf(*heard)
	for i := range sent.NumField() {
		switch name := sent.Type().Field(i).Name; name {
		case "event": // the end of the feed is a counter
		case "put": // read from the database, and only those of sessions that have a roll here
		default:
			if sent.Field(i).IsZero() {
				t.Errorf("nothing is known of %s", name)
			} else if got.Field(i).IsZero() {
				t.Errorf("%s gets lost", name)
			}
		}
	}
}
