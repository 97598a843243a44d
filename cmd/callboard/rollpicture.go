package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

// watched is a participant in a roll that is watched.
type watched struct {
	ParticipantID string
	UserID        string
	State         string
	Published     bool
	FirstJoinTime time.Time
	JoinSequence  int64
}

// rollPicture is a roll that is kept up to date and shown.
type rollPicture struct {
	screen  *screen
	roll    map[string]watched
	session string
	ended   bool
	live    bool   // all that was there is known
	trouble string // why it may not be up to date
}

// apply takes one message of a watch and shows what has become of the roll.
func (p *rollPicture) apply(m streamMessage) error {
	var data struct {
		Part         int
		SessionID    string
		Participants []watched
		View         string
		Participant  watched
	}
	if err := json.Unmarshal(m.Data, &data); err != nil {
		return err
	}
	p.trouble = ""
	switch m.Event {
	case "snapshot":
		if data.Part == 1 {
			clear(p.roll)
			p.session, p.ended, p.live = data.SessionID, false, false
		}
		for _, row := range data.Participants {
			p.roll[row.ParticipantID] = row
		}
	case "session-started":
		clear(p.roll)
		p.session, p.ended = data.SessionID, false
	case "session-ended":
		p.ended = true
	case "caught-up":
		p.live = true
	case "joined", "left", "published", "unpublished", "exchanged":
		if data.View == "exited" {
			delete(p.roll, data.Participant.ParticipantID)
		} else {
			p.roll[data.Participant.ParticipantID] = data.Participant
		}
	}
	return p.show()
}

// note shows that the picture may be old.
func (p *rollPicture) note(trouble string) {
	p.trouble = trouble
	p.show()
}

// mostShown is how many participants a picture has.
const mostShown = 100

func (p *rollPicture) show() error {
	if !p.live {
		return nil
	}
	return p.screen.show(p.text())
}

func (p *rollPicture) text() string {
	list := slices.SortedFunc(maps.Values(p.roll), func(a, b watched) int { return int(b.JoinSequence - a.JoinSequence) })
	connected := 0
	rows := [][]string{{"PARTICIPANT", "USER ID", "STATE", "PUBLISHED", "FIRST JOINED"}}
	for i, w := range list {
		if w.State == "CONNECTED" {
			connected++
		}
		if i < mostShown {
			rows = append(rows, []string{w.ParticipantID, printable(w.UserID), w.State, yesNo(w.Published), w.FirstJoinTime.Local().Format(time.DateTime)})
		}
	}
	text := align(rows)
	if len(list) > mostShown {
		text += fmt.Sprintf("... and %d who joined earlier.\n", len(list)-mostShown)
	}
	switch {
	case p.session == "":
		text = "Nobody is there now; waiting for a session.\n"
	case p.ended:
		text += "\nSession " + p.session + " has ended.\n"
	default:
		text += fmt.Sprintf("\nSession %s: %d connected of %d.\n", p.session, connected, len(list))
	}
	if p.trouble != "" {
		text += "Not up to date: " + p.trouble + "\n"
	}
	return text
}
