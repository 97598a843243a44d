package server

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"callboard/internal/sigv4"
)

func TestTheSampleFileSetsEverySettingToItsDefault(t *testing.T) {
	t.Parallel()
	optional := regexp.MustCompile(`(?m)^#([a-z-]+: )`)
	given, err := parseFile(strings.NewReader(Sample()))
	if err != nil {
		t.Fatal(err)
	}
	all, err := parseFile(strings.NewReader(optional.ReplaceAllString(Sample(), "$1")))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range Settings() {
		c := Default()
		v, ok := given[s.Name]
		switch {
		case ok != (s.Default() != ""):
			t.Errorf("%s has the default %q; set in the sample: %v", s.Name, s.Default(), ok)
		case ok && (!s.set(&c, v.value) || s.get(&c) != s.Default()):
			t.Errorf("the sample sets %s to %q; its default is %q", s.Name, v.value, s.Default())
		}
		if v, ok := all[s.Name]; !ok || !s.set(&c, v.value) {
			t.Errorf("the sample explains %s with %q, which is not allowed", s.Name, v.value)
		}
	}
}

func TestAFlagWinsOverAVariableOverTheFileOverTheDefault(t *testing.T) {
	t.Parallel()
	file := writeFile(t, "region: eu-west-1\naccount: '111111111111'\ndata: from-file\n")
	c, err := Load(Sources{
		Flag: values(map[string]string{"region": "eu-north-1"}),
		Env:  values(map[string]string{"CALLBOARD_REGION": "eu-south-1", "CALLBOARD_ACCOUNT": "222222222222"}),
		File: file,
	})
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(c.Region, " ", c.Account, " ", c.Data, " ", c.Listen)
	if want := "eu-north-1 222222222222 from-file 127.0.0.1:7480"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestABadValueIsRefusedInOneSentenceThatNamesItsOrigin(t *testing.T) {
	t.Parallel()
	for _, s := range Settings() {
		if slices.Contains([]string{"data", "files", "buckets", "quotas", "seed"}, s.Name) {
			continue // any text is a directory or a file
		}
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			_, err := Load(Sources{Flag: values(map[string]string{s.Name: "bad value"})})
			wantError(t, err, "--"+s.Name, s.Allowed)
			_, err = Load(Sources{Env: values(map[string]string{s.Variable(): "bad value"})})
			wantError(t, err, s.Variable(), s.Allowed)
			_, err = Load(Sources{File: writeFile(t, "# first line\n"+s.Name+": bad value\n")})
			wantError(t, err, s.Name+" in ", "(line 2)", s.Allowed)
		})
	}
}

func TestASecretIsNotRepeatedInAnError(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"secret-access-key", "buckets-secret-access-key", "webhook-secrets"} {
		_, err := Load(Sources{Flag: values(map[string]string{name: "oh no a space"})})
		if err == nil || strings.Contains(err.Error(), "oh no") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestAConfigurationFileIsReadStrictly(t *testing.T) {
	t.Parallel()
	cases := []struct{ name, text, want string }{
		{"an unknown key names its line", "data: x\nlisten-on: y\n", `line 2: there is no setting "listen-on"`},
		{"a key that is set twice names its line", "data: x\ndata: y\n", `line 2: data is set twice`},
		{"a mapping is no value", "data: {a: b}\n", "line 1: data has no plain value"},
		{"a key without a value is refused", "data:\n", "line 1: data has no plain value"},
		{"a list of lists is no value", "media-ip: [[a]]\n", "must be a list of plain values"},
		{"a file that is no mapping is refused", "- a\n- b\n", "must be a list of settings"},
		{"broken YAML is refused", "a: 'b\n", "yaml"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := Load(Sources{File: writeFile(t, c.text)})
			wantError(t, err, c.want)
		})
	}
	t.Run("an empty file changes nothing", func(t *testing.T) {
		t.Parallel()
		for _, text := range []string{"", "# nothing\n", "---\n"} {
			if _, err := Load(Sources{File: writeFile(t, text)}); err != nil {
				t.Errorf("%q: %v", text, err)
			}
		}
	})
	t.Run("a missing file is an error", func(t *testing.T) {
		t.Parallel()
		_, err := Load(Sources{File: filepath.Join(t.TempDir(), "none.yaml")})
		wantError(t, err, "none.yaml")
	})
}

func TestSettingsThatDoNotFitTogetherAreRefused(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name  string
		flags map[string]string
		want  string
	}{
		{"a key id without its secret", map[string]string{"access-key-id": "AKIA1234"}, "set both or not at all"},
		{"an object store without credentials", map[string]string{"buckets": "https://s3.example"}, "buckets-access-key-id"},
		{"credentials for a directory", map[string]string{"buckets": "dir", "buckets-access-key-id": "AKIA1234", "buckets-secret-access-key": "12345678"}, "buckets is a URL"},
		{"dev beyond loopback", map[string]string{"dev": "true", "listen": "10.0.0.1:80"}, "loopback"},
		{"dev with media beyond loopback", map[string]string{"dev": "true", "media": ":7481"}, "loopback"},
		{"dev with media over TCP beyond loopback", map[string]string{"dev": "true", "media-tcp": ":7481"}, "media-tcp"},
		{"dev with TURN beyond loopback", map[string]string{"dev": "true", "turn": ":3478"}, "turn"},
		{"dev beyond loopback, which a container may", map[string]string{"dev": "true", "listen": ":80"}, "dev-network"},
		{"dev-network without dev", map[string]string{"dev-network": "true"}, "needs dev"},
		{"rand-seed without dev", map[string]string{"rand-seed": "1", "data": "memory:"}, "needs dev"},
		{"rand-seed with facts that stay", map[string]string{"rand-seed": "1", "dev": "true", "data": "/data"}, "data must be memory:, not /data"},
		{"all addresses without a public URL", map[string]string{"listen": "0.0.0.0:80"}, "public-url"},
		{"a region that requests may not name", map[string]string{"region": "eu-west-1", "regions": "us-east-1,us-west-2"}, "region is eu-west-1, which is not among regions (us-east-1, us-west-2)"},
		{"an empty host without a public URL", map[string]string{"listen": ":80"}, "public-url"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := Load(Sources{Flag: values(c.flags)})
			wantError(t, err, c.want)
		})
	}
	t.Run("all addresses with a public URL are fine", func(t *testing.T) {
		t.Parallel()
		c, err := Load(Sources{Flag: values(map[string]string{"listen": ":80", "public-url": "https://x.example/cb/"})})
		if err != nil {
			t.Fatal(err)
		}
		if u, _ := c.URL(); u != "https://x.example/cb" {
			t.Errorf("the URL is %s", u)
		}
	})
}

func TestMediaOverTCPAreAtThePortOfMedia(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ listen, media, tcp, want string }{
		{"127.0.0.1:7480", "127.0.0.1:7481", "", "127.0.0.1:7481"},
		{"127.0.0.1:7480", ":7480", "", ""},
		{"127.0.0.1:0", "127.0.0.1:0", "", "127.0.0.1:0"},
		{"127.0.0.1:7480", ":7480", ":443", ":443"},
		{"127.0.0.1:7480", "127.0.0.1:7481", "off", ""},
	} {
		cfg := Config{Listen: c.listen, Media: c.media, MediaTCP: c.tcp}
		if got := cfg.mediaTCP(); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

func TestMediaThatClientsCannotReachIsRefused(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name  string
		flags map[string]string
		want  string // "" is fine
	}{
		{"the defaults", nil, ""},
		{"a TLS proxy", map[string]string{"public-url": "https://callboard.example.com"}, "public-url is https://callboard.example.com"},
		{"a TLS proxy with an announced address", map[string]string{"public-url": "https://callboard.example.com", "media-ip": "203.0.113.7"}, "media-ip is 203.0.113.7"},
		{"a TLS proxy with media for all", map[string]string{"public-url": "https://callboard.example.com", "media": "0.0.0.0:7481", "media-ip": "203.0.113.7"}, ""},
		{"a network", map[string]string{"listen": "192.168.1.10:7480"}, "listen is 192.168.1.10:7480"},
		{"all addresses", map[string]string{"listen": ":7480", "public-url": "http://localhost:7480"}, "listen is :7480"},
		{"a public URL on this machine", map[string]string{"public-url": "http://localhost:8080/live"}, ""},
		{"an IPv6 URL on this machine", map[string]string{"public-url": "http://[::1]:8080", "media": "[::1]:0"}, ""},
		{"an announced address of this machine", map[string]string{"media-ip": "127.0.0.2"}, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cfg, err := Load(Sources{Flag: values(c.flags)})
			if err != nil { // who only asks for the URL need not tell about media
				t.Fatal(err)
			}
			err = cfg.checkMedia()
			if c.want == "" {
				if err != nil {
					t.Errorf("it is refused: %v", err)
				}
				return
			}
			wantError(t, err, c.want, "0.0.0.0:")
			cfg.Data = filepath.Join(t.TempDir(), "data")
			_, err = New(t.Context(), cfg)
			wantError(t, err, c.want)
			if _, err := os.Stat(cfg.Data); !os.IsNotExist(err) {
				t.Errorf("something was made before: %v", err)
			}
		})
	}
}

func TestAPublicURLNamesAHostAndAPort(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]bool{
		"https://callboard.example.com": true, "http://10.0.0.5:7480/path": true, "http://[::1]:7480": true, "http://localhost:65535/": true,
		"http://:7480": false, "https://": false, "http://0.0.0.0:7480": false, "http://[::]:7480": false,
		"http://x:0": false, "http://x:65536": false, "http://x:": false, "http://x:y": false, "ftp://x": false, "http://u@x": false, "http://x?y": false,
	} {
		if got := isPublicURL(url); got != want {
			t.Errorf("%s is allowed: %v", url, got)
		}
	}
}

func TestListsOfTheFileAndOfFlagsMeanTheSame(t *testing.T) {
	t.Parallel()
	a, err := Load(Sources{File: writeFile(t, "media-ip: [10.0.0.1, '::1']\n")})
	if err != nil {
		t.Fatal(err)
	}
	b, err := Load(Sources{Flag: values(map[string]string{"media-ip": "10.0.0.1, ::1"})})
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(a.MediaIPs) != fmt.Sprint(b.MediaIPs) || len(a.MediaIPs) != 2 {
		t.Errorf("the file gives %v, the flag %v", a.MediaIPs, b.MediaIPs)
	}
}

func TestARegionIsAsLongAsASignatureMayHaveIt(t *testing.T) {
	t.Parallel()
	longest := strings.Repeat("a", sigv4.LongestRegion)
	for _, name := range []string{"region", "regions"} {
		flags := map[string]string{"region": longest, name: longest}
		if _, err := Load(Sources{Flag: values(flags)}); err != nil {
			t.Error(err)
		}
		flags[name] += "a"
		_, err := Load(Sources{Flag: values(flags)})
		wantError(t, err, "--"+name, "32 characters")
	}
}

func FuzzConfigurationFile(f *testing.F) {
	f.Add(Sample())
	f.Add("media-ip: [1, 2]\nlinger: 5s\n")
	f.Add("a: &x [*x]")
	f.Add("<<: {data: x}")
	f.Fuzz(func(t *testing.T, text string) {
		values, err := parseFile(strings.NewReader(text))
		if err != nil {
			return
		}
		for _, s := range Settings() {
			c := Default()
			if v, ok := values[s.Name]; ok && s.set(&c, v.value) {
				again := Default()
				if !s.set(&again, s.get(&c)) && s.get(&c) != "" {
					t.Errorf("%s reads %q but not its own %q", s.Name, v.value, s.get(&c))
				}
			}
		}
	})
}

func values(m map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { v, ok := m[name]; return v, ok }
}

func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "callboard.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("it was accepted; want an error with %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error is %q; want %q in it", err, part)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("the error has more than one line: %q", err)
	}
}
