package quota

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// figure is one quota: its name in files, metrics and logs, what it bounds,
// and how much AWS allows by default, as its service quotas page tells.
type figure struct {
	name       string
	bounds     string
	unit       unit
	aws        int64
	adjustable bool // by AWS, on request
	state      state
}

// state is what this server does about a figure.
type state int

const (
	enforced state = iota
	later          // shown, and not enforced yet
	fixed          // part of the API, and therefore not to be changed
)

// figures lists all quotas, in the order in which they are shown.
func figures() []figure {
	return []figure{
		{"stages", "stages in a region", number, 1000, true, enforced},
		{"public-keys", "public keys in a region", number, 3, false, enforced},
		{"encoder-configurations", "encoder configurations in a region", number, 20, true, enforced},
		{"storage-configurations", "storage configurations in a region", number, 5, true, enforced},
		{"ingest-configurations", "ingest configurations in a region", number, 100, true, enforced},
		{"publishers-per-stage", "publishers on one stage at once", number, 12, false, enforced},
		{"subscribers-per-stage", "subscribers on one stage at once", number, 10_000, true, enforced},
		{"publishers-per-region", "publishers on all stages of a region at once", number, 1000, true, enforced},
		{"subscriptions-per-region", "pairs of publisher and subscriber in a region at once", number, 20_000, true, enforced},
		{"compositions", "compositions in a region at once", number, 20, true, later},
		{"compositions-per-stage", "compositions of one stage at once", number, 5, true, later},
		{"destinations-per-composition", "destinations of one composition", number, 2, false, later},
		{"composition-duration", "how long a composition lasts", duration, int64(24 * time.Hour), false, later},
		{"replications-per-participant", "stages that one participant is replicated to at once", number, 5, false, later},
		{"media-duration", "how long one publishes or subscribes", duration, int64(24 * time.Hour), false, enforced},
		{"publish-resolution", "lines of published video", lines, 720, false, enforced},
		{"publish-bitrate", "bitrate of a publication", bitrate, 8_500_000, false, enforced},
		{"b-frames", "pictures of published video that are sent out of order", refusal, 1, false, enforced},
		{"download-bitrate", "bitrate of all that one participant receives", bitrate, 8_500_000, false, enforced},
		{"tags-per-resource", "tags on one resource", number, 50, false, fixed},
		{"tokens-per-create-stage", "tokens made by one CreateStage", number, 12, false, fixed},
		{"token-duration", "how long an API token lasts, from a minute on", duration, int64(14 * 24 * time.Hour), false, fixed},
	}
}

func find(name string) (figure, bool) {
	for _, f := range figures() {
		if f.name == name {
			return f, true
		}
	}
	return figure{}, false
}

// unit is how the values of a figure are written.
type unit int

const (
	number   unit = iota
	duration      // in nanoseconds
	bitrate       // in bits per second
	lines         // of a picture
	refusal       // 1: there may be none
)

// none is the value that bounds nothing, refused the one that allows nothing.
const (
	none    = "none"
	refused = "refused"
)

// allowed finishes the sentence "it must be ...".
func (u unit) allowed() string {
	switch u {
	case duration:
		return `a duration such as 24h or 90m, or none`
	case bitrate:
		return `a bitrate such as 8.5Mbps or 900kbps, or none`
	case refusal:
		return `refused, or none`
	case lines:
		return `a number of lines such as 720p, or none`
	}
	return `a whole number from 1 to 1000000000, or none`
}

// largest keeps every value within what a sum or a product of it can hold.
const largest = 1_000_000_000

var (
	whole = regexp.MustCompile(`^[0-9]{1,10}$`)
	rate  = regexp.MustCompile(`^([0-9]{1,9}(?:\.[0-9]{1,9})?) ?([kM]?)bps$`)
)

// parse reads a value; 0 is none.
func (u unit) parse(s string) (value int64, ok bool) {
	if s == none {
		return 0, true
	}
	switch u {
	case duration:
		d, err := time.ParseDuration(s)
		return int64(d), err == nil && d > 0
	case bitrate:
		return parseBitrate(s)
	case refusal:
		return 1, s == refused
	case lines:
		digits, p := strings.CutSuffix(s, "p")
		value, ok = parseWhole(digits)
		return value, ok && p
	}
	return parseWhole(s)
}

func parseWhole(s string) (int64, bool) {
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil && whole.MatchString(s) && n > 0 && n <= largest
}

func parseBitrate(s string) (int64, bool) {
	m := rate.FindStringSubmatch(s)
	if m == nil {
		return 0, false
	}
	n, err := strconv.ParseFloat(m[1], 64)
	n *= map[string]float64{"": 1, "k": 1e3, "M": 1e6}[m[2]]
	return int64(n), err == nil && n >= 1 && n <= largest*1e3
}

// format writes a value so that parse reads it.
func (u unit) format(value int64) string {
	switch {
	case value == 0:
		return none
	case u == refusal:
		return refused
	case u == duration:
		s := time.Duration(value).String()
		if strings.HasSuffix(s, "m0s") {
			s = strings.TrimSuffix(s, "0s")
		}
		if strings.HasSuffix(s, "h0m") {
			s = strings.TrimSuffix(s, "0m")
		}
		return s
	case u == bitrate && value%1000 == 0 && value >= 1_000_000:
		return strconv.FormatFloat(float64(value)/1e6, 'f', -1, 64) + "Mbps"
	case u == bitrate:
		return strconv.FormatInt(value, 10) + "bps"
	case u == lines:
		return strconv.FormatInt(value, 10) + "p"
	}
	return strconv.FormatInt(value, 10)
}
