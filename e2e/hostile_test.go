//go:build e2e

package e2e

import (
	"bufio"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ivsrealtime"
	"github.com/aws/aws-sdk-go-v2/service/ivsrealtime/types"
	"github.com/coder/websocket"

	"callboard/internal/guest"
)

func TestABodyThatIsTooLargeIsCutOffWithoutBeingRead(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	l := crowded(t, b)
	before := everything(t, l)
	huge := strings.Repeat(" ", 2<<20)
	signed := b.call(t, "CreateStage", `{"name":"huge"}`+huge)
	equal(t, "a signed body of 2 MiB", []any{signed.status, signed.code()}, []any{413, "RequestEntityTooLargeException"})
	unsigned := reply(t, b.request(t, http.MethodPost, "/CreateStage", huge))
	equal(t, "an unsigned body of 2 MiB", unsigned.status, 413)
	for _, path := range []string{"/whip", "/whip/publish/" + l.people[0].ID(), "/whip/subscribe/" + l.people[1].ID()} {
		r := b.request(t, http.MethodPost, path, "v=0\r\n"+huge)
		r.Header.Set("Content-Type", "application/sdp")
		r.Header.Set("Authorization", "Bearer "+l.people[0].token)
		equal(t, "an offer of 2 MiB to "+path, reply(t, r).status, 413)
	}
	equal(t, "the facts", everything(t, l), before)

	// One that promises much and sends little must not be waited for.
	conn := dial(t, b)
	fmt.Fprintf(conn, "POST /CreateStage HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", 1<<40)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	must(t, err)
	resp.Body.Close()
	equal(t, "a body of a terabyte", resp.StatusCode, 413)
}

// crowded is a stage with somebody who publishes and somebody who watches.
func crowded(t *testing.T, b *board) *ledger {
	t.Helper()
	l := &ledger{board: b, arn: b.stage(t)}
	publisher, viewer := l.actor(t, "publisher"), l.actor(t, "viewer")
	l.publish(t, publisher, guest.H264)
	l.attend(t, viewer)
	l.subscribe(t, viewer, publisher, 3)
	l.agrees(t, patience)
	return l
}

// everything is all that the API tells of an account, as text.
func everything(t *testing.T, l *ledger) string {
	t.Helper()
	ctx, b := t.Context(), l.board
	stages, err := b.ListStages(ctx, &sdk.ListStagesInput{})
	must(t, err)
	keys, err := b.ListPublicKeys(ctx, &sdk.ListPublicKeysInput{})
	must(t, err)
	sessions, err := b.ListStageSessions(ctx, &sdk.ListStageSessionsInput{StageArn: &l.arn})
	must(t, err)
	all := []any{stages.Stages, keys.PublicKeys, sessions.StageSessions, l.rows(t, "")}
	for _, a := range l.people {
		out, err := b.GetParticipant(ctx, &sdk.GetParticipantInput{StageArn: &l.arn, SessionId: &l.session, ParticipantId: aws.String(a.ID())})
		must(t, err)
		all = append(all, out.Participant, history(t, b, l.arn, l.session, a.ID()))
	}
	return text(all)
}

// dial opens a bare connection to the board.
func dial(t *testing.T, b *board) net.Conn {
	t.Helper()
	conn, err := net.DialTimeout("tcp", strings.TrimPrefix(b.url, "http://"), patience)
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn
}

func TestWhoSendsHeadersOneByOneIsCutOff(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	conn := dial(t, b)
	gone := make(chan struct{})
	go func() { // ends when the server or the cleanup closes the connection
		defer close(gone)
		io.Copy(io.Discard, conn)
	}()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	began := time.Now()
	fmt.Fprint(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\n")
	for i := 0; ; i++ {
		select {
		case <-gone:
			t.Logf("cut off after %v", time.Since(began).Round(100*time.Millisecond))
			return
		case <-tick.C:
			fmt.Fprintf(conn, "X-%d: y\r\n", i)
		}
		if time.Since(began) > 30*time.Second {
			t.Fatal("the server has listened to endless headers for 30 s")
		}
	}
}

func TestAFloodOfIdleConnectionsKeepsNobodyOut(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	arn := b.stage(t)
	const flood = 1500
	for i := range flood {
		conn := dial(t, b)
		if i%2 == 0 {
			fmt.Fprint(conn, "POST /CreateStage HTTP/1.1\r\nHost: x\r\nContent-Le")
		}
	}
	began := time.Now()
	_, err := b.GetStage(deadline(t, patience), &sdk.GetStageInput{Arn: &arn})
	must(t, err)
	attendance(t, b.guest(t, arn, "ada"))
	t.Logf("with %d idle connections the API answered and somebody joined in %v", flood, time.Since(began).Round(time.Millisecond))

	// Half of an offer is worth as little: none of these is ever completed.
	token := *b.token(t, arn, "half").Token
	for range 100 {
		conn := dial(t, b)
		fmt.Fprintf(conn, "POST /whip HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/sdp\r\nContent-Length: 3000\r\n\r\nv=0\r\n", token)
	}
	session := b.session(t, arn)
	list, err := b.ListParticipants(deadline(t, patience), &sdk.ListParticipantsInput{StageArn: &arn, SessionId: &session})
	must(t, err)
	equal(t, "participants", len(list.Participants), 1)
}

func TestGarbageOnTheMediaPortChangesNothing(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	l := &ledger{board: b, arn: b.stage(t)}
	publisher, viewer := l.actor(t, "publisher"), l.actor(t, "viewer")
	l.publish(t, publisher, guest.H264)
	s := l.subscribe(t, viewer, publisher, 10)
	l.agrees(t, patience)
	before := everything(t, l)

	conn, err := net.Dial("udp", b.media)
	must(t, err)
	defer conn.Close()
	stun := []byte{0, 1, 0, 8, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0, 6, 0, 4, 'a', ':', 'b', 'c'}
	for i := range 5000 {
		packet := make([]byte, 1+i%1400)
		rand.Read(packet)
		switch i % 4 {
		case 0:
			packet = append(stun, packet...) // a binding request for nobody
		case 1:
			packet[0] = 0x80 // like RTP
		case 2:
			packet[0] = 22 // like DTLS
		}
		conn.Write(packet) // as much as the socket takes
	}
	must(t, s.WaitFrames(deadline(t, patience), 25))
	equal(t, "the facts", everything(t, l), before)
	l.agrees(t, patience)
}

func TestARefusedRequestChangesNothing(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	l := crowded(t, b)
	resource := mediaResource(t, b, l)
	before := everything(t, l)
	ctx := t.Context()
	publisher, viewer := l.people[0], l.people[1]
	tries := 0
	no := func(what string, status int) {
		t.Helper()
		if tries++; status < 400 || status > 499 {
			t.Errorf("%s is answered with %d", what, status)
		}
	}
	whip := func(method, path, token, kind, body string, headers ...string) int {
		r := b.request(t, method, path, body)
		r.Header.Set("Content-Type", kind)
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		return reply(t, r).status
	}
	const sdp, fragment = "application/sdp", "application/trickle-ice-sdpfrag"
	no("an offer that is none", whip("POST", "/whip", publisher.token, sdp, "hello"))
	no("an empty offer", whip("POST", "/whip", publisher.token, sdp, ""))
	no("an offer of another type", whip("POST", "/whip", publisher.token, "text/plain", "v=0\r\n"))
	no("an offer without a token", whip("POST", "/whip", "", sdp, "v=0\r\n"))
	no("an offer in another's name", whip("POST", "/whip/publish/"+viewer.ID(), publisher.token, sdp, "v=0\r\n"))
	no("a subscription to oneself", whip("POST", "/whip/subscribe/"+viewer.ID(), viewer.token, sdp, "v=0\r\n"))
	no("a method there is not", whip("PUT", "/whip", publisher.token, sdp, "v=0\r\n"))
	no("a path there is not", whip("POST", "/whip/nothing/x", publisher.token, sdp, "v=0\r\n"))
	no("a session there is not", whip("DELETE", "/whip/sessions/AAAAAAAAAAAAAAAAAAAAAA", publisher.token, sdp, ""))
	no("deleting another's session", whip("DELETE", resource, viewer.token, sdp, ""))
	no("deleting a session without a token", whip("DELETE", resource, "", sdp, ""))
	no("a fragment without If-Match", whip("PATCH", resource, publisher.token, fragment, "a=ice-ufrag:x\r\na=ice-pwd:yyyyyyyyyyyyyyyyyyyyyyyy\r\n"))
	no("a fragment for another ICE session", whip("PATCH", resource, publisher.token, fragment, "a=ice-ufrag:x\r\na=ice-pwd:yyyyyyyyyyyyyyyyyyyyyyyy\r\n", "If-Match", `"other"`))
	no("a fragment of another type", whip("PATCH", resource, publisher.token, sdp, "v=0\r\n", "If-Match", `"*"`))

	_, err := b.CreateStage(ctx, &sdk.CreateStageInput{Name: aws.String("a b")})
	refused[*types.ValidationException](t, "CreateStage", err)
	_, err = b.CreateStage(ctx, &sdk.CreateStageInput{Name: aws.String("fine"), ParticipantTokenConfigurations: []types.ParticipantTokenConfiguration{
		{}, {Attributes: map[string]string{"a": strings.Repeat("b", 1024)}}}})
	refused[*types.ValidationException](t, "CreateStage with one bad token", err)
	_, err = b.UpdateStage(ctx, &sdk.UpdateStageInput{Arn: &l.arn, Name: aws.String(strings.Repeat("a", 129))})
	refused[*types.ValidationException](t, "UpdateStage", err)
	_, err = b.DisconnectParticipant(ctx, &sdk.DisconnectParticipantInput{StageArn: &l.arn, ParticipantId: aws.String(publisher.ID()), Reason: aws.String(strings.Repeat("r", 129))})
	refused[*types.ValidationException](t, "DisconnectParticipant", err)
	_, err = b.client(b.id, "wrong", region).DeleteStage(ctx, &sdk.DeleteStageInput{Arn: &l.arn})
	unmodelled(t, "DeleteStage with a wrong secret", err, "InvalidSignatureException", 403)
	_, err = b.TagResource(ctx, &sdk.TagResourceInput{ResourceArn: &l.arn, Tags: map[string]string{"fine": "x", "aws:not": "y"}})
	refused[*types.ValidationException](t, "TagResource", err)
	_, _, err = websocket.Dial(ctx, b.url+"/events/AnotherStage", &websocket.DialOptions{Subprotocols: []string{viewer.token}})
	if err == nil {
		t.Error("a socket for another stage was opened")
	}
	no("a socket without a token", reply(t, b.request(t, "GET", "/events", "")).status)

	equal(t, "the facts", everything(t, l), before)
	t.Logf("%d requests were refused", tries)
	l.agrees(t, patience)
}

// mediaResource has the publisher publish anew and gives the path of that session.
func mediaResource(t *testing.T, b *board, l *ledger) string {
	t.Helper()
	a := l.people[0]
	p, err := a.Publish(deadline(t, patience), guest.H264)
	must(t, err)
	a.did("PUBLISH_STOPPED", "PUBLISH_STARTED")
	l.agrees(t, patience)
	return strings.TrimPrefix(p.Resource(), b.url)
}
