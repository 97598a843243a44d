//go:build e2e && interop

package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ivsrealtime"
	"github.com/aws/aws-sdk-go-v2/service/ivsrealtime/types"
)

// The tests here have Amazon's SDK for browsers, as it is published, in pages of
// their own. See scripts/interop and docs/interop.md.

// played is what a page shows of somebody else.
type played struct {
	Frames, Width          int
	Widths                 []int
	AudioMuted, VideoMuted bool
	Here                   bool
	Streams                []string
}

// layer is a simulcast layer as the SDK tells of it.
type layer struct {
	Label                              string
	Width, BitrateBps, FramesPerSecond int
}

func interopPages(t *testing.T) string {
	t.Helper()
	if _, err := os.Stat("interop/dist/page.js"); err != nil {
		t.Fatal("the page has to be built first: scripts/interop does it")
	}
	web := httptest.NewServer(http.FileServerFS(os.DirFS("interop")))
	t.Cleanup(web.Close)
	return web.URL + "/page.html"
}

// joins opens a page and has its SDK join.
func joins(t *testing.T, page, token string) *tab {
	t.Helper()
	tab := browse(t, page)
	do[any](t, tab, "participant.join(%s)", token)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the SDK told:\n%s", strings.Join(do[[]string](t, tab, "participant.told"), "\n"))
		}
	})
	return tab
}

// shown waits until what a page shows of somebody is as wanted.
func (tab *tab) shown(t *testing.T, id, what string, wanted func(played) bool) played {
	t.Helper()
	var p played
	eventually(t, time.Minute, func() string {
		if p = do[played](t, tab, "participant.plays(%s)", id); !wanted(p) {
			return fmt.Sprintf("%s: %+v", what, p)
		}
		return ""
	})
	return p
}

// tells waits until the SDK has raised an event.
func (tab *tab) tells(t *testing.T, event string) {
	t.Helper()
	eventually(t, time.Minute, func() string {
		if told := do[[]string](t, tab, "participant.told"); !slices.Contains(told, event) {
			return fmt.Sprintf("the SDK does not tell %q:\n%s", event, strings.Join(told, "\n"))
		}
		return ""
	})
}

func moves(p played) bool { return p.Frames > 10 && p.Width > 0 }

func TestInteropTwoPagesWithAmazonsSDK(t *testing.T) {
	b := newBoard(t)
	page := interopPages(t)
	arn := b.stage(t)
	minted := *b.token(t, arn, "ada").Token
	ada, bob := bearer(t, minted).ID(), "bob-of-the-app"
	signed := importedKey(t, b).token(t, b, arn, bob)
	one, two := joins(t, page, minted), joins(t, page, signed)

	do[any](t, one, "participant.publish(true)")
	do[any](t, two, "participant.publish(false)")
	small := two.shown(t, ada, "the lowest of three layers first", moves)
	equal(t, "streams", small.Streams, []string{"audio", "video"})
	large := one.shown(t, bob, "one layer", moves)
	t.Logf("widths: of three layers %v, of one %v", small.Widths, large.Widths)

	do[any](t, one, "participant.mute('audio', true)")
	two.shown(t, ada, "muted", func(p played) bool { return p.AudioMuted && !p.VideoMuted })
	do[any](t, two, "participant.mute('video', true)")
	one.shown(t, bob, "without video", func(p played) bool { return !p.AudioMuted && p.VideoMuted })

	session := b.session(t, arn)
	list, err := b.ListParticipants(t.Context(), &sdk.ListParticipantsInput{StageArn: &arn, SessionId: &session, FilterByPublished: true})
	must(t, err)
	equal(t, "publishers", len(list.Participants), 2)
	for _, id := range []string{ada, bob} {
		chromium(t, b, arn, session, id)
	}

	do[any](t, one, "participant.leave()")
	two.shown(t, ada, "gone", func(p played) bool { return !p.Here })
	leaves(t, b, arn, session, ada)
	events := history(t, b, arn, session, ada)
	slices.Sort(events[1:3]) // the SDK begins and ends both at the same time
	slices.Sort(events[3:5])
	equal(t, "what happened to the one who left", events, []string{
		"JOINED", "PUBLISH_STARTED", "SUBSCRIBE_STARTED " + bob, "PUBLISH_STOPPED", "SUBSCRIBE_STOPPED " + bob, "LEFT"})
	people(t, b, arn, session, map[string]types.ParticipantState{ada: "DISCONNECTED", bob: "CONNECTED"})
}

// people checks whom ListParticipants lists, and how.
func people(t *testing.T, b *board, arn, session string, want map[string]types.ParticipantState) {
	t.Helper()
	list, err := b.ListParticipants(t.Context(), &sdk.ListParticipantsInput{StageArn: &arn, SessionId: &session})
	must(t, err)
	got := map[string]types.ParticipantState{}
	for _, p := range list.Participants {
		got[*p.ParticipantId] = p.State
	}
	equal(t, "who is listed", got, want)
}

func TestInteropTheSDKStaysOutWhenTheServerSaysSo(t *testing.T) {
	b := newBoard(t)
	page := interopPages(t)
	arn := b.stage(t)
	token := b.token(t, arn, "ada")
	tab := joins(t, page, *token.Token)
	do[any](t, tab, "participant.publish(false)")
	tab.tells(t, `stageParticipantPublishStateChanged ada "published"`)
	session := b.session(t, arn)
	_, err := b.DisconnectParticipant(t.Context(), &sdk.DisconnectParticipantInput{StageArn: &arn, ParticipantId: token.ParticipantId})
	must(t, err)
	tab.tells(t, `stageLeft "participant-disconnected"`)
	leaves(t, b, arn, session, *token.ParticipantId)
	again := do[string](t, tab, "participant.join(%s).then(() => 'joined', (error) => `${error.category} ${error.code}`)", *token.Token)
	equal(t, "coming back", again, "JOIN_ERROR 10")

	other := b.token(t, arn, "bob")
	two := joins(t, page, *other.Token)
	three := joins(t, page, *other.Token)
	two.tells(t, `stageLeft "token-reused"`)
	_, err = b.DeleteStage(t.Context(), &sdk.DeleteStageInput{Arn: &arn})
	must(t, err)
	three.tells(t, `stageLeft "stage-deleted"`)
	again = do[string](t, three, "participant.join(%s).then(() => 'joined', (error) => `${error.category} ${error.code}`)", *other.Token)
	equal(t, "joining a stage that is gone", again, "JOIN_ERROR 9")
}

func TestInteropTheSDKChoosesLayers(t *testing.T) {
	b := newBoard(t)
	page := interopPages(t)
	arn := b.stage(t)
	token := b.token(t, arn, "ada")
	one, two := joins(t, page, *token.Token), joins(t, page, *b.token(t, arn, "bob").Token)
	do[any](t, one, "participant.publish(true)")
	two.shown(t, *token.ParticipantId, "the picture", moves)
	eventually(t, time.Minute, func() string {
		known := do[[]layer](t, two, "participant.people[%s].streams.get('video').getLayers() ?? []", *token.ParticipantId)
		measured := slices.DeleteFunc(slices.Clone(known), func(l layer) bool { return l.BitrateBps == 0 || l.FramesPerSecond == 0 || l.Width == 0 })
		if len(measured) < 2 {
			return fmt.Sprintf("the SDK knows of layers %+v", known)
		}
		return ""
	})
	best := do[string](t, two, "participant.people[%s].streams.get('video').getHighestQualityLayer().label", *token.ParticipantId)
	for _, layer := range []string{"low", best} {
		do[any](t, two, "(participant.layer = %s, participant.stage.refreshStrategy())", layer)
		eventually(t, time.Minute, func() string {
			if got := do[string](t, two, "participant.people[%s].streams.get('video').getSelectedLayer()?.label ?? ''", *token.ParticipantId); got != layer {
				return fmt.Sprintf("layer %q is selected, not %s", got, layer)
			}
			return ""
		})
	}
	two.shown(t, *token.ParticipantId, "a larger picture", func(p played) bool { return p.Width > 320 })
}

// The page at /join, which speaks our own words, and Amazon's SDK see the same of each other.
func TestInteropTheSDKAndTheJoinPageSeeEachOther(t *testing.T) {
	b := newBoard(t)
	page := interopPages(t)
	arn := b.stage(t)
	theirs, ours := b.token(t, arn, "ada"), b.token(t, arn, "bob")
	ada, bob := *theirs.ParticipantId, *ours.ParticipantId
	one := joins(t, page, *theirs.Token)
	do[any](t, one, "participant.publish(true)")
	two := browse(t, b.url+"/join#token="+*ours.Token)
	two.shows(t, "#camera", "fake")
	two.press(t, "#entry button")
	two.sees(t, ada)
	one.shown(t, bob, "the one on the page", moves)

	two.press(t, "#mic")
	one.shown(t, bob, "muted", func(p played) bool { return p.AudioMuted && !p.VideoMuted })
	do[any](t, one, "participant.mute('video', true)")
	two.shows(t, "#tile-"+ada+" .initial", "A")
	do[any](t, one, "participant.mute('audio', true)")
	two.shows(t, "#tile-"+ada+" .muted", "muted")
	two.press(t, "#leave")
	one.shown(t, bob, "gone", func(p played) bool { return !p.Here })
}

func TestInteropTheSDKExchangesItsToken(t *testing.T) {
	b := newBoard(t)
	page := interopPages(t)
	arn, key, now := b.stage(t), importedKey(t, b), time.Now()
	one := joins(t, page, key.token(t, b, arn, "ada"))
	session := b.session(t, arn)
	do[any](t, one, "participant.exchange(%s)", key.signed(t, b, arn, "ada", now, now.Add(2*time.Hour)))
	eventually(t, time.Minute, func() string {
		if got := history(t, b, arn, session, "ada"); !slices.Equal(got, []string{"JOINED", "TOKEN_EXCHANGED"}) {
			return fmt.Sprint("the events are ", got)
		}
		return ""
	})
	equal(t, "why it left", do[string](t, one, "participant.left"), "")
	people(t, b, arn, session, map[string]types.ParticipantState{"ada": "CONNECTED"})
}

func TestInteropEventsAgree(t *testing.T) {
	b := newBoard(t)
	page := interopPages(t)
	arn := b.stage(t)
	out, err := b.CreateParticipantToken(t.Context(), &sdk.CreateParticipantTokenInput{
		StageArn: &arn, UserId: aws.String("wim"), Capabilities: []types.ParticipantTokenCapability{types.ParticipantTokenCapabilitySubscribe}})
	must(t, err)
	publisher := b.token(t, arn, "ada")
	one, viewer := joins(t, page, *publisher.Token), joins(t, page, *out.ParticipantToken.Token)
	do[any](t, one, "participant.publish(false)")
	viewer.shown(t, *publisher.ParticipantId, "the picture", moves)
	session, id := b.session(t, arn), *out.ParticipantToken.ParticipantId
	viewer.close() // without a goodbye
	leaves(t, b, arn, session, id)
	equal(t, "what happened to the viewer", history(t, b, arn, session, id),
		[]string{"JOINED", "SUBSCRIBE_STARTED " + *publisher.ParticipantId, "SUBSCRIBE_STOPPED " + *publisher.ParticipantId, "LEFT"})
	people(t, b, arn, session, map[string]types.ParticipantState{*publisher.ParticipantId: "CONNECTED", id: "DISCONNECTED"})
}
