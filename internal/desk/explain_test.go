package desk

import (
	"net/http"
	"testing"

	"callboard/internal/stage"
)

func TestAnExplanationIsGivenForAnIDAndForAToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.join(w.newStage(), "ann")
	var e, same explanation
	w.read("/stages/"+ann.Stage.ID+"/participants/"+ann.ParticipantID+"/explanation", &e)
	if e.ParticipantID != ann.ParticipantID || e.StageARN != ann.Stage.String() || len(e.Sentences) < 4 || e.Sentences[0].About != "token" || e.Sentences[0].Finding != "OK" {
		t.Errorf("%+v", e)
	}
	issued, err := w.service.CreateToken(t.Context(), w.caller, ann.Stage, stage.TokenRequest{})
	w.check(err)
	w.ask("POST", "/stages/"+ann.Stage.ID+"/explanations", `{"token":"`+issued.JWT+`"}`, &same)
	if same.ParticipantID != issued.ParticipantID || same.Sentences[0].Finding != "OK" {
		t.Errorf("%+v", same)
	}
	var where participantStages
	w.read("/participants/"+ann.ParticipantID+"/stages", &where)
	if len(where.StageARNs) != 1 || where.StageARNs[0] != ann.Stage.String() {
		t.Errorf("%+v", where)
	}
	for _, path := range []string{"/stages/" + ann.Stage.ID + "/participants/a%20b/explanation", "/participants/a%20b/stages"} {
		if r := w.get(path); r.status != http.StatusBadRequest {
			t.Error(path, r.status)
		}
	}
}
