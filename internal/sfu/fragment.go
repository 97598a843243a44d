package sfu

import (
	"errors"
	"strings"
)

// ErrRestartUnsupported tells that ICE could not be restarted; the old ICE session stays alive.
var ErrRestartUnsupported = errors.New("sfu: ICE restart is not possible")

// Fragment is the content of an application/trickle-ice-sdpfrag body (RFC 8840, section 9).
type Fragment struct {
	// Ufrag and Pwd are the credentials of the ICE session that the candidates belong to.
	// The credentials in use mean trickled candidates, others an ICE restart.
	Ufrag, Pwd string
	// Candidates are values of a=candidate lines, without "candidate:".
	Candidates []string
	// EndOfCandidates tells that none will follow.
	EndOfCandidates bool
	// Media is the m-line ("audio 9 UDP/TLS/RTP/SAVPF 0") and MID the identification of the
	// section that the candidates belong to, the BUNDLE-tagged one. May be empty.
	Media, MID string
	// Options are the ice-options of the session.
	Options string
}

// ParseFragment reads an application/trickle-ice-sdpfrag body. Unknown lines are skipped, candidates
// beyond a sensible number too. Its error is a sentence fit for the client's eyes.
func ParseFragment(text string) (Fragment, error) {
	var f Fragment
	if len(text) > maxOffer {
		return f, errors.New("the fragment is too large")
	}
	sections := 0
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		switch {
		case line == "":
		case len(line) < 2 || line[1] != '=':
			return Fragment{}, errors.New("the fragment is not made of SDP lines")
		case line[0] == 'm':
			if sections++; sections == 1 {
				f.Media = line[2:]
			}
		case line[0] == 'a' && sections <= 1: // further sections are bundled with the first
			f.attribute(line[2:])
		}
	}
	if (f.Ufrag == "") != (f.Pwd == "") {
		return Fragment{}, errors.New("the fragment has one of ice-ufrag and ice-pwd without the other")
	}
	if f.Ufrag != "" && !usable(credentials{f.Ufrag, f.Pwd}) {
		return Fragment{}, errors.New("the fragment's ICE credentials are not usable")
	}
	return f, nil
}

func (f *Fragment) attribute(line string) {
	key, value, _ := strings.Cut(line, ":")
	switch key {
	case "ice-ufrag":
		f.Ufrag = value
	case "ice-pwd":
		f.Pwd = value
	case "ice-options":
		f.Options = value
	case "mid":
		f.MID = value
	case "candidate":
		if len(f.Candidates) < maxCandidates {
			f.Candidates = append(f.Candidates, value)
		}
	case "end-of-candidates":
		f.EndOfCandidates = true
	}
}

// String writes f as an application/trickle-ice-sdpfrag body; "" for an empty fragment.
func (f Fragment) String() string {
	if f.IsZero() {
		return ""
	}
	var b strings.Builder
	line := func(prefix, value string) {
		if value != "" {
			b.WriteString(prefix + value + "\r\n")
		}
	}
	line("a=ice-options:", f.Options)
	line("a=ice-ufrag:", f.Ufrag)
	line("a=ice-pwd:", f.Pwd)
	line("m=", f.Media)
	line("a=mid:", f.MID)
	for _, c := range f.Candidates {
		line("a=candidate:", c)
	}
	if f.EndOfCandidates {
		b.WriteString("a=end-of-candidates\r\n")
	}
	return b.String()
}

// IsZero tells whether there is nothing in f, as in the answer to trickled candidates.
func (f Fragment) IsZero() bool {
	return f.Ufrag == "" && f.Pwd == "" && len(f.Candidates) == 0 && !f.EndOfCandidates
}
