package stage_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"callboard/internal/stage"
	"callboard/internal/store"
)

// world is a domain on a real store with a clock that the test moves.
type world struct {
	*stage.Service
	*stage.Register
	t      *testing.T
	store  *store.Store
	floor  *emptyFloor
	caller stage.Caller

	mu  sync.Mutex
	now time.Time
}

// emptyFloor notes who was asked to go; nobody is ever there.
type emptyFloor struct {
	gone  []string
	media stage.Media
}

func (f *emptyFloor) Disconnect(_ context.Context, _ stage.ARN, id string, _ stage.Reason, _ string) error {
	f.gone = append(f.gone, id)
	return nil
}

func (f *emptyFloor) Clear(_ context.Context, s stage.ARN, _ stage.Reason) error {
	f.gone = append(f.gone, s.ID)
	return nil
}

func (f *emptyFloor) Inspect(context.Context, stage.ARN, string) (stage.Media, error) {
	return f.media, nil
}

const linger = 2 * time.Minute

func newWorld(t *testing.T) *world { return newWorldWith(t, "", stage.Quotas{PublicKeys: 3}) }

func newWorldWith(t *testing.T, path string, q stage.Quotas, change ...func(*stage.Options)) *world {
	t.Helper()
	w := &world{
		t:      t,
		floor:  &emptyFloor{},
		caller: stage.Caller{Account: "123456789012", Region: "us-east-1", ARN: "arn:aws:iam::123456789012:root"},
		now:    time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
	var err error
	w.store, err = store.Open(t.Context(), store.Options{Path: path, Now: w.clock})
	w.check(err)
	t.Cleanup(func() { w.store.Close() })
	o := stage.Options{
		Store:     w.store,
		Endpoints: stage.Endpoints{Events: "ws://localhost/events", WHIP: "http://localhost/whip"},
		Linger:    linger,
		Quotas:    q,
		Now:       w.clock,
	}
	for _, f := range change {
		f(&o)
	}
	w.Service, w.Register, err = stage.Open(t.Context(), o)
	w.check(err)
	w.UseFloor(w.floor)
	return w
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) check(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) stage() stage.ARN {
	w.t.Helper()
	s, _, err := w.CreateStage(w.t.Context(), w.caller, stage.NewStage{})
	w.check(err)
	return s.ARN
}

func (w *world) token(arn stage.ARN, userID string) stage.IssuedToken {
	w.t.Helper()
	issued, err := w.CreateToken(w.t.Context(), w.caller, arn, stage.TokenRequest{UserID: userID})
	w.check(err)
	return issued
}

// join walks a fresh participant through the door.
func (w *world) join(arn stage.ARN, userID string) stage.Entry {
	w.t.Helper()
	return w.enter(w.token(arn, userID).JWT)
}

func (w *world) enter(jwt string) stage.Entry {
	w.t.Helper()
	a, err := w.Admit(w.t.Context(), jwt)
	w.check(err)
	e, err := w.Join(w.t.Context(), a, stage.Client{})
	w.check(err)
	return e
}

func (w *world) record(e stage.Entry, names ...stage.EventName) {
	w.t.Helper()
	var facts []stage.Fact
	for _, n := range names {
		facts = append(facts, stage.Fact{Name: n, Protocol: stage.ProtocolWHIP})
	}
	w.check(w.Record(w.t.Context(), e, facts...))
}

// roll walks the whole roll call in pages of the given size.
func (w *world) roll(r stage.Roll, page int) []stage.Participant {
	w.t.Helper()
	var all []stage.Participant
	r.Page = stage.Page{Limit: page}
	for {
		list, next, err := w.Participants(w.t.Context(), w.caller, r)
		w.check(err)
		all = append(all, list...)
		if next == 0 {
			return all
		}
		r.Page.After = next
	}
}

func (w *world) events(e stage.Entry) []string {
	w.t.Helper()
	list, _, err := w.Events(w.t.Context(), w.caller, e.Stage, e.SessionID, e.ParticipantID, stage.Page{Limit: 100})
	w.check(err)
	names := []string{}
	for _, ev := range list {
		names = append(names, string(ev.Name)+ev.Remote)
	}
	return names
}

func wantKind(t *testing.T, err error, want stage.Kind) {
	t.Helper()
	if err == nil || stage.KindOf(err) != want {
		t.Fatalf("got error %v of kind %d, want kind %d", err, stage.KindOf(err), want)
	}
}

func TestStageIsAnsweredAsItWasCreated(t *testing.T) {
	w := newWorld(t)
	made, tokens, err := w.CreateStage(t.Context(), w.caller, stage.NewStage{
		Name:   "main",
		Tags:   map[string]string{"env": "test"},
		Tokens: []stage.TokenRequest{{UserID: "a"}, {UserID: "b", Capabilities: &[]stage.Capability{}}},
	})
	w.check(err)
	if len(tokens) != 2 || tokens[0].UserID != "a" || len(tokens[1].Capabilities) != 0 {
		t.Errorf("tokens %+v do not follow their requests", tokens)
	}
	read, err := w.Stage(t.Context(), w.caller, made.ARN)
	w.check(err)
	if fmt.Sprint(read) != fmt.Sprint(made) || read.ActiveSessionID != "" {
		t.Errorf("read %+v, created %+v", read, made)
	}
	name := "other"
	changed, err := w.UpdateStage(t.Context(), w.caller, made.ARN, stage.StageChange{Name: &name})
	w.check(err)
	if changed.Name != "other" || changed.Tags["env"] != "test" {
		t.Errorf("after update: %+v", changed)
	}
}

func TestResourcesOfOthersAreOutOfReach(t *testing.T) {
	w := newWorld(t)
	arn := w.stage()
	e := w.join(arn, "")
	stranger := stage.Caller{Account: "999999999999", Region: "us-east-1"}
	elsewhere := stage.Caller{Account: w.caller.Account, Region: "eu-west-1"}
	_, err := w.Stage(t.Context(), stranger, arn)
	wantKind(t, err, stage.Denied)
	_, err = w.Stage(t.Context(), elsewhere, arn)
	wantKind(t, err, stage.NotFound)
	_, _, err = w.Participants(t.Context(), stranger, stage.Roll{Stage: arn, SessionID: e.SessionID, Page: stage.Page{Limit: 1}})
	wantKind(t, err, stage.Denied)
	list, _, err := w.Participants(t.Context(), elsewhere, stage.Roll{Stage: arn, SessionID: e.SessionID, Page: stage.Page{Limit: 1}})
	w.check(err)
	if len(list) != 0 {
		t.Errorf("another region's caller sees %v", list)
	}
}

func TestStageQuotaHolds(t *testing.T) {
	w := newWorldWith(t, "", stage.Quotas{Stages: 2})
	w.stage()
	w.stage()
	_, _, err := w.CreateStage(t.Context(), w.caller, stage.NewStage{})
	wantKind(t, err, stage.Quota)
}

func TestNoStageRemainsWhenATokenRequestIsBad(t *testing.T) {
	w := newWorld(t)
	big := map[string]string{"k": string(make([]byte, 1024))}
	_, _, err := w.CreateStage(t.Context(), w.caller, stage.NewStage{Tokens: []stage.TokenRequest{{}, {Attributes: big}}})
	wantKind(t, err, stage.Invalid)
	list, _, err := w.Stages(t.Context(), w.caller, stage.Page{Limit: 10})
	w.check(err)
	if len(list) != 0 {
		t.Errorf("%d stages remain", len(list))
	}
}

func TestRecordingNeedsAStorageConfigurationThatExists(t *testing.T) {
	w := newWorld(t)
	unknown := &stage.RecordingChange{StorageConfigurationARN: "arn:aws:ivs:us-east-1:123456789012:storage-configuration/nothere"}
	_, _, err := w.CreateStage(t.Context(), w.caller, stage.NewStage{Recording: unknown})
	wantKind(t, err, stage.Invalid)
	_, err = w.UpdateStage(t.Context(), w.caller, w.stage(), stage.StageChange{Recording: unknown})
	wantKind(t, err, stage.NotFound)
}

func TestDeletedStageTakesItsHistoryAlong(t *testing.T) {
	w := newWorld(t)
	arn := w.stage()
	e := w.join(arn, "")
	token := w.token(arn, "late").JWT
	w.check(w.DeleteStage(t.Context(), w.caller, arn))
	if len(w.floor.gone) != 1 || w.floor.gone[0] != arn.ID {
		t.Errorf("the floor was told %v", w.floor.gone)
	}
	_, err := w.Admit(t.Context(), token)
	wantKind(t, err, stage.NotFound)
	_, err = w.Participant(t.Context(), w.caller, arn, e.SessionID, e.ParticipantID)
	wantKind(t, err, stage.NotFound)
	if list := w.roll(stage.Roll{Stage: arn, SessionID: e.SessionID}, 10); len(list) != 0 {
		t.Errorf("still listed: %v", list)
	}
	wantKind(t, w.DeleteStage(t.Context(), w.caller, arn), stage.NotFound)
}

func TestTagsMergeAndKeepTheirBounds(t *testing.T) {
	w := newWorld(t)
	arn := w.stage()
	w.check(w.Tag(t.Context(), w.caller, arn, map[string]string{"a": "1", "b": "2"}))
	w.check(w.Tag(t.Context(), w.caller, arn, map[string]string{"b": "3"}))
	w.check(w.Untag(t.Context(), w.caller, arn, []string{"a", "never"}))
	tags, err := w.Tags(t.Context(), w.caller, arn)
	w.check(err)
	if len(tags) != 1 || tags["b"] != "3" {
		t.Errorf("tags are %v", tags)
	}
	many := map[string]string{}
	for i := range 50 {
		many[fmt.Sprint(i)] = ""
	}
	wantKind(t, w.Tag(t.Context(), w.caller, arn, many), stage.Invalid)
	wantKind(t, w.Tag(t.Context(), w.caller, arn, map[string]string{"aws:x": ""}), stage.Invalid)
	wantKind(t, w.Untag(t.Context(), w.caller, arn, nil), stage.Invalid)
	channel := arn
	channel.Type = "channel"
	_, err = w.Tags(t.Context(), w.caller, channel)
	wantKind(t, err, stage.Invalid)
}

func TestSecretStaysTheSame(t *testing.T) {
	path := filepath.Join(t.TempDir(), "callboard.db")
	w := newWorldWith(t, path, stage.Quotas{})
	first, err := w.Secret(t.Context(), "page")
	w.check(err)
	w.check(w.store.Close())
	again, err := newWorldWith(t, path, stage.Quotas{}).Secret(t.Context(), "page")
	w.check(err)
	if string(first) != string(again) || len(first) != 32 {
		t.Errorf("secret was %x, is %x", first, again)
	}
}
