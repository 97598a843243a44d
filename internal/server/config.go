package server

import (
	"cmp"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"callboard/internal/bucket"
	"callboard/internal/hook"
	"callboard/internal/stage"
	"callboard/internal/store"
)

// Memory is the value of [Config.Data] that keeps everything in the process
// and nothing on disk.
const Memory = "memory:"

// Config is everything a server can be told. [Default] gives the values a
// server has when it is told nothing, [Load] reads the settings of the outside
// world, [Settings] lists them with their names and meanings.
type Config struct {
	Listen    string       // HTTP address: API, WHIP, WHEP, presence, health and metrics
	Media     string       // UDP address of all media
	MediaTCP  string       // TCP address of media where UDP is blocked; "off" for none, "" for the port of Media
	TURN      string       // address of the built-in TURN server, UDP and TCP; "" for none
	PublicURL string       // URL under which clients reach Listen; "" derives it from Listen
	PeerURL   string       // URL under which other servers on the same database reach Listen; "" derives it from Listen
	MediaIPs  []netip.Addr // addresses announced for media; none announces those of the socket

	Data    string   // directory of the facts and the credentials, the URL of a database for the facts, or Memory
	Files   string   // directory of the credentials where Data is a URL
	Region  string   // region that env, demo and derived ARNs use
	Regions []string // regions that requests may name; none lets them name any
	Account string   // 12-digit account of the credentials

	AccessKeyID     string // "" makes a pair at the first start and keeps it in Data
	SecretAccessKey string
	Dev             bool    // accept any credentials; loopback only
	DevNetwork      bool    // with Dev: answer beyond loopback, too
	Seed            string  // file of what is to be there from the start; "" for nothing
	RandSeed        *uint64 // with Dev: makes the same ids in each run; nil makes random ones

	TrustedProxies []netip.Prefix // whose X-Forwarded-For is believed

	// Where buckets for recordings are: a directory or the URL of an object
	// store, which needs the keys. "" believes every bucket to be there.
	Buckets                string
	BucketsAccessKeyID     string
	BucketsSecretAccessKey string

	History time.Duration // how long a session is kept after its end; 0 for good

	Webhooks        []string       // URLs that are told of everything
	WebhookSecrets  []string       // sign what they are sent
	WebhookNetworks []netip.Prefix // where webhooks made through the API may go beside the internet
	WebhookGiveUp   time.Duration  // after which an event that is refused is a dead letter

	Linger          time.Duration // how long a session outlives its last participant
	ClockSkew       time.Duration // how far a request's clock may be off
	RollMemory      int           // MiB for the participants that are kept in memory; 0 keeps none
	Watchers        int           // how many may watch rolls at a time
	AccountWatchers int           // and of one account
	Quotas          string        // aws, none, or the path of a file; see package quota
	MediaMetrics    string        // of whom /metrics tells media: none, stages, participants
	LogLevel        slog.Level
	LogFormat       string // text or json
	LogOutput       io.Writer
	Serving         func(*Server) // called once when the server answers; may be nil
	ShutdownMax     time.Duration // longest time an orderly end may take
}

// Default gives the configuration of a server that is told nothing.
func Default() Config {
	return Config{
		Listen:    "127.0.0.1:7480",
		Media:     "127.0.0.1:7481",
		Data:      "./callboard-data",
		Files:     "./callboard-data",
		Region:    "us-east-1",
		Account:   "000000000000",
		Linger:    120 * time.Second,
		ClockSkew: 5 * time.Minute,

		WebhookGiveUp:   hook.DefaultGiveUp,
		Quotas:          "none",
		RollMemory:      store.DefaultRollBytes >> 20,
		Watchers:        10_000,
		AccountWatchers: 5_000,
		MediaMetrics:    metricsOfStages,
		LogFormat:       "text",
		LogOutput:       io.Discard,
		ShutdownMax:     10 * time.Second,
	}
}

// check looks at what no setting can know alone. Its errors name the settings.
func (c *Config) check() error {
	if (c.AccessKeyID == "") != (c.SecretAccessKey == "") {
		return fmt.Errorf("access-key-id and secret-access-key must be set both or not at all")
	}
	if remote := bucket.IsURL(c.Buckets); remote != (c.BucketsAccessKeyID != "") || remote != (c.BucketsSecretAccessKey != "") {
		return fmt.Errorf("buckets-access-key-id and buckets-secret-access-key must be set both if buckets is a URL, and not at all otherwise")
	}
	if len(c.Regions) > 0 && !slices.Contains(c.Regions, c.Region) {
		return fmt.Errorf("region is %s, which is not among regions (%s)", c.Region, strings.Join(c.Regions, ", "))
	}
	if err := cmp.Or(c.checkHooks(), c.checkDev()); err != nil {
		return err
	}
	if c.PublicURL == "" && wildcard(c.Listen) && !c.DevNetwork {
		return fmt.Errorf("listen is %s, every address of this machine, so public-url must say which URL clients use, such as http://192.168.1.10%s", c.Listen, portOf(c.Listen))
	}
	return nil
}

// checkDev keeps what is meant for tests where tests are.
func (c *Config) checkDev() error {
	switch {
	case c.DevNetwork && !c.Dev:
		return fmt.Errorf("dev-network says whom dev answers, so it needs dev")
	case c.RandSeed != nil && !c.Dev:
		return fmt.Errorf("rand-seed makes ids that can be foretold, so it needs dev")
	case c.RandSeed != nil && c.Data != Memory:
		return fmt.Errorf("rand-seed makes the same ids at each start, so data must be memory:, not %s, where those of the last start still are", store.Redacted(c.Data))
	case c.Dev && !c.DevNetwork && (!loopback(c.Listen) || !loopback(c.Media)):
		return fmt.Errorf("dev accepts any credentials, so listen (%s) and media (%s) must both be loopback addresses such as 127.0.0.1:7480; in a container whose ports only its owner reaches, set dev-network", c.Listen, c.Media)
	case c.Dev && !c.DevNetwork && c.mediaTCP() != "" && !loopback(c.mediaTCP()):
		return fmt.Errorf("dev accepts any credentials, so media-tcp (%s) must be a loopback address such as 127.0.0.1:7481, or dev-network must be set", c.MediaTCP)
	case c.Dev && !c.DevNetwork && c.TURN != "" && !loopback(c.TURN):
		return fmt.Errorf("dev accepts any credentials, so turn (%s) must be a loopback address such as 127.0.0.1:3478, or dev-network must be set", c.TURN)
	}
	return nil
}

// mediaTCP is the address of media over TCP, "" for none.
func (c *Config) mediaTCP() string {
	port := portOf(c.Media)
	switch {
	case c.MediaTCP == off, c.MediaTCP == "" && port == portOf(c.Listen) && port != ":0":
		return ""
	}
	return cmp.Or(c.MediaTCP, c.Media)
}

// checkMedia refuses media that only this machine can reach while clients are
// elsewhere: they could join and would see nothing. It does not concern
// who only wants to know the URL or the credentials.
func (c *Config) checkMedia() error {
	if !loopback(c.Media) {
		return nil
	}
	elsewhere := ""
	if u, err := url.Parse(c.PublicURL); err == nil && c.PublicURL != "" && !loopbackHost(u.Hostname()) {
		elsewhere = "public-url is " + c.PublicURL
	} else if !loopback(c.Listen) {
		elsewhere = "listen is " + c.Listen
	}
	for _, ip := range c.MediaIPs {
		if !ip.IsLoopback() {
			elsewhere = "media-ip is " + ip.String()
		}
	}
	if elsewhere == "" {
		return nil
	}
	return fmt.Errorf("%s, but media is %s, which nobody outside this machine can reach: set media to an address that clients reach, such as 0.0.0.0%s", elsewhere, c.Media, portOf(c.Media))
}

// URL is the URL of the server as clients see it, without a slash at the end.
// It fails when it cannot be known before the server listens.
func (c *Config) URL() (string, error) {
	if c.PublicURL != "" {
		return strings.TrimRight(c.PublicURL, "/"), nil
	}
	if err := c.check(); err != nil {
		return "", err
	}
	if portOf(c.Listen) == ":0" {
		return "", fmt.Errorf("listen is %s, whose port is chosen at the start, so public-url must be set", c.Listen)
	}
	return "http://" + reachable(c.Listen), nil
}

// LocalURL is a URL at which a program on the same machine reaches the server,
// whatever other clients use. It fails when the port is chosen at the start.
func (c *Config) LocalURL() (string, error) {
	if portOf(c.Listen) == ":0" {
		return "", fmt.Errorf("listen is %s, whose port is chosen at the start: say the URL", c.Listen)
	}
	return "http://" + reachable(c.Listen), nil
}

// reachable is an address at which this machine reaches a listener.
func reachable(listen string) string {
	if wildcard(listen) {
		return "127.0.0.1" + portOf(listen)
	}
	return listen
}

// Directory is where the files are that are not facts: credentials, access
// keys, and of a file that keeps the facts itself; "" when everything is kept in memory.
func (c *Config) Directory() string {
	switch {
	case c.Data == Memory:
		return ""
	case store.IsURL(c.Data):
		return c.Files
	default:
		return c.Data
	}
}

// Shown is the value of a setting as it may be shown: the URL of a database
// without what is secret in it.
func Shown(value string) string { return store.Redacted(value) }

// Facts is what [callboard/internal/store.Open] is to open.
func (c *Config) Facts() string {
	if c.Data == Memory || store.IsURL(c.Data) {
		return c.Data
	}
	return filepath.Join(c.Data, "callboard.db")
}

// KeysPath is the file of the access keys, "" when everything is kept in memory.
func (c *Config) KeysPath() string {
	if c.Data == Memory {
		return ""
	}
	return filepath.Join(c.Directory(), "keys.json")
}

// endpoints derives what tokens and stages say from the public URL.
func endpoints(public *url.URL) stage.Endpoints {
	ws := *public
	ws.Scheme = strings.Replace(public.Scheme, "http", "ws", 1)
	return stage.Endpoints{Events: ws.JoinPath("events").String(), WHIP: public.JoinPath("whip").String()}
}

// loopback tells whether an address with a port is reachable from this machine only.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	return err == nil && loopbackHost(host)
}

func loopbackHost(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// wildcard tells whether an address with a port stands for all addresses.
func wildcard(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "" || err == nil && ip.IsUnspecified()
}

func portOf(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return ":" + port
}

// rollBytes is RollMemory as the store wants it.
func (c *Config) rollBytes() int64 {
	if c.RollMemory == 0 {
		return -1
	}
	return int64(c.RollMemory) << 20
}
