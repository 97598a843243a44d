//go:build e2e && interop

package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

// Preferences of a Firefox that has a camera and asks nobody.
const foxPrefs = `user_pref("media.navigator.streams.fake", true);
user_pref("media.navigator.permission.disabled", true);
user_pref("media.autoplay.default", 0);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("app.update.enabled", false);
`

// fox is a Firefox that is driven by WebDriver BiDi, which it speaks by itself.
type fox struct {
	conn *websocket.Conn
	page string // id of the browsing context
	last int    // id of a command
}

// browseFirefox starts a Firefox and opens a page in it.
func browseFirefox(t *testing.T, url string) *tab {
	t.Helper()
	path, err := exec.LookPath("firefox-esr")
	if err != nil {
		if path, err = exec.LookPath("firefox"); err != nil {
			t.Skip("firefox is not here")
		}
	}
	profile := t.TempDir()
	must(t, os.WriteFile(filepath.Join(profile, "user.js"), []byte(foxPrefs), 0o600))
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	cmd := exec.CommandContext(ctx, path, "--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0", "about:blank")
	cmd.Env = append(os.Environ(), "HOME="+profile)
	cmd.WaitDelay = 10 * time.Second
	stderr, err := cmd.StderrPipe()
	must(t, err)
	must(t, cmd.Start())
	f := &fox{}
	tab := &tab{ctx: ctx, fox: f}
	tab.close = func() {
		f.call(ctx, "browser.close", struct{}{}, nil)
		cancel()
		cmd.Wait()
	}
	t.Cleanup(tab.close)
	limit := deadline(t, time.Minute)
	must(t, f.open(limit, listening(stderr)))
	must(t, f.call(limit, "browsingContext.navigate", map[string]any{"context": f.page, "url": url, "wait": "complete"}, nil))
	return tab
}

// listening is the address that Firefox says it listens at.
func listening(stderr io.Reader) string {
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		if _, address, found := strings.Cut(lines.Text(), "WebDriver BiDi listening on "); found {
			go io.Copy(io.Discard, stderr) // ends with the browser
			return address
		}
	}
	return ""
}

func (f *fox) open(ctx context.Context, address string) (err error) {
	if f.conn, _, err = websocket.Dial(ctx, address+"/session", nil); err != nil {
		return err
	}
	f.conn.SetReadLimit(16 << 20)
	if err := f.call(ctx, "session.new", map[string]any{"capabilities": struct{}{}}, nil); err != nil {
		return err
	}
	var tree struct{ Contexts []struct{ Context string } }
	if err := f.call(ctx, "browsingContext.getTree", struct{}{}, &tree); err != nil {
		return err
	}
	f.page = tree.Contexts[0].Context
	return nil
}

// call sends a command and waits for its result; events are not asked for.
func (f *fox) call(ctx context.Context, method string, params, result any) error {
	if f.conn == nil {
		return errors.New("there is no connection to Firefox")
	}
	f.last++
	if err := wsjson.Write(ctx, f.conn, map[string]any{"id": f.last, "method": method, "params": params}); err != nil {
		return err
	}
	for {
		var answer struct {
			ID             int
			Result         json.RawMessage
			Error, Message string
		}
		if err := wsjson.Read(ctx, f.conn, &answer); err != nil {
			return err
		}
		switch {
		case answer.ID != f.last:
		case answer.Error != "":
			return fmt.Errorf("%s: %s: %s", method, answer.Error, answer.Message)
		case result == nil:
			return nil
		default:
			return json.Unmarshal(answer.Result, result)
		}
	}
}

// evaluate gives what an expression, or its promise, comes to, as JSON.
func (f *fox) evaluate(ctx context.Context, expression string) ([]byte, error) {
	var out struct {
		Type             string
		Result           struct{ Value string }
		ExceptionDetails struct{ Text string }
	}
	err := f.call(ctx, "script.evaluate", map[string]any{
		"expression": "Promise.resolve(" + expression + ").then((v) => JSON.stringify(v) ?? 'null')", "awaitPromise": true,
		"target": map[string]string{"context": f.page},
	}, &out)
	if err == nil && out.Type != "success" {
		err = errors.New(out.ExceptionDetails.Text)
	}
	return []byte(out.Result.Value), err
}

// besideLoopback is an address of this machine that Firefox sends media to.
func besideLoopback(t *testing.T) string {
	t.Helper()
	all, err := net.InterfaceAddrs()
	must(t, err)
	for _, a := range all {
		if ip, ok := a.(*net.IPNet); ok && ip.IP.To4() != nil && !ip.IP.IsLoopback() {
			return ip.IP.String()
		}
	}
	t.Skip("Firefox sends no media to 127.0.0.1, and this machine has no other address")
	return ""
}
