package live

import (
	"cmp"
	"strings"

	"github.com/mileusna/useragent"

	"callboard/internal/stage"
)

// maxClientField is the length of a client attribute in GetParticipant's model.
const maxClientField = 128

// ClientOf makes out a participant's software from what it sends with its
// requests: the User-Agent, and the SDK version and platform that IVS SDKs tell
// in headers of their own. What is not known stays empty.
func ClientOf(userAgent, sdkVersion, platform string) stage.Client {
	agent := useragent.Parse(truncate(userAgent, 1024))
	if platform == "web" { // says nothing about the operating system
		platform = ""
	}
	return Sanitize(stage.Client{
		OSName:         cmp.Or(agent.OS, platform),
		OSVersion:      agent.OSVersion,
		BrowserName:    agent.Name,
		BrowserVersion: agent.Version,
		SDKVersion:     sdkVersion,
	})
}

// Sanitize drops what GetParticipant may not show: characters other than
// letters, digits, spaces and -_.,:; and all beyond 128 characters.
func Sanitize(c stage.Client) stage.Client {
	for _, field := range []*string{&c.OSName, &c.OSVersion, &c.BrowserName, &c.BrowserVersion, &c.SDKVersion} {
		*field = strings.TrimSpace(truncate(strings.Map(allowed, *field), maxClientField))
	}
	return c
}

func allowed(r rune) rune {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		return r
	case strings.ContainsRune("-_.,:; \t\n\v\f\r", r):
		return r
	}
	return -1
}

func truncate(s string, n int) string { return s[:min(len(s), n)] }

// overlay gives old with the non-empty members of c in place of its own.
func overlay(old, c stage.Client) stage.Client {
	return stage.Client{
		OSName:         cmp.Or(c.OSName, old.OSName),
		OSVersion:      cmp.Or(c.OSVersion, old.OSVersion),
		BrowserName:    cmp.Or(c.BrowserName, old.BrowserName),
		BrowserVersion: cmp.Or(c.BrowserVersion, old.BrowserVersion),
		SDKVersion:     cmp.Or(c.SDKVersion, old.SDKVersion),
	}
}
