package quota

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

var someOperations = []string{"GetStage", "ListStages", "CreateParticipantToken"}

func read(t *testing.T, text string) Profile {
	t.Helper()
	p, err := Read(strings.NewReader(text), someOperations)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAFileSaysWhatIsDifferentFromItsBase(t *testing.T) {
	t.Parallel()
	p := read(t, `
# our own
base: aws
stages: 5000
publishers-per-stage: none
media-duration: 36h
publish-bitrate: 2.5 Mbps
publish-resolution: 1080p
rates: {others: 0.5, GetStage: 20, tags: none}
burst: 1.5
`)
	for name, want := range map[string]int64{
		"stages": 5000, "publishers-per-stage": 0, "media-duration": 36 * 3600e9, "publish-bitrate": 2_500_000, "publish-resolution": 1080,
		"public-keys": 3, "subscriptions-per-region": 20_000,
	} {
		if got := p.Limit(name); got != want {
			t.Errorf("%s is %d, not %d", name, got, want)
		}
	}
	for operation, want := range map[string]float64{
		"GetStage": 20, "ListStages": 0.5, "TagResource": 0, "GetPublicKey": 3, "CreateParticipantToken": 50,
	} {
		if got := p.Rate(operation); got != want {
			t.Errorf("the rate of %s is %v, not %v", operation, got, want)
		}
	}
	if p.burst != 1.5 {
		t.Errorf("burst is %v", p.burst)
	}
}

func TestAFileWithoutABaseStartsFromNone(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "# nothing\n", "---\n", "base: none\n"} {
		if got := read(t, text); !reflect.DeepEqual(got, None()) {
			t.Errorf("%q gives %+v", text, got)
		}
	}
}

func TestABadFileIsRefusedWithFileLineAndReason(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "quotas.yaml")
	for text, want := range map[string]string{
		"stagez: 1":                               `line 1: there is no quota "stagez"`,
		"\nstages: -1":                            `line 2: stages is "-1": it must be a whole number from 1 to 1000000000, or none`,
		"stages: 0":                               `line 1: stages is "0"`,
		"stages: 1e3":                             `line 1: stages is "1e3"`,
		"stages: 1_000":                           `line 1: stages is "1_000"`,
		"stages: 9999999999":                      `line 1: stages is "9999999999"`,
		"stages:":                                 `line 1: stages is ""`,
		"stages: [1]":                             `line 1: stages is ""`,
		"stages: 1\nstages: 2":                    `line 2: "stages" is there twice`,
		"base: azure":                             `line 1: base is "azure": it must be aws or none`,
		"base: {a: b}":                            `line 1: base is ""`,
		"tags-per-resource: 9":                    `line 1: tags-per-resource is part of the API and cannot be changed`,
		"media-duration: 1 day":                   `it must be a duration such as 24h`,
		"media-duration: -1h":                     `it must be a duration such as 24h`,
		"publish-bitrate: 8.5":                    `it must be a bitrate such as 8.5Mbps`,
		"publish-bitrate: 99999999Mbps":           `it must be a bitrate such as 8.5Mbps`,
		"publish-resolution: 720":                 `it must be a number of lines such as 720p`,
		"rates: 5":                                `line 1: rates must be a list such as "GetStage: 5"`,
		"rates:\n  GetStag: 5":                    `line 2: there is no operation and no group "GetStag"`,
		"rates:\n  GetStage: 0":                   `line 2: the rate of GetStage is "0": it must be a number of calls per second from 0.001`,
		"rates:\n  GetStage: -5":                  `the rate of GetStage is "-5"`,
		"rates:\n  GetStage: NaN":                 `the rate of GetStage is "NaN"`,
		"rates:\n  GetStage: Inf":                 `the rate of GetStage is "Inf"`,
		"rates:\n  GetStage: 2000000":             `the rate of GetStage is "2000000"`,
		"rates:\n  GetStage: 1\n  GetStage: 1":    `line 3: "GetStage" is there twice`,
		"burst: 0":                                `line 1: burst is "0"`,
		"burst: fast":                             `line 1: burst is "fast"`,
		"- stages":                                `line 1: it must be a list of quotas such as "stages: 1000"`,
		"stages: 1\n---\nstages: 2":               `a file has one document`,
		"stages: 'x":                              `yaml`,
		"? [a]\n: b":                              `line 1: a key must be a plain word`,
		"#" + strings.Repeat("x", maxFile) + "\n": `it is longer than 1048576 bytes`,
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Load(path, someOperations)
		if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.40q: got %v, want %s", text, err, want)
		}
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none.yaml"), nil); err == nil || !strings.Contains(err.Error(), "none.yaml") {
		t.Errorf("a file that is not there: %v", err)
	}
}

func TestWhatIsPrintedIsAFileForTheSameProfile(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]Profile{
		"aws":  AWS(),
		"none": None(),
		"own":  read(t, "stages: 7\npublish-bitrate: 900kbps\nmedia-duration: 90m\nrates: {GetStage: 0.25, tags: 3}\nburst: 4"),
	} {
		if again := read(t, p.File()); !reflect.DeepEqual(again.Table(), p.Table()) {
			t.Errorf("%s: printed and read again it is\n%v", name, again.Table())
		}
	}
}

func TestTheTableOwnsUpToWhatIsNotEnforced(t *testing.T) {
	t.Parallel()
	owned := 0
	for _, row := range AWS().Table() {
		if strings.Contains(row.About, "not enforced yet") {
			owned++
		}
		if row.AWS != "-" && row.Value != row.AWS {
			t.Errorf("%s is %s in the profile of AWS and %s on AWS", row.Quota, row.Value, row.AWS)
		}
	}
	if owned == 0 {
		t.Error("no row says that it is not enforced yet")
	}
}

func FuzzRead(f *testing.F) {
	f.Add(AWS().File())
	f.Add("base: aws\nstages: 5000\nrates:\n  GetStage: 20\n")
	f.Add("media-duration: 1h1m1ns\npublish-bitrate: 0.0000015Mbps\nburst: 0.001")
	f.Add("a: &a\n  <<: *a\n")
	f.Add("stages: *x\n---\n")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Read(strings.NewReader(text), someOperations)
		if err != nil {
			return
		}
		again, err := Read(strings.NewReader(p.File()), someOperations)
		if err != nil {
			t.Fatalf("%q is printed as\n%s\nwhich is refused: %v", text, p.File(), err)
		}
		if !reflect.DeepEqual(again.Table(), p.Table()) {
			t.Fatalf("%q is printed as\n%s\nwhich is something else", text, p.File())
		}
	})
}
