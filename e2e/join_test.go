//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ivsrealtime"
	"github.com/aws/aws-sdk-go-v2/service/ivsrealtime/types"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/coder/websocket"

	"callboard/internal/guest"
)

// The page at /join is what people see, and at the same time the client that
// is built on the module at /sdk: two browsers on it meet, through nothing else.
func TestTwoPeopleMeetOnTheJoinPage(t *testing.T) {
	b := newBoard(t)
	arn := b.stage(t)
	tokens := []*types.ParticipantToken{b.token(t, arn, "ada"), b.token(t, arn, "bob")}
	ada, bob := *tokens[0].ParticipantId, *tokens[1].ParticipantId
	var tabs []*tab
	for i, token := range tokens {
		tab := browse(t, b.url+"/join#token="+*token.Token)
		tabs = append(tabs, tab)
		tab.shows(t, "#who", "may publish and watch")
		if i == 0 {
			tab.shows(t, "#camera", "fake")
			tab.look(t, "door")
			tab.accessible(t, "the door")
		}
		tab.press(t, "#entry button")
		tab.shows(t, "#who-is-here", fmt.Sprintf("People (%d)", i+1))
	}
	for i, tab := range tabs {
		tab.sees(t, *tokens[1-i].ParticipantId)
		tab.sees(t, *tokens[i].ParticipantId)
	}
	watcher := b.guest(t, arn, "wim")
	attendance(t, watcher)
	tabs[0].press(t, "#who-is-here")
	tabs[0].shows(t, "#people", "wim")
	tabs[0].shows(t, "#people", "watching")
	tabs[0].shows(t, "#tile-"+bob+" .quality", "good")
	tabs[0].look(t, "stage")
	tabs[0].accessible(t, "the stage")
	tabs[0].says(t, `\bwim\b.* joined\.`) // or "bob and wim have": who comes within a moment is named together
	tabs[0].fits(t)

	tabs[1].press(t, "#mic")
	tabs[0].shows(t, "#tile-"+bob+" .muted", "muted")
	tabs[1].press(t, "#mic")
	tabs[0].misses(t, "#tile-"+bob+" .muted")
	tabs[1].press(t, "#cam")
	tabs[0].shows(t, "#tile-"+bob+" .initial", "B")
	tabs[1].press(t, "#cam")
	tabs[0].misses(t, "#tile-"+bob+" .initial")

	const choose = "(() => { const menu = document.getElementById('layer'); menu.value = %s; menu.dispatchEvent(new Event('change')) })()"
	do[any](t, tabs[0], choose, "audio")
	tabs[0].shows(t, "#tile-"+bob+" .initial", "B")
	do[any](t, tabs[0], choose, "low")
	tabs[0].misses(t, "#tile-"+bob+" .initial")
	tabs[0].sees(t, bob)

	session := b.session(t, arn)
	_, err := b.DisconnectParticipant(t.Context(), &sdk.DisconnectParticipantInput{StageArn: &arn, ParticipantId: &bob})
	must(t, err)
	tabs[1].shows(t, "#status", "disconnected by the host")
	tabs[0].misses(t, "#tile-"+bob)
	tabs[0].press(t, "#leave")
	tabs[0].shows(t, "#status", "You have left")
	leaves(t, b, arn, session, ada)
	events := history(t, b, arn, session, bob)
	slices.Sort(events[1:3]) // publishing and subscribing begin at the same time
	equal(t, "what happened to the one who was sent away", events,
		[]string{"JOINED", "PUBLISH_STARTED", "SUBSCRIBE_STARTED " + ada, "SUBSCRIBE_STOPPED " + ada, "PUBLISH_STOPPED", "LEFT"})
	out, err := b.GetParticipant(t.Context(), &sdk.GetParticipantInput{StageArn: &arn, SessionId: &session, ParticipantId: &ada})
	must(t, err)
	if name := aws.ToString(out.Participant.BrowserName); !strings.Contains(name, "Chrom") {
		t.Errorf("browserName is %q", name)
	}
}

func TestTheJoinPageShowsWhetherThereIsAPictureAtAll(t *testing.T) {
	b := newBoard(t)
	arn := b.stage(t)
	out, err := b.CreateParticipantToken(t.Context(), &sdk.CreateParticipantTokenInput{
		StageArn: &arn, UserId: aws.String("wim"), Capabilities: []types.ParticipantTokenCapability{types.ParticipantTokenCapabilitySubscribe}})
	must(t, err)
	tab := browse(t, b.url+"/join#token="+*out.ParticipantToken.Token)
	tab.press(t, "#entry button")
	tab.shows(t, "#nobody", "Nobody is on stage.")
	radio, camera := b.guest(t, arn, "radio"), b.guest(t, arn, "camera")
	for g, video := range map[*guest.Guest]guest.Video{radio: guest.NoVideo, camera: guest.H264} {
		_, err := g.Publish(deadline(t, patience), video)
		must(t, err)
	}
	tab.shows(t, "#tile-"+radio.ID()+" .initial", "R")
	tab.misses(t, "#tile-"+camera.ID()+" .initial")
	tab.sees(t, camera.ID())
	tab.misses(t, "#nobody")
}

func TestTheJoinPageSaysWhyATokenIsNotGood(t *testing.T) {
	b := newBoard(t)
	arn := b.stage(t)
	token := b.token(t, arn, "ada")
	_, err := b.DeleteStage(t.Context(), &sdk.DeleteStageInput{Arn: &arn})
	must(t, err)
	tab := browse(t, b.url+"/join#token="+*token.Token)
	tab.shows(t, "#who", "may publish and watch")
	tab.press(t, "#entry button")
	tab.shows(t, "#status.bad", "stage")
	tab.shows(t, "h1", "Join a stage")

	tab = browse(t, b.url+"/join#token=abc.def.ghi")
	tab.press(t, "#entry button")
	tab.shows(t, "#status.bad", "not a participant token")
	equal(t, "where one is to type", do[string](t, tab, "document.activeElement.id"), "token")
	tab.accessible(t, "a bad token")
}

func TestALinkDoesNotSendTheCameraToAnotherServerByItself(t *testing.T) {
	here, there := newBoard(t), newBoard(t)
	arn := there.stage(t)
	token := there.token(t, arn, "ada")
	tab := browse(t, here.url+"/join#token="+*token.Token)
	host := strings.TrimPrefix(there.url, "http://")
	tab.shows(t, "#who", "The server is "+host)
	tab.press(t, "#entry button")
	tab.shows(t, "#elsewhere", host)
	tab.look(t, "elsewhere")
	tab.accessible(t, "the question")
	tab.press(t, "#stay")
	tab.misses(t, "#elsewhere")
	equal(t, "a session on the other server", there.session(t, arn), "")
	tab.press(t, "#entry button")
	tab.press(t, "#go")
	tab.shows(t, "#who-is-here", "People (1)")
}

func TestPagesComeBackToAServerThatWasKilled(t *testing.T) {
	b := newBinary(t)
	b.start(t)
	arn := b.stage(t)
	var tabs []*tab
	var ids []string
	for _, name := range []string{"ada", "bob"} {
		token := b.token(t, arn, name)
		tab := browse(t, b.url+"/join#token="+*token.Token)
		tab.shows(t, "#camera", "fake")
		tab.press(t, "#entry button")
		tabs, ids = append(tabs, tab), append(ids, *token.ParticipantId)
	}
	for i, tab := range tabs {
		tab.sees(t, ids[1-i])
	}
	before := b.session(t, arn)
	b.kill()
	tabs[0].shows(t, "#status", "Reconnecting")
	b.start(t)
	for i, tab := range tabs {
		eventually(t, time.Minute, func() string { return publishes(t, b.board, arn, ids[i]) })
		tab.misses(t, "#status.bad")
		seen := "document.querySelector(%s)?.getVideoPlaybackQuality().totalVideoFrames ?? 0"
		frames := do[int](t, tab, seen, "#tile-"+ids[1-i]+" video")
		eventually(t, time.Minute, func() string {
			if now := do[int](t, tab, seen, "#tile-"+ids[1-i]+" video"); now <= frames || now < 10 {
				return fmt.Sprintf("the picture of %s stands still", ids[1-i])
			}
			return ""
		})
	}
	if after := b.session(t, arn); after == before {
		t.Errorf("the session that the crash ended, %s, goes on", before)
	}
}

// A server that is told to end says goodbye; its people come back by themselves, to
// the session that they were in.
func TestPagesComeBackToTheirSessionAfterARestart(t *testing.T) {
	b := newBinary(t)
	b.start(t)
	arn := b.stage(t)
	token := b.token(t, arn, "ada")
	ada := *token.ParticipantId
	tab := browse(t, b.url+"/join#token="+*token.Token)
	tab.shows(t, "#camera", "fake")
	tab.press(t, "#entry button")
	eventually(t, time.Minute, func() string { return publishes(t, b.board, arn, ada) })
	bob := b.guest(t, arn, "bob")
	seat := attendance(t, bob)
	session := b.session(t, arn)
	b.stop(t)
	<-seat.Done()
	if code := websocket.CloseStatus(seat.Err()); code != websocket.StatusGoingAway {
		t.Errorf("bob's socket ended with %v, want code 1001", seat.Err())
	}
	tab.shows(t, "#status", "Reconnecting")
	b.start(t)
	attendance(t, bob)
	eventually(t, time.Minute, func() string {
		if n := len(history(t, b.board, arn, session, ada)); n < 6 {
			return fmt.Sprintf("ada has %d events", n)
		}
		return ""
	})
	tab.misses(t, "#status.bad")
	equal(t, "what happened to ada", history(t, b.board, arn, session, ada),
		[]string{"JOINED", "PUBLISH_STARTED", "PUBLISH_STOPPED", "LEFT", "JOINED", "PUBLISH_STARTED"})
	equal(t, "what happened to bob", history(t, b.board, arn, session, bob.ID()), []string{"JOINED", "LEFT", "JOINED"})
	equal(t, "the session", b.session(t, arn), session)
}

// publishes tells why somebody is not on stage in the live session; "" if he is.
func publishes(t *testing.T, b *board, arn, id string) string {
	t.Helper()
	session := b.session(t, arn)
	if session == "" {
		return "there is no session"
	}
	out, err := b.GetParticipant(t.Context(), &sdk.GetParticipantInput{StageArn: &arn, SessionId: &session, ParticipantId: &id})
	if err != nil {
		return err.Error()
	}
	if out.Participant.State != "CONNECTED" || !out.Participant.Published {
		return fmt.Sprintf("%s is %s, published %v", id, out.Participant.State, out.Participant.Published)
	}
	return ""
}

func TestTheModuleForBrowsersPassesItsOwnTests(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		needed(t, "node")
	}
	out, err := exec.CommandContext(deadline(t, 5*time.Minute), node, "--test", "../sdk/js/test").CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// press clicks what the selector names.
func (tab *tab) press(t *testing.T, selector string) {
	t.Helper()
	eventually(t, time.Minute, func() string {
		if do[bool](t, tab, "(e => !!e && !e.disabled && e.checkVisibility() && (e.click(), true))(document.querySelector(%s))", selector) {
			return ""
		}
		return selector + " cannot be pressed"
	})
}

// shows waits until what the selector names is visible and contains the text.
func (tab *tab) shows(t *testing.T, selector, text string) {
	t.Helper()
	eventually(t, time.Minute, func() string {
		found := do[string](t, tab, "(() => { const e = document.querySelector(%s); return e?.checkVisibility() ? e.innerText : '(not there)' })()", selector)
		if !strings.Contains(found, text) {
			return fmt.Sprintf("%s should say %q: %q; the status is %q", selector, text, found, do[string](t, tab, "document.getElementById('status').innerText"))
		}
		return ""
	})
}

// misses waits until what the selector names is not to be seen.
func (tab *tab) misses(t *testing.T, selector string) {
	t.Helper()
	eventually(t, time.Minute, func() string {
		if do[bool](t, tab, "Boolean(document.querySelector(%s)?.checkVisibility())", selector) {
			return selector + " is still to be seen"
		}
		return ""
	})
}

// says waits until what a screen reader is told of comings and goings matches the pattern.
func (tab *tab) says(t *testing.T, pattern string) {
	t.Helper()
	said := regexp.MustCompile(pattern)
	eventually(t, time.Minute, func() string {
		if text := do[string](t, tab, "document.getElementById('news').textContent"); !said.MatchString(text) {
			return fmt.Sprintf("said was %q, not %q", text, pattern)
		}
		return ""
	})
}

// fits checks that on a phone nothing leads out of the screen.
func (tab *tab) fits(t *testing.T) {
	t.Helper()
	must(t, chromedp.Do(tab.ctx, chromedp.EmulateViewport(390, 844)))
	out := do[[]string](t, tab, `[...document.querySelectorAll("#stage *")].filter((e) => e.checkVisibility() && !e.closest(".unseen"))
		.filter((e) => { const r = e.getBoundingClientRect(); return r.right > innerWidth + 1 || r.left < -1; }).map((e) => e.outerHTML)`)
	equal(t, "what does not fit on a phone", out, []string{})
	must(t, chromedp.Do(tab.ctx, chromedp.EmulateReset()))
}

// sees waits until somebody's picture moves.
func (tab *tab) sees(t *testing.T, id string) {
	t.Helper()
	eventually(t, time.Minute, func() string {
		if frames := do[int](t, tab, "document.querySelector(%s)?.getVideoPlaybackQuality().totalVideoFrames ?? 0", "#tile-"+id+" video"); frames < 10 {
			return fmt.Sprintf("%d frames of %s", frames, id)
		}
		return ""
	})
}

// accessible has axe look at the page as it is, with the rules of WCAG 2.2 AA and good practice.
func (tab *tab) accessible(t *testing.T, what string) {
	t.Helper()
	axe, err := os.ReadFile("js/node_modules/axe-core/axe.min.js")
	if err != nil {
		if os.Getenv("CALLBOARD_E2E") == "all" {
			t.Error(err)
		}
		return
	}
	do[any](t, tab, string(axe)+"; 0")
	for _, scheme := range []string{"light", "dark"} {
		tab.prefers(t, scheme)
		broken := do[[]string](t, tab, `axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] })
			.then(({ violations }) => violations.map((v) => v.id + ": " + v.nodes.map((n) => n.html).join(" ")))`)
		if len(broken) > 0 {
			t.Errorf("%s, %s:\n%s", what, scheme, strings.Join(broken, "\n"))
		}
	}
}

// prefers sets the colour scheme that the browser says its user likes.
func (tab *tab) prefers(t *testing.T, scheme string) {
	t.Helper()
	features := []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}
	must(t, chromedp.Do(tab.ctx, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: features})
		return err
	})))
}

// look leaves pictures of the page, large and small, light and dark, in the
// directory that CALLBOARD_SCREENSHOTS names, if it does.
func (tab *tab) look(t *testing.T, name string) {
	t.Helper()
	dir := os.Getenv("CALLBOARD_SCREENSHOTS")
	if dir == "" {
		return
	}
	for _, scheme := range []string{"light", "dark"} {
		tab.prefers(t, scheme)
		for size, wide := range map[string][2]int64{"desktop": {1280, 800}, "phone": {390, 844}} {
			ctx, cancel := context.WithTimeout(tab.ctx, time.Minute)
			must(t, chromedp.Do(ctx, chromedp.EmulateViewport(wide[0], wide[1])))
			picture, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
			cancel()
			must(t, err)
			must(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("join-%s-%s-%s.png", name, size, scheme)), picture, 0o600))
		}
	}
	must(t, chromedp.Do(tab.ctx, chromedp.EmulateReset()))
}
