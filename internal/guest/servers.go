package guest

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"time"

	"github.com/pion/webrtc/v4"
)

// configuration is that of a new peer connection.
func (g *Guest) configuration() (o webrtc.Configuration, err error) {
	if !g.cable.turn.Load() {
		return o, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	o.ICETransportPolicy = webrtc.ICETransportPolicyRelay
	o.ICEServers, err = g.servers(ctx)
	return o, err
}

var linkForm = regexp.MustCompile(`^<(turns?:[^>]+)>; rel="ice-server"; username="([^"]*)"; credential="([^"]*)"; credential-type="password"$`)

// servers asks the endpoint for ICE servers (RFC 9725, section 4.6).
func (g *Guest) servers(ctx context.Context) (found []webrtc.ICEServer, err error) {
	resp, err := (&call{guest: g}).request(ctx, http.MethodOptions, g.claims.WHIPURL, nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	for _, value := range resp.Header.Values("Link") {
		if m := linkForm.FindStringSubmatch(value); m != nil {
			found = append(found, webrtc.ICEServer{URLs: m[1:2], Username: m[2], Credential: m[3]})
		}
	}
	if len(found) == 0 {
		return nil, errors.New("the endpoint knows no TURN server")
	}
	return found, nil
}
