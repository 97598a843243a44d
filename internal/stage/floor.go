package stage

import "context"

// Reason is why the server ended a participant's presence, as the IVS client
// SDKs name it in STAGE_LEFT.
type Reason string

// The reasons.
const (
	ReasonUserInitiated           Reason = "user-initiated"
	ReasonTokenReused             Reason = "token-reused"
	ReasonStageDeleted            Reason = "stage-deleted"
	ReasonParticipantDisconnected Reason = "participant-disconnected"
	ReasonFailedExchange          Reason = "failed-exchange"
	ReasonUnknown                 Reason = "unknown"
)

// Floor acts on the people who are present, and knows what they send, whichever process holds them.
type Floor interface {
	// Disconnect ends everything the participant has on the stage and returns
	// after its leaving is recorded; at once if the participant is not here.
	// text is the free-form reason given by the caller, "" if none.
	Disconnect(ctx context.Context, stage ARN, participantID string, reason Reason, text string) error
	// Clear ends everyone on the stage and returns after their leaving is recorded.
	Clear(ctx context.Context, stage ARN, reason Reason) error
	// Inspect tells what is known of one participant's media, of everybody's for an
	// empty id. It takes a few seconds at most.
	Inspect(ctx context.Context, stage ARN, participantID string) (Media, error)
}
