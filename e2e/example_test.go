//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ivsrealtime/types"
)

// The page in the README of the module for browsers is a whole one: two people
// who paste it, and a token each, see each other.
func TestThePageInTheReadmeWorksAsItIsWritten(t *testing.T) {
	b := newBoard(t)
	readme, err := os.ReadFile("../sdk/js/README.md")
	must(t, err)
	found := regexp.MustCompile("(?s)```html\n(.*?)```").FindSubmatch(readme)
	if found == nil {
		t.Fatal("there is no page in the README")
	}
	page := strings.ReplaceAll(string(found[1]), "http://127.0.0.1:7480", b.url)
	if page == string(found[1]) {
		t.Fatal("the page does not name the server where it is by default")
	}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, page)
	}))
	t.Cleanup(web.Close)

	arn := b.stage(t)
	tokens := []*types.ParticipantToken{b.token(t, arn, "ada"), b.token(t, arn, "bob")}
	var tabs []*tab
	for _, token := range tokens {
		tab := browse(t, web.URL)
		tabs = append(tabs, tab)
		do[any](t, tab, "(document.querySelector('input').value = %s, document.querySelector('form').requestSubmit())", *token.Token)
	}
	for i, tab := range tabs {
		tab.shows(t, "#status", "connected")
		other := *tokens[1-i].ParticipantId
		eventually(t, time.Minute, func() string {
			if frames := do[int](t, tab, "document.getElementById(%s)?.getVideoPlaybackQuality().totalVideoFrames ?? 0", other); frames < 10 {
				return fmt.Sprintf("%d frames of %s", frames, other)
			}
			return ""
		})
	}
	tabs[0].press(t, "#mute")
	tabs[0].shows(t, "#mute", "Unmute")
	tabs[0].press(t, "#leave")
	tabs[0].shows(t, "#status", "disconnected")
	tabs[1].misses(t, `[id="`+*tokens[0].ParticipantId+`"]`)
}
