package server

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Setting is one thing a server can be told: the flag --name of serve, the
// variable CALLBOARD_NAME and the key name of the configuration file.
type Setting struct {
	Name    string
	Usage   string // one line of help
	Allowed string // finishes the sentence "it must be ..."
	Switch  bool   // true or false; as a flag it needs no value

	set func(c *Config, value string) bool // false: not allowed
	get func(c *Config) string
}

// Variable is the setting's environment variable.
func (s Setting) Variable() string {
	return "CALLBOARD_" + strings.ToUpper(strings.ReplaceAll(s.Name, "-", "_"))
}

// Default is the setting's value when nobody sets it.
func (s Setting) Default() string {
	c := Default()
	return s.get(&c)
}

// Settings lists everything that flags, variables and the file can set.
func Settings() []Setting {
	return []Setting{
		text("listen", "address of HTTP: the API, WHIP, WHEP, presence, health, metrics", anAddress, isAddress, func(c *Config) *string { return &c.Listen }),
		text("media", "UDP address of all media", anAddress, isAddress, func(c *Config) *string { return &c.Media }),
		text("media-tcp", "TCP address of media where UDP is blocked, or off (default: the port of media, unless HTTP has it)", anAddress+", or off", isAddressOrOff, func(c *Config) *string { return &c.MediaTCP }),
		text("turn", "address of the built-in TURN server, UDP and TCP, which leads to media only (default: none)", anAddress, isAddress, func(c *Config) *string { return &c.TURN }),
		text("public-url", "URL under which clients reach this server (default: derived from listen)", "a URL like https://callboard.example.com or http://10.0.0.5:7480/path", isPublicURL, func(c *Config) *string { return &c.PublicURL }),
		text("peer-url", "URL under which other servers on the same database reach this one (default: derived from listen)", "a URL like http://10.0.0.5:7480", isPublicURL, func(c *Config) *string { return &c.PeerURL }),
		addresses("media-ip", "IP addresses announced for media, separated by commas (default: those of the media socket)", func(c *Config) *[]netip.Addr { return &c.MediaIPs }),
		text("data", "directory of the facts and the credentials, postgres://... for facts in PostgreSQL, or memory: to keep nothing", "a directory, a URL such as postgres://user@host/database, or memory:", notEmpty, func(c *Config) *string { return &c.Data }),
		text("files", "directory of the credentials where data is a database", "a directory", notEmpty, func(c *Config) *string { return &c.Files }),
		text("region", "region that clients are told to use", "a region name such as us-east-1, of at most 32 characters", isRegion, func(c *Config) *string { return &c.Region }),
		regions("regions", "regions that requests may name, separated by commas (default: any)", func(c *Config) *[]string { return &c.Regions }),
		text("account", "account that the credentials belong to", "12 digits", isAccount, func(c *Config) *string { return &c.Account }),
		text("access-key-id", "access key id that signs requests (default: made at the first start)", "4 to 128 letters and digits", isKeyID, func(c *Config) *string { return &c.AccessKeyID }),
		text("secret-access-key", "secret that goes with access-key-id; better a variable or the file than a flag", "at least 8 characters without spaces", isSecret, func(c *Config) *string { return &c.SecretAccessKey }),
		text("buckets", "where buckets for recordings are: a directory, or the URL of an object store that speaks S3 (default: not looked at)", "a directory, or a URL such as https://host:9000/?region=us-east-1", notEmpty, func(c *Config) *string { return &c.Buckets }),
		text("buckets-access-key-id", "access key id for the object store", "4 to 128 letters and digits", isKeyID, func(c *Config) *string { return &c.BucketsAccessKeyID }),
		text("buckets-secret-access-key", "secret that goes with buckets-access-key-id; better a variable or the file than a flag", "at least 8 characters without spaces", isSecret, func(c *Config) *string { return &c.BucketsSecretAccessKey }),
		toggle("dev", "accept any credentials; a 12-digit access key id is the account; loopback only", func(c *Config) *bool { return &c.Dev }),
		toggle("dev-network", "with dev: answer beyond loopback, for a container whose ports only its owner reaches", func(c *Config) *bool { return &c.DevNetwork }),
		text("seed", "YAML file of stages, tokens and keys that are to be there from the start", "the path of a file", notEmpty, func(c *Config) *string { return &c.Seed }),
		optional("rand-seed", "with dev: the same ids in each run, in the order of the calls; a number that picks which", func(c *Config) **uint64 { return &c.RandSeed }),
		prefixes("trusted-proxies", "addresses or networks of proxies whose X-Forwarded-For tells where a request came from", func(c *Config) *[]netip.Prefix { return &c.TrustedProxies }),
		span("history", "how long sessions are kept after their end, such as 60d (default: for good)", time.Minute, func(c *Config) *time.Duration { return &c.History }),
		list("webhooks", "URLs that every event is posted to, separated by commas", "URLs separated by commas, such as https://example.com/hook", 20, isWebhook, func(c *Config) *[]string { return &c.Webhooks }),
		list("webhook-secrets", "one or two secrets, separated by a comma, that sign what webhooks are sent; better a variable or the file than a flag", "one or two secrets such as \"callboard webhooks secret\" makes", 2, isWebhookSecret, func(c *Config) *[]string { return &c.WebhookSecrets }),
		prefixes("webhook-networks", "addresses or networks that webhooks made through the API may reach, beside the internet", func(c *Config) *[]netip.Prefix { return &c.WebhookNetworks }),
		duration("webhook-give-up", "after how long an event that a webhook refuses is a dead letter", time.Minute, func(c *Config) *time.Duration { return &c.WebhookGiveUp }),
		duration("linger", "how long a session outlives its last participant", 0, func(c *Config) *time.Duration { return &c.Linger }),
		duration("clock-skew", "how far the clock of a signed request may be off", time.Second, func(c *Config) *time.Duration { return &c.ClockSkew }),
		text("quotas", "what an account may have and how fast it may call: aws, none, or a file (see callboard quotas)", "aws, none, or a file", notEmpty, func(c *Config) *string { return &c.Quotas }),
		count("roll-memory", "MiB of memory for the participants of busy sessions; 0 reads them all from the database", func(c *Config) *int { return &c.RollMemory }),
		count("watchers", "how many may watch rolls at a time, over event streams and WebSockets", func(c *Config) *int { return &c.Watchers }),
		count("account-watchers", "how many of these may be of one account", func(c *Config) *int { return &c.AccountWatchers }),
		text("media-metrics", "of whom /metrics tells bitrates, loss and the like: none, stages, or participants, one series each", "none, stages or participants", isDetail, func(c *Config) *string { return &c.MediaMetrics }),
		level("log-level", "least level that is logged", func(c *Config) *slog.Level { return &c.LogLevel }),
		text("log-format", "text or json", "text or json", isFormat, func(c *Config) *string { return &c.LogFormat }),
	}
}

func text(name, usage, allowed string, ok func(string) bool, field func(*Config) *string) Setting {
	return Setting{Name: name, Usage: usage, Allowed: allowed,
		set: func(c *Config, v string) bool { *field(c) = v; return ok(v) },
		get: func(c *Config) string { return *field(c) },
	}
}

func toggle(name, usage string, field func(*Config) *bool) Setting {
	return Setting{Name: name, Usage: usage, Allowed: "true or false", Switch: true,
		set: func(c *Config, v string) bool {
			on, err := strconv.ParseBool(v)
			*field(c) = on
			return err == nil
		},
		get: func(c *Config) string { return strconv.FormatBool(*field(c)) },
	}
}

func duration(name, usage string, least time.Duration, field func(*Config) *time.Duration) Setting {
	allowed := "a duration such as 90s or 5m"
	if least > 0 {
		allowed += ", at least " + least.String()
	}
	return Setting{Name: name, Usage: usage, Allowed: allowed,
		set: func(c *Config, v string) bool {
			d, err := time.ParseDuration(v)
			*field(c) = d
			return err == nil && d >= least
		},
		get: func(c *Config) string { return shortDuration(*field(c)) },
	}
}

func count(name, usage string, field func(*Config) *int) Setting {
	return Setting{Name: name, Usage: usage, Allowed: "a whole number, 0 or more",
		set: func(c *Config, v string) bool {
			n, err := strconv.Atoi(v)
			*field(c) = n
			return err == nil && n >= 0
		},
		get: func(c *Config) string { return strconv.Itoa(*field(c)) },
	}
}

func optional(name, usage string, field func(*Config) **uint64) Setting {
	return Setting{Name: name, Usage: usage, Allowed: "a whole number, 0 or more",
		set: func(c *Config, v string) bool {
			n, err := strconv.ParseUint(v, 10, 64)
			*field(c) = &n
			return err == nil
		},
		get: func(c *Config) string {
			if n := *field(c); n != nil {
				return strconv.FormatUint(*n, 10)
			}
			return ""
		},
	}
}

func level(name, usage string, field func(*Config) *slog.Level) Setting {
	return Setting{Name: name, Usage: usage, Allowed: "debug, info, warn or error",
		set: func(c *Config, v string) bool { return field(c).UnmarshalText([]byte(v)) == nil },
		get: func(c *Config) string { return strings.ToLower(field(c).String()) },
	}
}

func addresses(name, usage string, field func(*Config) *[]netip.Addr) Setting {
	return Setting{Name: name, Usage: usage, Allowed: "IP addresses separated by commas, such as 203.0.113.7",
		set: func(c *Config, v string) bool {
			*field(c) = nil
			for part := range strings.SplitSeq(v, ",") {
				ip, err := netip.ParseAddr(strings.TrimSpace(part))
				if err != nil || ip.IsUnspecified() {
					return false
				}
				*field(c) = append(*field(c), ip)
			}
			return true
		},
		get: func(c *Config) string {
			var parts []string
			for _, ip := range *field(c) {
				parts = append(parts, ip.String())
			}
			return strings.Join(parts, ",")
		},
	}
}

func regions(name, usage string, field func(*Config) *[]string) Setting {
	return Setting{Name: name, Usage: usage, Allowed: "region names separated by commas, such as us-east-1,eu-west-1, each of at most 32 characters",
		set: func(c *Config, v string) bool {
			*field(c) = nil
			for part := range strings.SplitSeq(v, ",") {
				region := strings.TrimSpace(part)
				if !isRegion(region) {
					return false
				}
				*field(c) = append(*field(c), region)
			}
			return true
		},
		get: func(c *Config) string { return strings.Join(*field(c), ",") },
	}
}

func prefixes(name, usage string, field func(*Config) *[]netip.Prefix) Setting {
	return Setting{Name: name, Usage: usage, Allowed: "IP addresses or networks separated by commas, such as 10.0.0.5 or 10.0.0.0/8",
		set: func(c *Config, v string) bool {
			*field(c) = nil
			for part := range strings.SplitSeq(v, ",") {
				p, err := parsePrefix(strings.TrimSpace(part))
				if err != nil {
					return false
				}
				*field(c) = append(*field(c), p)
			}
			return true
		},
		get: func(c *Config) string {
			var parts []string
			for _, p := range *field(c) {
				parts = append(parts, p.String())
			}
			return strings.Join(parts, ",")
		},
	}
}

// parsePrefix reads a network, or an address as the network of it alone.
func parsePrefix(s string) (netip.Prefix, error) {
	if ip, err := netip.ParseAddr(s); err == nil {
		return ip.Unmap().Prefix(ip.Unmap().BitLen())
	}
	p, err := netip.ParsePrefix(s)
	return p.Masked(), err
}

// shortDuration writes 2m0s as 2m, the way people do.
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

const anAddress = "host:port, such as 127.0.0.1:7480"

var (
	regionPattern = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)
	keyIDPattern  = regexp.MustCompile(`^[A-Za-z0-9_]{4,128}$`)
	digits12      = regexp.MustCompile(`^[0-9]{12}$`)
	secretPattern = regexp.MustCompile(`^[!-~]{8,256}$`)
)

func notEmpty(v string) bool  { return v != "" }
func isRegion(v string) bool  { return regionPattern.MatchString(v) }
func isAccount(v string) bool { return digits12.MatchString(v) }
func isKeyID(v string) bool   { return keyIDPattern.MatchString(v) }
func isSecret(v string) bool  { return secretPattern.MatchString(v) }
func isFormat(v string) bool  { return v == "text" || v == "json" }
func isDetail(v string) bool {
	return v == metricsOfNothing || v == metricsOfStages || v == metricsOfParticipants
}

// off is the value of a setting for what is not to be there.
const off = "off"

func isAddressOrOff(v string) bool { return v == off || isAddress(v) }

func isAddress(v string) bool {
	_, port, err := net.SplitHostPort(v)
	if err != nil {
		return false
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return err == nil
}

func isPublicURL(v string) bool {
	u, err := url.Parse(v)
	if err != nil {
		return false
	}
	plain := u.User == nil && u.RawQuery == "" && u.Fragment == "" && !u.ForceQuery
	return plain && isReachable(u) && (u.Scheme == "http" || u.Scheme == "https")
}

// isReachable tells whether a URL names a host and a port that can be connected to.
func isReachable(u *url.URL) bool {
	if strings.HasSuffix(u.Host, ":") {
		return false
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return false
		}
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() != "" && (err != nil || !ip.IsUnspecified())
}

// refusal is the one sentence that stops a start.
func (s Setting) refusal(origin, value string) error {
	if strings.HasSuffix(s.Name, "secret-access-key") || s.Name == "webhook-secrets" {
		return fmt.Errorf("%s is not allowed: it must be %s", origin, s.Allowed)
	}
	return fmt.Errorf("%s is %q: it must be %s", origin, value, s.Allowed)
}
