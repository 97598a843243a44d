package presence

import (
	"testing"

	"callboard/internal/stage"
)

// An SDK of Amazon's that is told on the socket gives up; after a refused upgrade it tries again.
func TestAmazonsSDKTriesAgainWhereThatMayHelp(t *testing.T) {
	t.Parallel()
	sdk := handshake{jwt: "a.b.c", ivs: true}
	for _, err := range []*stage.Error{
		{Kind: stage.Quota, Code: stage.CodeStageAtCapacity}, {Kind: stage.Quota}, {Kind: stage.Conflict}, {Kind: stage.Internal},
	} {
		if sdk.hears(err) {
			t.Errorf("an error of kind %v is told on the socket", err.Kind)
		}
	}
	for _, code := range []string{stage.CodeTokenExpired, stage.CodeStageDeleted, stage.CodeParticipantDisconnected} {
		err := &stage.Error{Kind: stage.Denied, Code: code}
		if !sdk.hears(err) || (handshake{jwt: "a.b.c"}).hears(err) {
			t.Errorf("%s is to be told on the socket to those who ask for it, and only to them", code)
		}
	}
}
