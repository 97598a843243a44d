package guest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/pion/webrtc/v4"
)

// Restart restarts ICE (RFC 9725, section 4.3.3). It returns when the server has agreed; media go on meanwhile.
func (c *call) Restart(ctx context.Context) error {
	offer, err := c.peer.CreateOffer(&webrtc.OfferOptions{ICERestart: true})
	if err != nil {
		return err
	}
	gathered := webrtc.GatheringCompletePromise(c.peer)
	if err := c.peer.SetLocalDescription(offer); err != nil {
		return err
	}
	select {
	case <-gathered:
	case <-ctx.Done():
		return ctx.Err()
	}
	resp, err := c.request(ctx, http.MethodPatch, c.resource, strings.NewReader(fragment(c.peer.LocalDescription().SDP)))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return refusal(resp)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	if err != nil {
		return err
	}
	answer, err := restarted(c.peer.RemoteDescription().SDP, string(body))
	if err != nil {
		return err
	}
	return c.peer.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer})
}

// fragment is what a description says of ICE, as RFC 8840 has it.
func fragment(description string) string {
	var b strings.Builder
	sections := 0
	for line := range strings.Lines(description) {
		if strings.HasPrefix(line, "m=") {
			sections++
		}
		switch name, _, _ := strings.Cut(strings.TrimRight(line, "\r\n"), ":"); {
		case sections != 1:
		case strings.HasPrefix(line, "m="), name == "a=ice-ufrag", name == "a=ice-pwd", name == "a=mid", name == "a=candidate", name == "a=end-of-candidates":
			b.WriteString(line)
		}
	}
	return b.String()
}

// restarted is an answer with the credentials of a fragment.
func restarted(answer, fragment string) (string, error) {
	fresh := map[string]string{}
	for line := range strings.Lines(fragment) {
		if name, _, _ := strings.Cut(line, ":"); name == "a=ice-ufrag" || name == "a=ice-pwd" {
			fresh[name] = line
		}
	}
	if len(fresh) != 2 {
		return "", errors.New("the answer to a restart has no credentials")
	}
	var b strings.Builder
	for line := range strings.Lines(answer) {
		name, _, _ := strings.Cut(line, ":")
		if other, ok := fresh[name]; ok {
			line = other
		}
		b.WriteString(line)
	}
	return b.String(), nil
}
