package api

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"callboard/internal/stage"
)

type (
	getParticipantInput struct {
		StageARN      stage.ARN `json:"stageArn" check:"required,arn=stage" iam:"resource"`
		SessionID     string    `json:"sessionId" check:"required,session"`
		ParticipantID string    `json:"participantId" check:"required,id"`
	}
	getParticipantOutput struct {
		Participant participant `json:"participant"`
	}

	listParticipantsInput struct {
		StageARN  stage.ARN         `json:"stageArn" check:"required,arn=stage" iam:"resource"`
		SessionID string            `json:"sessionId" check:"required,session"`
		UserID    *string           `json:"filterByUserId" check:"min=0,max=128"`
		Published *bool             `json:"filterByPublished"`
		State     *participantState `json:"filterByState"`
		page
		Recording *recordingFilter `json:"filterByRecordingState"`
	}
	listParticipantsOutput struct {
		Participants []participantSummary `json:"participants"` // which appendJSON makes of rows
		NextToken    string               `json:"nextToken,omitempty"`
		rows         []stage.Participant
		memory       *[]stage.Participant // of rows, from memories; nil if it is somebody else's
	}

	disconnectParticipantInput struct {
		StageARN      stage.ARN `json:"stageArn" check:"required,arn=stage" iam:"resource"`
		ParticipantID string    `json:"participantId" check:"required,id"`
		Reason        string    `json:"reason" check:"min=0,max=128"`
	}
)

type (
	// participantSummary is a row of the roll call; appendSummary writes the same.
	participantSummary struct {
		ParticipantID   string    `json:"participantId"`
		UserID          string    `json:"userId"`
		State           string    `json:"state"`
		FirstJoinTime   timestamp `json:"firstJoinTime"`
		Published       bool      `json:"published"`
		RecordingState  string    `json:"recordingState"`
		ReplicationType string    `json:"replicationType"`
	}
	participant struct {
		participantSummary
		Attributes            map[string]string `json:"attributes,omitempty"`
		ISPName               string            `json:"ispName"`
		OSName                string            `json:"osName"`
		OSVersion             string            `json:"osVersion"`
		BrowserName           string            `json:"browserName"`
		BrowserVersion        string            `json:"browserVersion"`
		SDKVersion            string            `json:"sdkVersion"`
		RecordingS3BucketName string            `json:"recordingS3BucketName"`
		RecordingS3Prefix     string            `json:"recordingS3Prefix"`
		Protocol              stage.Protocol    `json:"protocol"`
	}
)

const (
	connected    = "CONNECTED"
	disconnected = "DISCONNECTED"
)

type participantState string

func (participantState) values() []string { return []string{connected, disconnected} }

// recordingStates are the names of the recording states of the domain.
var recordingStates = []string{
	stage.RecordingDisabled: "DISABLED",
	stage.RecordingStarting: "STARTING",
	stage.RecordingActive:   "ACTIVE",
	stage.RecordingStopping: "STOPPING",
	stage.RecordingStopped:  "STOPPED",
	stage.RecordingFailed:   "FAILED",
}

// recordingFilter is a recording state one can filter by: all but DISABLED.
type recordingFilter string

func (recordingFilter) values() []string { return recordingStates[stage.RecordingStarting:] }

func (a *API) getParticipant(ctx context.Context, c stage.Caller, in *getParticipantInput) (*getParticipantOutput, error) {
	p, err := a.service.Participant(ctx, c, in.StageARN, in.SessionID, in.ParticipantID)
	if err != nil {
		return nil, err
	}
	return &getParticipantOutput{toParticipant(p)}, nil
}

func (a *API) listParticipants(ctx context.Context, c stage.Caller, in *listParticipantsInput) (*listParticipantsOutput, error) {
	filter, err := in.filter()
	if err != nil {
		return nil, err
	}
	q := ask("ListParticipants", c, in.StageARN.String(), in.SessionID, filter)
	p, err := a.openPage(in.page, q)
	if err != nil {
		return nil, err
	}
	roll, memory := in.roll(p), memories.Get().(*[]stage.Participant)
	roll.Into = *memory
	list, next, err := a.service.Participants(ctx, c, roll)
	if err != nil {
		return nil, err
	}
	return &listParticipantsOutput{rows: list, memory: memory, NextToken: a.nextToken(next, q)}, nil
}

// memories are those that pages were in: a page is most of the memory that an
// answer needs, and is needed no longer than until it is written.
var memories = sync.Pool{New: func() any { return new([]stage.Participant) }}

// filter spells the filter of a request, "" if it has none. Being there is
// what counts: false and "" are filters like any other.
func (in *listParticipantsInput) filter() (string, error) {
	var given []string
	if in.UserID != nil {
		given = append(given, "filterByUserId="+*in.UserID)
	}
	if in.Published != nil {
		given = append(given, "filterByPublished="+strconv.FormatBool(*in.Published))
	}
	if in.State != nil {
		given = append(given, "filterByState="+string(*in.State))
	}
	if in.Recording != nil {
		given = append(given, "filterByRecordingState="+string(*in.Recording))
	}
	switch len(given) {
	case 0:
		return "", nil
	case 1:
		return given[0], nil
	default:
		return "", invalid(fmt.Sprintf("Only one of filterByUserId, filterByPublished, filterByState and "+
			"filterByRecordingState can be provided per request, but %d are.", len(given)))
	}
}

// roll turns a checked request into one of the domain.
func (in *listParticipantsInput) roll(p stage.Page) stage.Roll {
	r := stage.Roll{Stage: in.StageARN, SessionID: in.SessionID, Page: p, UserID: in.UserID, Published: in.Published}
	if in.State != nil {
		r.Connected = new(*in.State == connected)
	}
	if in.Recording != nil {
		r.Recording = new(stage.RecordingState(slices.Index(recordingStates, string(*in.Recording))))
	}
	return r
}

func (a *API) disconnectParticipant(ctx context.Context, c stage.Caller, in *disconnectParticipantInput) (*nothing, error) {
	return &nothing{}, a.service.Disconnect(ctx, c, in.StageARN, in.ParticipantID, in.Reason)
}

func toParticipantSummary(p stage.Participant) participantSummary {
	state := disconnected
	if p.Connected {
		state = connected
	}
	return participantSummary{
		ParticipantID:   p.ID,
		UserID:          p.UserID,
		State:           state,
		FirstJoinTime:   timestamp{p.FirstJoin},
		Published:       p.Published,
		RecordingState:  recordingStates[p.Recording],
		ReplicationType: "NONE",
	}
}

func toParticipant(p stage.Participant) participant {
	out := participant{participantSummary: toParticipantSummary(p), Protocol: stage.ProtocolUnknown}
	if d := p.Detail; d != nil {
		out.Attributes = d.Attributes
		out.OSName, out.OSVersion = d.Client.OSName, d.Client.OSVersion
		out.BrowserName, out.BrowserVersion = d.Client.BrowserName, d.Client.BrowserVersion
		out.SDKVersion = d.Client.SDKVersion
		out.Protocol = d.Protocol
	}
	return out
}

// appendJSON writes the answer to ListParticipants, the one that clients ask
// for again and again, as encoding/json would, without reflection and without
// wire types in between. It can be called once.
func (out *listParticipantsOutput) appendJSON(b []byte) []byte {
	if out.memory != nil {
		defer memories.Put(out.memory)
		*out.memory = out.rows
	}
	b = append(b, `{"participants":[`...)
	for i := range out.rows {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendSummary(b, &out.rows[i])
	}
	b = append(b, ']')
	if out.NextToken != "" {
		b = appendString(append(b, `,"nextToken":`...), out.NextToken)
	}
	return append(b, '}')
}

func appendSummary(b []byte, p *stage.Participant) []byte {
	b = appendString(append(b, `{"participantId":`...), p.ID)
	b = appendString(append(b, `,"userId":`...), p.UserID)
	if p.Connected {
		b = append(b, `,"state":"`+connected+`","firstJoinTime":`...)
	} else {
		b = append(b, `,"state":"`+disconnected+`","firstJoinTime":`...)
	}
	b = appendTime(b, p.FirstJoin)
	if p.Published {
		b = append(b, `,"published":true,"recordingState":"`...)
	} else {
		b = append(b, `,"published":false,"recordingState":"`...)
	}
	b = append(b, recordingStates[p.Recording]...)
	return append(b, `","replicationType":"NONE"}`...)
}
