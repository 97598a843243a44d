package stage_test

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"callboard/internal/stage"
)

// ingest makes an ingest configuration on a stage.
func (w *world) ingest(arn stage.ARN, redundant bool) stage.IngestConfiguration {
	w.t.Helper()
	i, err := w.CreateIngestConfiguration(w.t.Context(), w.caller, stage.NewIngestConfiguration{
		Stage: arn, Protocol: stage.IngestRTMPS, Redundant: redundant,
	})
	w.check(err)
	return i
}

// activate makes an ingest configuration look as it does while somebody
// publishes through it.
func (w *world) activate(arn stage.ARN) {
	w.t.Helper()
	w.check(w.store.Update(w.t.Context(), func(tx stage.Tx) error {
		d, err := tx.Document(arn)
		if err != nil {
			return err
		}
		d.Body = bytes.Replace(d.Body, []byte(`"State":"INACTIVE"`), []byte(`"State":"ACTIVE"`), 1)
		for i, link := range d.Links {
			if link.ID == string(stage.IngestInactive) {
				d.Links[i].ID = string(stage.IngestActive)
			}
		}
		return tx.PutDocument(&d)
	}))
	if w.readIngest(arn).State != stage.IngestActive {
		w.t.Fatal("it did not become active")
	}
}

func (w *world) readIngest(arn stage.ARN) stage.IngestConfiguration {
	w.t.Helper()
	i, err := w.IngestConfiguration(w.t.Context(), w.caller, arn)
	w.check(err)
	return i
}

// listIngest walks the ingest configurations that match a filter, two at a time.
func (w *world) listIngest(f stage.IngestFilter) (ids []string) {
	w.t.Helper()
	for after := int64(0); ; {
		list, next, err := w.IngestConfigurations(w.t.Context(), w.caller, f, stage.Page{After: after, Limit: 2})
		w.check(err)
		for _, i := range list {
			ids = append(ids, i.ARN.ID)
		}
		if next == 0 {
			return ids
		}
		after = next
	}
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func TestAStreamKeyNamesItsIngestConfiguration(t *testing.T) {
	w := newWorld(t)
	i := w.ingest(stage.ARN{}, true)
	form := regexp.MustCompile(`^rt_123456789012_us-east-1_` + i.ARN.ID + `_[A-Za-z0-9]{30}$`)
	if len(i.Redundant) != 2 || i.Redundant[0].StreamKey != i.StreamKey || i.Redundant[1].StreamKey == i.StreamKey {
		t.Fatalf("credentials are %+v beside the key %s", i.Redundant, i.StreamKey)
	}
	for _, credential := range i.Redundant {
		if !form.MatchString(credential.StreamKey) {
			t.Errorf("stream key %s", credential.StreamKey)
		}
	}
	ids := map[string]bool{i.ParticipantID: true, i.Redundant[0].ParticipantID: true, i.Redundant[1].ParticipantID: true}
	if len(ids) != 3 {
		t.Errorf("the virtual participant and the two real ones have the ids %v", ids)
	}
}

func TestParticipantIDAndStreamKeyOfAnIngestConfigurationStay(t *testing.T) {
	w := newWorld(t)
	one, two := w.stage(), w.stage()
	made := w.ingest(one, false)
	on, off := true, false
	for _, ch := range []stage.IngestChange{{Stage: &two}, {Stage: &stage.ARN{}}, {Redundant: &on}, {Redundant: &on}, {Stage: &one}, {Redundant: &off}, {}} {
		before := w.readIngest(made.ARN)
		i, err := w.UpdateIngestConfiguration(t.Context(), w.caller, made.ARN, ch)
		w.check(err)
		if i.ParticipantID != made.ParticipantID || i.StreamKey != made.StreamKey {
			t.Errorf("after %+v: %+v", ch, i)
		}
		if ch.Redundant == &on && len(before.Redundant) == 2 {
			same(t, "credentials that were there already", i.Redundant, before.Redundant)
		}
		same(t, "what is stored", w.readIngest(made.ARN), i)
	}
	same(t, "the last state", w.readIngest(made.ARN), made)
}

func TestAnIngestConfigurationNeedsAStageThatExists(t *testing.T) {
	w := newWorld(t)
	unknown := w.stage()
	unknown.ID = "nothere"
	elsewhere := unknown
	elsewhere.Region = "eu-west-1"
	i := w.ingest(stage.ARN{}, false)
	for _, arn := range []stage.ARN{unknown, elsewhere} {
		_, err := w.CreateIngestConfiguration(t.Context(), w.caller, stage.NewIngestConfiguration{Protocol: stage.IngestRTMPS, Stage: arn})
		wantKind(t, err, stage.Invalid)
		_, err = w.UpdateIngestConfiguration(t.Context(), w.caller, i.ARN, stage.IngestChange{Stage: &arn})
		wantKind(t, err, stage.NotFound)
	}
	foreign := unknown
	foreign.Account = "999999999999"
	_, err := w.CreateIngestConfiguration(t.Context(), w.caller, stage.NewIngestConfiguration{Protocol: stage.IngestRTMPS, Stage: foreign})
	wantKind(t, err, stage.Denied)
	_, err = w.UpdateIngestConfiguration(t.Context(), w.caller, i.ARN, stage.IngestChange{Stage: &foreign})
	wantKind(t, err, stage.Denied)
	_, _, err = w.IngestConfigurations(t.Context(), w.caller, stage.IngestFilter{Stage: foreign}, stage.Page{Limit: 1})
	wantKind(t, err, stage.Denied)
	same(t, "ingest configurations on unknown stages", len(w.listIngest(stage.IngestFilter{Stage: elsewhere})), 0)
}

func TestPlainRTMPNeedsLeave(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		protocol stage.IngestProtocol
		insecure bool
		allowed  bool
	}{{"RTMP", false, false}, {"RTMP", true, true}, {"RTMPS", false, true}, {"RTMPS", true, true}} {
		_, err := w.CreateIngestConfiguration(t.Context(), w.caller, stage.NewIngestConfiguration{Protocol: c.protocol, Insecure: c.insecure})
		if (err == nil) != c.allowed {
			t.Errorf("%s, insecure %v: %v", c.protocol, c.insecure, err)
		}
		if err != nil {
			wantKind(t, err, stage.Invalid)
		}
	}
}

func TestIngestConfigurationsAreFoundByStageAndByState(t *testing.T) {
	w := newWorld(t)
	one, two := w.stage(), w.stage()
	var all, onOne, active, inactive []string
	for n := range 9 {
		arn := []stage.ARN{one, two, {}}[n%3]
		i := w.ingest(arn, n%2 == 0)
		all = append(all, i.ARN.ID)
		if arn == one {
			onOne = append(onOne, i.ARN.ID)
		}
		if n%4 == 1 {
			w.activate(i.ARN)
			active = append(active, i.ARN.ID)
		} else {
			inactive = append(inactive, i.ARN.ID)
		}
	}
	same(t, "all", w.listIngest(stage.IngestFilter{}), all)
	same(t, "by stage", w.listIngest(stage.IngestFilter{Stage: one}), onOne)
	same(t, "active", w.listIngest(stage.IngestFilter{State: stage.IngestActive}), active)
	same(t, "inactive", w.listIngest(stage.IngestFilter{State: stage.IngestInactive}), inactive)
}

func TestAnActiveIngestConfigurationChangesByForceOnly(t *testing.T) {
	w := newWorld(t)
	i := w.ingest(w.stage(), true)
	w.activate(i.ARN)
	_, err := w.UpdateIngestConfiguration(t.Context(), w.caller, i.ARN, stage.IngestChange{Stage: &stage.ARN{}})
	wantKind(t, err, stage.Conflict)
	wantKind(t, w.DeleteIngestConfiguration(t.Context(), w.caller, i.ARN, false), stage.Conflict)
	same(t, "after refusals", w.readIngest(i.ARN).Stage, i.Stage)
	w.check(w.DeleteIngestConfiguration(t.Context(), w.caller, i.ARN, true))
	same(t, "who was sent away", w.floor.gone, []string{i.ParticipantID, i.Redundant[0].ParticipantID, i.Redundant[1].ParticipantID})
	wantKind(t, w.DeleteIngestConfiguration(t.Context(), w.caller, i.ARN, true), stage.NotFound)
}

func TestAnIdleIngestConfigurationIsDeletedWithAndWithoutForce(t *testing.T) {
	w := newWorld(t)
	for _, force := range []bool{false, true} {
		w.check(w.DeleteIngestConfiguration(t.Context(), w.caller, w.ingest(w.stage(), false).ARN, force))
	}
	same(t, "who was sent away", w.floor.gone, []string{})
	same(t, "what is left", len(w.listIngest(stage.IngestFilter{})), 0)
}

func TestDisconnectingAParticipantOfAnIngestConfigurationDetachesItAndBarsNobody(t *testing.T) {
	w := newWorld(t)
	arn := w.stage()
	for n := range 3 { // by the id of the virtual participant and of each real one
		i := w.ingest(arn, true)
		w.activate(i.ARN)
		ids := []string{i.ParticipantID, i.Redundant[0].ParticipantID, i.Redundant[1].ParticipantID}
		w.floor.gone = nil
		for range 2 { // the second time it is detached already
			w.check(w.Disconnect(t.Context(), w.caller, arn, ids[n], "enough"))
			detached := w.readIngest(i.ARN)
			if detached.Stage != (stage.ARN{}) || detached.State != stage.IngestInactive || detached.StreamKey != i.StreamKey {
				t.Errorf("after disconnecting: %+v", detached)
			}
		}
		same(t, "who was sent away", w.floor.gone, append(ids, ids...))
		w.check(w.store.View(t.Context(), func(tx stage.Tx) error {
			for _, id := range ids {
				if _, err := tx.Pass(arn, id); err != stage.ErrNoRow {
					t.Errorf("participant %s is known by a pass: %v", id, err)
				}
			}
			return nil
		}))
		_, err := w.UpdateIngestConfiguration(t.Context(), w.caller, i.ARN, stage.IngestChange{Stage: &arn})
		w.check(err)
	}
	other := w.ingest(w.stage(), false)
	wantKind(t, w.Disconnect(t.Context(), w.caller, arn, other.ParticipantID, ""), stage.NotFound)
	same(t, "the stage of the other one", w.readIngest(other.ARN).Stage, other.Stage)
}

func TestDeleteStageDetachesItsIngestConfigurationsHoweverMany(t *testing.T) {
	w := newWorldWith(t, "", stage.Quotas{})
	arn, other := w.stage(), w.stage()
	kept := w.ingest(other, false)
	const many = 250
	var last stage.IngestConfiguration
	for range many {
		last = w.ingest(arn, false)
	}
	w.activate(last.ARN)
	w.check(w.DeleteStage(t.Context(), w.caller, arn))
	same(t, "still attached", len(w.listIngest(stage.IngestFilter{Stage: arn})), 0)
	same(t, "attached to the other stage", w.listIngest(stage.IngestFilter{Stage: other}), []string{kept.ARN.ID})
	same(t, "active", len(w.listIngest(stage.IngestFilter{State: stage.IngestActive})), 0)
	same(t, "all", len(w.listIngest(stage.IngestFilter{})), many+1)
	if got := w.readIngest(last.ARN); got.Stage != (stage.ARN{}) || got.State != stage.IngestInactive || got.StreamKey != last.StreamKey {
		t.Errorf("the last one is %+v", got)
	}
}

func TestAttributesOfAnIngestConfigurationHaveTheBoundOfATokens(t *testing.T) {
	w := newWorld(t)
	for size, allowed := range map[int]bool{1024: true, 1025: false} {
		_, err := w.CreateIngestConfiguration(t.Context(), w.caller, stage.NewIngestConfiguration{
			Protocol: stage.IngestRTMPS, Attributes: map[string]string{"k": strings.Repeat("v", size-1)},
		})
		if (err == nil) != allowed {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}
