package desk

import (
	"context"

	"callboard/internal/stage"
)

type (
	getExplanationInput struct {
		Stage       string `path:"stage" doc:"the id of the stage, which is the last part of its ARN"`
		Participant string `path:"participant" doc:"the id of the participant"`
	}
	explainTokenInput struct {
		Stage string    `path:"stage" doc:"the id of the stage, which is the last part of its ARN"`
		Body  tokenBody `body:""`
	}
	tokenBody struct {
		Token string `json:"token" doc:"a participant token for this stage; it is judged, and neither kept nor logged"`
	}
	getParticipantStagesInput struct {
		Participant string `path:"participant" doc:"the id of the participant"`
	}
	participantStages struct {
		StageARNs []string `json:"stageArns" doc:"the stages of the account in this region for which a token of this participant was made or seen"`
	}

	// explanation says in order why somebody is not connected, not publishing, or not seen.
	explanation struct {
		StageARN      string     `json:"stageArn"`
		ParticipantID string     `json:"participantId,omitempty" doc:"absent if a token does not even tell that"`
		Sentences     []sentence `json:"sentences" doc:"the first problem is most often the cause of the others"`
	}
	sentence struct {
		About   string `json:"about" enum:"token,stage,session,roll,errors,servers,attempts,presence,publication,subscriptions,audience"`
		Finding string `json:"finding" enum:"OK,NOTE,PROBLEM"`
		Text    string `json:"text"`
		Advice  string `json:"advice,omitempty" doc:"what to do about it"`
	}
)

func explainRoutes() []route {
	return []route{
		answer("GetExplanation", "GET", "/stages/{stage}/participants/{participant}/explanation",
			"Say in order why a participant is not connected, not publishing, or not seen.", (*Desk).getExplanation),
		answer("ExplainToken", "POST", "/stages/{stage}/explanations",
			"Say the same of whoever a token is for, and whether the token would be let in.", (*Desk).explainToken),
		answer("GetParticipantStages", "GET", "/participants/{participant}/stages",
			"Find the stages on which a participant id is known.", (*Desk).getParticipantStages),
	}
}

func (d *Desk) getExplanation(ctx context.Context, c *call, in *getExplanationInput) (*explanation, error) {
	arn, err := c.stage()
	if err != nil {
		return nil, err
	}
	if !plausibleID(in.Participant) {
		return nil, invalid("participant must be the id of a participant: 1 to 64 of A-Z, a-z, 0-9, _ and -")
	}
	e, err := d.o.Service.Explain(ctx, c.Caller, arn, in.Participant)
	return toExplanation(e), err
}

func (d *Desk) explainToken(ctx context.Context, c *call, in *explainTokenInput) (*explanation, error) {
	arn, err := c.stage()
	if err != nil {
		return nil, err
	}
	e, err := d.o.Service.ExplainToken(ctx, c.Caller, arn, in.Body.Token)
	return toExplanation(e), err
}

func (d *Desk) getParticipantStages(ctx context.Context, c *call, in *getParticipantStagesInput) (*participantStages, error) {
	if !plausibleID(in.Participant) {
		return nil, invalid("participant must be the id of a participant: 1 to 64 of A-Z, a-z, 0-9, _ and -")
	}
	list, err := d.o.Service.Where(ctx, c.Caller, in.Participant)
	out := &participantStages{StageARNs: []string{}}
	for _, arn := range list {
		out.StageARNs = append(out.StageARNs, arn.String())
	}
	return out, err
}

func toExplanation(e stage.Explanation) *explanation {
	out := &explanation{StageARN: e.Stage.String(), ParticipantID: e.ParticipantID, Sentences: []sentence{}}
	for _, s := range e.Sentences {
		out.Sentences = append(out.Sentences, sentence{s.About, string(s.Finding), s.Text, s.Advice})
	}
	return out
}

// plausibleID tells whether a text has the form of a participant id.
func plausibleID(id string) bool {
	for _, r := range id {
		if !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_') {
			return false
		}
	}
	return id != "" && len(id) <= 64
}
