package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/smithy-go"
)

// streamMessage is one of an event stream.
type streamMessage struct {
	Event string          `json:"event"`
	ID    string          `json:"id,omitempty"`
	Data  json.RawMessage `json:"data"`
}

// deskStream is an event stream that is opened again whenever it is lost.
type deskStream struct {
	client *deskClient
	path   string
	query  url.Values
	cursor string          // of the last message
	lost   func(err error) // is told about it; may be nil
}

// Bounds of an event stream: a line, and the silence after which it is lost, which is
// some heartbeats.
const (
	longestLine    = 4 << 20
	longestSilence = time.Minute
)

// errEnded is the end of a stream that the server meant.
var errEnded = errors.New("the stream has ended")

// each gives every message to use, until ctx ends, use fails, or the server says that
// there is nothing more. Each message is given once.
func (s *deskStream) each(ctx context.Context, use func(streamMessage) error) error {
	for pause, opened := time.Second, false; ; {
		took, err := s.once(ctx, use)
		switch opened = opened || took; {
		case ctx.Err() != nil, errors.Is(err, errEnded):
			return nil
		case !opened || refused(err):
			return err
		case took:
			pause = time.Second
		}
		if s.lost != nil {
			s.lost(err)
		}
		again := time.NewTimer(pause)
		select {
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
		}
		pause = min(2*pause, 30*time.Second)
	}
}

// refused tells whether to ask again would give the same.
func refused(err error) bool {
	said, ok := errors.AsType[*useError](err)
	if ok {
		return said != nil
	}
	api, ok := errors.AsType[smithy.APIError](err)
	return ok && api.ErrorCode() != "ServiceUnavailableException" && api.ErrorCode() != "ThrottlingException" && api.ErrorCode() != "InternalServerException"
}

// useError is an error of who is given the messages.
type useError struct{ error }

func (e *useError) Unwrap() error { return e.error }

// once opens the stream and reads it to its end. It tells whether it was opened.
func (s *deskStream) once(ctx context.Context, use func(streamMessage) error) (opened bool, err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	header := http.Header{"Accept": {"text/event-stream"}}
	if s.cursor != "" {
		header.Set("Last-Event-ID", s.cursor)
	}
	resp, err := s.client.send(ctx, http.MethodGet, s.path, s.query, nil, header)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNoContent {
		return true, errEnded
	}
	silence := time.AfterFunc(longestSilence, stop)
	defer silence.Stop()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, longestLine)
	var m streamMessage
	for lines.Scan() {
		silence.Reset(longestSilence)
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "event":
			m.Event = value
		case "id":
			m.ID = value
		case "data":
			m.Data = json.RawMessage(value)
		case "":
			if err := s.take(m, use); err != nil {
				return true, err
			}
			m = streamMessage{}
		}
	}
	return true, errors.Join(errors.New("the connection was lost"), lines.Err())
}

// take hands one message on and remembers its cursor.
func (s *deskStream) take(m streamMessage, use func(streamMessage) error) error {
	if m.ID != "" {
		s.cursor = m.ID
	}
	if m.Event == "" {
		return nil
	}
	if err := use(m); err != nil {
		return &useError{err}
	}
	if m.Event != "goodbye" {
		return nil
	}
	var why struct{ Reason string }
	json.Unmarshal(m.Data, &why)
	switch why.Reason {
	case "stopping":
		return errors.New("the server is stopping")
	case "ended":
		return errEnded
	}
	return &useError{errors.New("the server has ended the watch: " + map[string]string{
		"denied": "the access key may not watch any more", "gone": "the stage is not there any more",
	}[why.Reason])}
}
