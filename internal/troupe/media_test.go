package troupe_test

import (
	"testing"

	"callboard/internal/stage"
)

func TestMediaAreKnownInEveryProcess(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a, b, c := h.open(), h.open(), h.open()
	together(a, b, c)
	arn := a.stage()
	hostToken, host := a.token(arn)
	viewerToken, viewer := b.token(arn)
	a.publish(hostToken)
	a.awaitEvents(arn, host, "JOINED", "PUBLISH_STARTED")
	b.subscribe(viewerToken, host)
	for _, n := range []*node{a, b, c} {
		n.await("figures of both", func() bool {
			m, err := n.service.Media(t.Context(), h.caller, arn, "")
			if err != nil || len(m.Participants) != 2 || m.Missing != nil {
				return false
			}
			var sent, received bool
			for _, p := range m.Participants {
				switch {
				case p.ID == host && p.Process == a.register.Process() && p.Publication != nil:
					sent = flows(p.Publication)
				case p.ID == viewer && p.Process == b.register.Process() && len(p.Subscriptions) == 1:
					l := &p.Subscriptions[0]
					received = flows(l) && l.Publisher == host && l.Process == a.register.Process()
				}
			}
			return sent && received
		})
	}
	a.server.CloseClientConnections()
	a.server.Close()
	b.await("an answer that says what is missing", func() bool {
		m, err := b.service.Media(t.Context(), h.caller, arn, viewer)
		return err == nil && len(m.Missing) == 1 && m.Missing[0] == a.register.Process()
	})
}

func flows(l *stage.MediaLeg) bool {
	for _, s := range l.Streams {
		if s.Bitrate == 0 {
			return false
		}
	}
	return len(l.Streams) == 2 && l.Progress == stage.Up
}
