//go:build e2e

package e2e

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

//go:embed testdata
var testdata embed.FS

// tab is a page in a browser process of its own: what is in a tab
// that nobody sees is not decoded.
type tab struct {
	ctx   context.Context
	close context.CancelFunc // ends the browser without a goodbye
	fox   evaluator          // of a page that is not in Chromium
}

// evaluator has a page evaluate an expression, awaits its promise and gives it as JSON.
type evaluator interface {
	evaluate(ctx context.Context, expression string) ([]byte, error)
}

// pages serves the page on an origin that is not the board's.
func pages(t *testing.T) string {
	t.Helper()
	files, err := fs.Sub(testdata, "testdata")
	must(t, err)
	web := httptest.NewServer(http.FileServerFS(files))
	t.Cleanup(web.Close)
	return web.URL
}

// newTab starts a browser and opens the page of testdata in it.
func newTab(t *testing.T, origin string) *tab {
	t.Helper()
	return browse(t, origin+"/page.html")
}

// browse starts a browser and opens a page in it.
func browse(t *testing.T, url string) *tab {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		needed(t, "chromium")
	}
	allocator, end := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), switches(path, t.TempDir())...)
	ctx, cancel := chromedp.NewContext(allocator, chromedp.WithErrorf(func(string, ...any) {}))
	tab := &tab{ctx: ctx, close: func() { cancel(); end() }}
	t.Cleanup(tab.close)
	if err := chromedp.Do(ctx, chromedp.Navigate(url)); err != nil {
		t.Fatalf("the browser does not open the page: %v", err)
	}
	return tab
}

// switches make a browser that is quiet, needs no screen and has a camera.
func switches(path, profile string) []chromedp.ExecAllocatorOption {
	o := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path), chromedp.UserDataDir(profile), chromedp.NoSandbox, chromedp.NoFirstRun,
		chromedp.Flag("headless", "new"), chromedp.Flag("autoplay-policy", "no-user-gesture-required"),
	}
	for _, name := range []string{
		"use-fake-device-for-media-stream", "use-fake-ui-for-media-stream", "disable-gpu", "disable-background-networking",
		"disable-component-update", "disable-sync", "disable-quic", "disable-dev-shm-usage", "no-default-browser-check",
	} {
		o = append(o, chromedp.Flag(name, true))
	}
	return o
}

// do has the page evaluate an expression, awaits its promise and decodes what it gives.
func do[T any](t *testing.T, tab *tab, expression string, args ...any) T {
	t.Helper()
	for i, a := range args {
		data, err := json.Marshal(a)
		must(t, err)
		args[i] = string(data)
	}
	if len(args) > 0 {
		expression = fmt.Sprintf(expression, args...)
	}
	ctx, cancel := context.WithTimeout(tab.ctx, time.Minute)
	defer cancel()
	var out T
	var err error
	if tab.fox == nil {
		out, err = chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	} else if data, failed := tab.fox.evaluate(ctx, expression); failed == nil {
		err = json.Unmarshal(data, &out)
	} else {
		err = failed
	}
	if err != nil {
		t.Fatalf("%s: %v", strings.SplitN(expression, "(", 2)[0], err)
	}
	return out
}

// flow is what a page knows of a publication ("publish") or a subscription (the publisher's id).
type flow struct {
	FramesDecoded, AudioPackets, Width int
	FramesSent, Widths                 []int
	WidthsSent                         map[string]int
	Codec, FMTP, AudioCodec            string
	SRTPCipher, DTLSCipher, TLSVersion string
	Way                                string // type and protocol of the browser's candidate
}

func (tab *tab) flow(t *testing.T, name string) flow {
	t.Helper()
	return do[flow](t, tab, "participant.stats(%s)", name)
}

// plays waits until somebody's video and audio are played.
func (tab *tab) plays(t *testing.T, id string) flow {
	t.Helper()
	var f flow
	eventually(t, time.Minute, func() string {
		if f = tab.flow(t, id); f.FramesDecoded <= 10 || f.Width == 0 || f.AudioPackets == 0 {
			return fmt.Sprintf("the page does not play %s: %+v", id, f)
		}
		return ""
	})
	return f
}
