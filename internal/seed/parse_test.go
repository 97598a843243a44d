package seed

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"callboard/internal/stage"
)

const publicKey = `-----BEGIN PUBLIC KEY-----
MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEimDezI46siYraKq6JSZpy45yUmnaP21y
RuYWxzhPK4mrrEFjjZITsdmgUuF6cyVGGV0AMMyEgfoD+hmXlF7tZIqQPizH1H60
Kum5Fa8MLf+c37J70NT3cqwYZKRzbzSg
-----END PUBLIC KEY-----
`

const whole = `# what a team wants
region: eu-west-1
stages:
  - name: lobby
    id: AbCdEfGhIjKl
    tags: {team: blue, cost: 12}
    tokens:
      - {userId: alice, name: host, attributes: {role: host}, duration: 12h}
      - {userId: bob, capabilities: [SUBSCRIBE], duration: 90}
      - {capabilities: []}
      - {}
  - name: lobby
    account: "000000000042"
    region: us-west-2
public-keys:
  - name: backend
    file: key.pem
keys:
  - id: AKIAREADONLY00000001
    secret: not-a-secret-in-a-test
    name: ci
    account: 000000000042
    policies:
      - IVSReadOnlyAccess
      - name: no-deletes
        document:
          Version: 2012-10-17
          Statement: {Effect: Deny, Action: "ivs:Delete*", Resource: "*"}
`

func files(name string) ([]byte, error) {
	if name == "key.pem" {
		return []byte(publicKey), nil
	}
	return nil, fs.ErrNotExist
}

var defaults = Defaults{Account: "123456789012", Region: "us-east-1"}

func TestASeedSaysWhatIsToBeThere(t *testing.T) {
	t.Parallel()
	p, err := parse([]byte(whole), defaults, files)
	if err != nil {
		t.Fatal(err)
	}
	lobby := p.Stages[0]
	if len(p.Stages) != 2 || lobby.ID != "AbCdEfGhIjKl" || lobby.Region != "eu-west-1" || lobby.Account != "123456789012" || lobby.Tags["cost"] != "12" {
		t.Errorf("the stages are %+v", p.Stages)
	}
	if other := p.Stages[1]; other.Account != "000000000042" || other.Region != "us-west-2" {
		t.Errorf("the other lobby is %+v", other)
	}
	subscribe := []stage.Capability{stage.Subscribe}
	want := []Token{
		{Name: "host", TokenRequest: stage.TokenRequest{UserID: "alice", Attributes: map[string]string{"role": "host"}, Duration: 12 * time.Hour}},
		{TokenRequest: stage.TokenRequest{UserID: "bob", Capabilities: &subscribe, Duration: 90 * time.Minute}},
		{TokenRequest: stage.TokenRequest{Capabilities: new([]stage.Capability)}},
		{},
	}
	if !reflect.DeepEqual(lobby.Tokens, want) {
		t.Errorf("the tokens are %+v", lobby.Tokens)
	}
	if len(p.PublicKeys) != 1 || p.PublicKeys[0].Material != publicKey || p.PublicKeys[0].Region != "eu-west-1" {
		t.Errorf("the public keys are %+v", p.PublicKeys)
	}
	if len(p.Keys) != 1 || p.Keys[0].Account != "000000000042" || len(p.Keys[0].Policies) != 2 {
		t.Errorf("the access keys are %+v", p.Keys)
	}
}

func TestASeedThatSaysNothingIsASeed(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "# nothing\n", "---\n", "stages:\n", "stages: []\nkeys: []\n"} {
		if p, err := parse([]byte(text), defaults, files); err != nil || len(p.Stages)+len(p.Keys) > 0 {
			t.Errorf("%q gives %+v, %v", text, p, err)
		}
	}
}

func TestAMistakeIsToldWithItsLineAndNothingElse(t *testing.T) {
	t.Parallel()
	token := func(line string) string { return "stages:\n- name: a\n  tokens:\n  - {}\n  - " + line + "\n" }
	cases := []struct{ name, text, want string }{
		{"an unknown member", "stages:\n- nane: a\n", `line 2: a stage has no "nane"; it has account, id, name, region, tags, tokens`},
		{"an unknown member of the top", "stage: []\n", `line 1: a seed has no "stage"`},
		{"an unknown member of a token", token("{user-id: x}"), `line 5: a token has no "user-id"`},
		{"a member said twice", "stages:\n- name: a\n  name: b\n", "line 3: name is said twice"},
		{"a list that is none", "stages: {a: b}\n", "line 1: stages must be a list"},
		{"a stage that is no mapping", "stages:\n- lobby\n", "line 2: a stage must be a mapping with account, id,"},
		{"a stage of no name", "stages:\n- tags: {a: b}\n", "line 2: a stage needs a name or an id"},
		{"a name with a space", "stages:\n- name: a b\n", `line 2: name is "a b"; it must be 1 to 128`},
		{"a name of a line", "stages:\n- name: \"a\\n\"\n", `line 2: name is "a\n"`},
		{"a short id", "stages:\n- id: abc\n", `line 2: id is "abc"; it must be 12 letters and digits`},
		{"a short account", "account: 12\n", `line 1: account is "12"; it must be 12 digits`},
		{"a bad region", "stages:\n- name: a\n  region: EU\n", `line 3: region is "EU"`},
		{"an id twice", "stages:\n- {id: AbCdEfGhIjKl}\n- {id: AbCdEfGhIjKl, name: b}\n", "line 3: a stage with the id AbCdEfGhIjKl is there already, in line 2"},
		{"a name twice", "stages:\n- {name: a}\n- {id: AbCdEfGhIjKl, name: a}\n", "line 3: a stage with the name a in this account and region is there already, in line 2"},
		{"a reserved tag", "stages:\n- name: a\n  tags: {aws:x: y}\n", "line 2: Tag keys that begin with aws: are reserved"},
		{"a tag of a list", "stages:\n- name: a\n  tags: {x: [y]}\n", "line 3: tags must be names with plain values"},
		{"a tag twice", "stages:\n- name: a\n  tags: {x: y, x: z}\n", `line 3: "x" is said twice in tags`},
		{"a duration in words", token("{duration: soon}"), `line 5: duration is "soon"; it must be minutes`},
		{"a duration of no time", token("{duration: 0}"), `line 5: duration is "0"`},
		{"a duration of half a minute", token("{duration: 90s}"), `line 5: duration is "90s"`},
		{"a duration of too many days", token("{duration: 337h}"), `line 5: duration is "337h"`},
		{"a duration beyond all numbers", token("{duration: 99999999999999}"), `line 5: duration is "99999999999999"`},
		{"a capability that is none", token("{capabilities: [DANCE]}"), `line 5: capabilities has "DANCE"`},
		{"capabilities without end", token("{capabilities: [PUBLISH, PUBLISH, PUBLISH]}"), "line 5: capabilities"},
		{"attributes too large", token("{attributes: {x: " + strings.Repeat("y", 1024) + "}}"), "line 5: The keys and values of attributes take 1025 bytes"},
		{"a user id too long", token("{userId: " + strings.Repeat("y", 129) + "}"), "line 5: userId is"},
		{"the name of a token twice", token("{name: x}\n  - {name: x}"), "line 6: the stage has a token with the name x already"},
		{"a public key without material", "public-keys:\n- name: a\n", "line 2: a public key needs its pem, or the file"},
		{"a public key that is none", "public-keys:\n- pem: hello\n", "line 2: "},
		{"a file that is not there", "public-keys:\n- file: other.pem\n", "line 2: the public key cannot be read: file does not exist"},
		{"a public key twice", "public-keys:\n- file: key.pem\n- file: key.pem\n", "line 3: this public key is there already, in line 2"},
		{"a key without a secret", "keys:\n- id: AKIAREADONLY00000001\n", "line 2: access key AKIAREADONLY00000001: secret must be"},
		{"a key with a bad id", "keys:\n- {id: short, secret: long-enough-for-one}\n", "line 2: access key short: id must be"},
		{"a key twice", "keys:\n- &k {id: AKIAREADONLY00000001, secret: long-enough-for-one}\n- *k\n", "line 2: access key AKIAREADONLY00000001 is there already"},
		{"a policy that nobody knows", "keys:\n- {id: AKIAREADONLY00000001, secret: long-enough-for-one, policies: [Everything]}\n", "line 2: access key AKIAREADONLY00000001: there is no managed policy Everything"},
		{"a policy without a document", "keys:\n- id: AKIAREADONLY00000001\n  secret: long-enough-for-one\n  policies:\n  - name: x\n", "line 5: a policy is the name"},
		{"a mistake in a document", "keys:\n- id: AKIAREADONLY00000001\n  secret: long-enough-for-one\n  policies:\n  - document:\n      Version: 2012-10-17\n      Statement:\n      - Effect: Maybe\n        Action: ivs:*\n        Resource: '*'\n", "line 8"},
		{"two documents", "stages: []\n---\nstages: []\n", "a seed is one document"},
		{"broken YAML", "stages: 'a\n", "found unexpected end of stream"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p, err := parse([]byte(c.text), defaults, files)
			if err == nil {
				t.Fatalf("it gives %+v", p)
			}
			if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "long-enough") {
				t.Errorf("the error is %q; want %q in it", err, c.want)
			}
		})
	}
}

func TestASeedKeepsToTheRegionsThatRequestsMayName(t *testing.T) {
	t.Parallel()
	d := defaults
	d.Regions = []string{"us-east-1", "eu-west-1"}
	if p, err := parse([]byte("stages:\n- name: a\n- {name: b, region: eu-west-1}\n"), d, nil); err != nil || len(p.Stages) != 2 {
		t.Errorf("got %+v, %v", p, err)
	}
	_, err := parse([]byte("stages:\n- name: a\n- {name: b, region: eu-west-2}\n"), d, nil)
	if want := `line 3: region is "eu-west-2"; it must be one that requests may name: us-east-1, eu-west-1`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestAFewLinesCannotAskForMoreThanAServerCanBear(t *testing.T) {
	t.Parallel()
	text := "stages:\n- name: a\n  tokens: &t [" + strings.Repeat("{},", 9000) + "{}]\n"
	for i := range 3 {
		text += fmt.Sprintf("- name: b%d\n  tokens: *t\n", i)
	}
	if _, err := parse([]byte(text), defaults, files); err == nil || !strings.Contains(err.Error(), "at most 20000") {
		t.Errorf("got %v", err)
	}
	deep := "keys:\n- id: AKIAREADONLY00000001\n  policies:\n  - document: &x {a: *x}\n"
	if _, err := parse([]byte(deep), defaults, files); err == nil || !strings.Contains(err.Error(), "deep") {
		t.Errorf("got %v", err)
	}
}

func TestAPolicyMayStandFarDownInASeed(t *testing.T) {
	t.Parallel()
	far := func(effect string) string {
		return strings.Repeat("\n", 70_000) + "keys:\n- id: AKIAREADONLY00000001\n  secret: long-enough-for-one\n  policies:\n" +
			"  - document:\n      Statement:\n      - Effect: " + effect + "\n        Action: ivs:*\n        Resource: '*'\n"
	}
	p, err := parse([]byte(far("Allow")), defaults, files)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(p.Keys[0].Policies[0].Document); n > 200 {
		t.Errorf("the document has %d bytes", n)
	}
	if _, err := parse([]byte(far("Maybe")), defaults, files); err == nil || !strings.Contains(err.Error(), "line 70007: ") {
		t.Errorf("got %v", err)
	}
}

func TestASeedNamesFilesBesideIt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("key.pem", publicKey)
	path := write("seed.yaml", whole)
	if p, err := Load(path, defaults); err != nil || len(p.PublicKeys) != 1 {
		t.Errorf("got %+v, %v", p, err)
	}
	bad := write("bad.yaml", "stages:\n- nane: x\n")
	if _, err := Load(bad, defaults); err == nil || !strings.HasPrefix(err.Error(), "the seed "+bad+" is not right: line 2: ") {
		t.Errorf("got %v", err)
	}
	if _, err := Load(filepath.Join(dir, "none.yaml"), defaults); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if _, err := Load(dir, defaults); err == nil || !strings.Contains(err.Error(), "must be a file") {
		t.Errorf("got %v", err)
	}
}

func FuzzSeed(f *testing.F) {
	f.Add(whole)
	f.Add("stages: &x [*x]")
	f.Add("<<: {stages: []}")
	f.Add("keys:\n- id: AKIAREADONLY00000001\n  policies:\n  - document: &x {a: *x}\n")
	f.Add("stages: [{id: !!binary YQ==, tokens: [{duration: 1e3}]}]")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parse([]byte(text), defaults, files)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one line: %q", err)
			}
			return
		}
		for _, s := range p.Stages {
			if (stage.NewStage{ID: s.ID, Tags: s.Tags}).Check() != nil || s.ID+s.Name == "" || !accountForm.MatchString(s.Account) || !regionForm.MatchString(s.Region) {
				t.Errorf("a stage that cannot be: %+v", s)
			}
			for _, k := range s.Tokens {
				if k.Check() != nil {
					t.Errorf("a token that cannot be: %+v", k)
				}
			}
		}
	})
}

func TestTheExampleIsASeed(t *testing.T) {
	t.Parallel()
	p, err := Load("../../docs/seed.yaml", defaults)
	if err != nil || len(p.Stages) != 2 || len(p.Stages[0].Tokens) != 2 || len(p.PublicKeys) != 1 || len(p.Keys) != 2 {
		t.Errorf("got %+v, %v", p, err)
	}
}
