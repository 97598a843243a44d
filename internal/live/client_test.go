package live_test

import (
	"regexp"
	"testing"

	"callboard/internal/live"
	"callboard/internal/stage"
)

func TestSoftwareIsMadeOutFromHeaders(t *testing.T) {
	t.Parallel()
	const chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"
	for name, c := range map[string]struct {
		agent, sdk, platform string
		want                 stage.Client
	}{
		"a browser with the SDK": {chrome, "1.41.0", "web", stage.Client{OSName: "Linux", OSVersion: "x86_64", BrowserName: "Chrome", BrowserVersion: "156.0.0.0", SDKVersion: "1.41.0"}},
		"a native SDK":           {"", "1.30", "android", stage.Client{OSName: "android", SDKVersion: "1.30"}},
		"nothing":                {"", "", "", stage.Client{}},
		"nonsense":               {"\x00<script>", "é<>", "web", stage.Client{BrowserName: "script"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := live.ClientOf(c.agent, c.sdk, c.platform); got != c.want {
				t.Errorf("got %+v, not %+v", got, c.want)
			}
		})
	}
}

func FuzzClientOf(f *testing.F) {
	f.Add("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36", "1.41.0", "web")
	f.Add("Mozilla/5.0 (iPhone; CPU iPhone OS 26_0 like Mac OS X) Version/26.0 Mobile/15E148", "", "ios")
	f.Add("Mozilla/5.0 (", ")", "(;")
	shown := regexp.MustCompile(`^[a-zA-Z0-9\-_.,:;\s]{0,128}$`)
	f.Fuzz(func(t *testing.T, agent, sdk, platform string) {
		c := live.ClientOf(agent, sdk, platform)
		for _, field := range []string{c.OSName, c.OSVersion, c.BrowserName, c.BrowserVersion, c.SDKVersion} {
			if !shown.MatchString(field) {
				t.Errorf("%q may not be shown", field)
			}
		}
	})
}
