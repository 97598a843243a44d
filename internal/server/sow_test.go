package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"callboard/internal/guest"
	"callboard/internal/server"
	"callboard/internal/server/servertest"
)

const publicKey = `-----BEGIN PUBLIC KEY-----
MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEimDezI46siYraKq6JSZpy45yUmnaP21y
RuYWxzhPK4mrrEFjjZITsdmgUuF6cyVGGV0AMMyEgfoD+hmXlF7tZIqQPizH1H60
Kum5Fa8MLf+c37J70NT3cqwYZKRzbzSg
-----END PUBLIC KEY-----
`

const seedText = `stages:
- name: lobby
  id: AbCdEfGhIjKl
  tags: {team: blue}
  tokens:
  - {userId: alice, name: host}
  - {userId: bob, capabilities: [SUBSCRIBE]}
- name: studio
- name: elsewhere
  region: eu-west-1
  tokens: [{duration: 30}]
public-keys:
- {name: backend, file: key.pem}
keys:
- {id: AKIAREADONLY00000001, secret: not-a-secret-in-a-test, name: ci, policies: [IVSReadOnlyAccess]}
`

// crop is what a seed gives.
type crop struct {
	Stages []struct {
		Name, ARN string
		Tokens    []struct{ Name, UserID, ParticipantID, Token, ExpirationTime string }
	}
	PublicKeys []struct{ Name, ARN, Fingerprint string }
}

func seedFile(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"seed.yaml": text, "key.pem": publicKey} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "seed.yaml")
}

func readCrop(ctx context.Context, t *testing.T, s *servertest.Server) (c crop) {
	t.Helper()
	status, answer := send(ctx, t, s, http.MethodGet, "/callboard/v1/seed", "")
	if err := json.Unmarshal([]byte(answer), &c); status != http.StatusOK || err != nil {
		t.Fatalf("the seed answers %d %s, %v", status, answer, err)
	}
	return c
}

func TestWhatTheSeedSaysIsThereFromTheStart(t *testing.T) {
	t.Parallel()
	ctx := bounded(t)
	file := seedFile(t, seedText)
	var log lockedBuffer
	s := servertest.Start(t, func(c *server.Config) {
		dev(c)
		c.AccessKeyID, c.Seed, c.LogOutput = "000000000000", file, &log
	})
	c := readCrop(ctx, t, s)
	if text := log.String(); !strings.Contains(text, `msg="sowing the seed" file=`) || !strings.Contains(text, " stages=3 public_keys=1 access_keys=1\n") {
		t.Errorf("the log says %s", text)
	}
	if len(c.Stages) != 3 || c.Stages[0].ARN != "arn:aws:ivs:us-east-1:000000000000:stage/AbCdEfGhIjKl" || !strings.HasPrefix(c.Stages[2].ARN, "arn:aws:ivs:eu-west-1:") {
		t.Fatalf("the stages are %+v", c.Stages)
	}
	if len(c.PublicKeys) != 1 || c.PublicKeys[0].Name != "backend" {
		t.Errorf("the public keys are %+v", c.PublicKeys)
	}
	var list struct {
		Stages []struct{ Tags map[string]string }
	}
	if err := s.Call(ctx, "ListStages", map[string]any{}, &list); err != nil || len(list.Stages) != 2 || list.Stages[0].Tags["team"] != "blue" {
		t.Errorf("the API has %+v, %v", list, err)
	}
	tokens := c.Stages[0].Tokens
	if len(tokens) != 2 || tokens[0].Name != "host" || tokens[0].UserID != "alice" || tokens[0].ParticipantID == "" || tokens[0].ExpirationTime == "" {
		t.Fatalf("the tokens are %+v", tokens)
	}
	g, err := guest.New(tokens[0].Token)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close(ctx)
	if _, err := g.Attend(ctx); err != nil {
		t.Error(err)
	}
	if got := roll(ctx, t, s, c.Stages[0].ARN, liveSession(ctx, t, s, c.Stages[0].ARN)); len(got) != 1 || got[0].ParticipantID != tokens[0].ParticipantID {
		t.Errorf("on the stage are %+v", got)
	}
}

func TestTheKeysOfASeedMayDoWhatTheirPoliciesSay(t *testing.T) {
	t.Parallel()
	file := seedFile(t, seedText)
	s := servertest.Start(t, func(c *server.Config) { c.Seed = file })
	reader := servertest.Start(t, func(c *server.Config) {
		c.PublicURL, c.AccessKeyID, c.SecretAccessKey = s.URL(), "AKIAREADONLY00000001", "not-a-secret-in-a-test"
	})
	if err := reader.Call(t.Context(), "ListStages", map[string]any{}, nil); err != nil {
		t.Error(err)
	}
	err := reader.Call(t.Context(), "CreateStage", map[string]any{}, nil)
	if f, ok := errors.AsType[*servertest.Failure](err); !ok || f.Status != http.StatusForbidden || !strings.Contains(f.Message, "user/ci") {
		t.Errorf("got %v", err)
	}
	if status, _ := send(t.Context(), t, s, http.MethodGet, "/callboard/v1/seed", ""); status != http.StatusForbidden {
		t.Errorf("without dev the tokens are given away: %d", status)
	}
}

func TestASeedIsSownOnceAndItsTokensAreNewAtEachStart(t *testing.T) {
	t.Parallel()
	ctx := bounded(t)
	data, file := filepath.Join(t.TempDir(), "data"), seedFile(t, seedText)
	start := func() (*servertest.Server, crop) {
		s := servertest.Start(t, func(c *server.Config) { c.Data, c.Seed = data, file })
		path := filepath.Join(data, "seed.json")
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("the file is %v, %v", info.Mode(), err)
		}
		var c crop
		if err := json.Unmarshal(text, &c); err != nil {
			t.Fatal(err)
		}
		return s, c
	}
	first, before := start()
	if err := first.Call(ctx, "UpdateStage", map[string]any{"arn": before.Stages[0].ARN, "name": "foyer"}, nil); err != nil {
		t.Fatal(err)
	}
	first.Close()
	second, after := start()
	for i := range before.Stages {
		if before.Stages[i].ARN != after.Stages[i].ARN {
			t.Errorf("%s became %s", before.Stages[i].ARN, after.Stages[i].ARN)
		}
	}
	if before.PublicKeys[0] != after.PublicKeys[0] || before.Stages[0].Tokens[0].ParticipantID == after.Stages[0].Tokens[0].ParticipantID {
		t.Errorf("before %+v, after %+v", before, after)
	}
	var list struct{ Stages []struct{ Name string } }
	if err := second.Call(ctx, "ListStages", map[string]any{}, &list); err != nil || len(list.Stages) != 2 || list.Stages[0].Name != "foyer" {
		t.Errorf("the API has %+v, %v", list, err)
	}
	left, err := filepath.Glob(filepath.Join(data, "seed-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left over are %v, %v", left, err)
	}
}

func TestResetSowsTheSeedAgain(t *testing.T) {
	t.Parallel()
	ctx := bounded(t)
	file := seedFile(t, seedText)
	s := servertest.Start(t, func(c *server.Config) { loadedDice(c); c.AccessKeyID = "000000000000"; c.Seed = file })
	before := readCrop(ctx, t, s)
	g, err := guest.New(before.Stages[0].Tokens[0].Token)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close(ctx)
	watch, err := g.Attend(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateStage(ctx); err != nil {
		t.Fatal(err)
	}
	mustReset(ctx, t, s)
	<-watch.Done()
	after := readCrop(ctx, t, s)
	for _, c := range []*crop{&before, &after} { // signatures and times differ
		for i := range c.Stages {
			for j := range c.Stages[i].Tokens {
				c.Stages[i].Tokens[j].Token, c.Stages[i].Tokens[j].ExpirationTime = "", ""
			}
		}
	}
	if fmt.Sprint(before) != fmt.Sprint(after) {
		t.Errorf("before %+v, after %+v", before, after)
	}
	var list struct{ Stages []any }
	if err := s.Call(ctx, "ListStages", map[string]any{}, &list); err != nil || len(list.Stages) != 2 {
		t.Errorf("the API has %+v, %v", list, err)
	}
}

func TestAResetThatCannotSowLeavesNothingOfTheOldSeed(t *testing.T) {
	t.Parallel()
	ctx := bounded(t)
	data, file, narrow := filepath.Join(t.TempDir(), "data"), seedFile(t, "stages:\n- name: a\n- name: b\n"), seedFile(t, "stages: 1\n")
	first := servertest.Start(t, func(c *server.Config) { dev(c); c.Data, c.Seed = data, file })
	first.Close()
	s := servertest.Start(t, func(c *server.Config) { dev(c); c.Data, c.Seed, c.Quotas = data, file, narrow }) // both stages are there
	readCrop(ctx, t, s)
	if status, answer := post(ctx, t, s, "/callboard/v1/reset", ""); status != http.StatusInternalServerError || !strings.Contains(answer, "line 3: Account 000000000000 has 1 resources") {
		t.Errorf("the reset answers %d %s", status, answer)
	}
	if status, answer := send(ctx, t, s, http.MethodGet, "/callboard/v1/seed", ""); status != http.StatusInternalServerError || !strings.Contains(answer, "the last reset could not sow the seed") {
		t.Errorf("the seed answers %d %s", status, answer)
	}
	if _, err := os.Stat(filepath.Join(data, "seed.json")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the tokens of before are still in a file: %v", err)
	}
}

func TestTheTokensOfASeedCarryTheHostByWhichTheyAreAskedFor(t *testing.T) {
	t.Parallel()
	file := seedFile(t, seedText)
	s := servertest.Start(t, func(c *server.Config) { dev(c); c.Seed = file })
	own := readCrop(t.Context(), t, s).Stages[0].Tokens[0]
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.Addr()+"/callboard/v1/seed", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "localhost:32768"
	resp, err := s.Client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var c crop
	if err := json.NewDecoder(resp.Body).Decode(&c); err != nil {
		t.Fatal(err)
	}
	other := c.Stages[0].Tokens[0]
	if other.ParticipantID != own.ParticipantID || other.ExpirationTime != own.ExpirationTime || other.Token == own.Token {
		t.Errorf("it is %+v, not %+v", other, own)
	}
	if claims := claimsOf(t, other.Token); claims.WHIP != "http://localhost:32768/whip" || claims.Events != "ws://localhost:32768/events" {
		t.Errorf("it says %+v", claims)
	}
}

func TestASeedThatIsNotRightStopsTheStartBeforeAnythingIsMade(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"stages:\n- name: a\n- nane: b\n":                                       "line 3: a stage has no \"nane\"",
		"keys:\n- {id: AKIATESTTESTTESTTEST, secret: not-a-secret-in-a-test}\n": "which is the server's own",
	} {
		cfg := server.Default()
		cfg.Listen, cfg.Media = "127.0.0.1:0", "127.0.0.1:0"
		cfg.AccessKeyID, cfg.SecretAccessKey = "AKIATESTTESTTESTTEST", "a-secret-of-forty-characters-for-testing"
		cfg.Data, cfg.Seed = filepath.Join(t.TempDir(), "data"), seedFile(t, text)
		if _, err := server.New(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), cfg.Seed) {
			t.Errorf("got %v, want %q", err, want)
		}
		if _, err := os.Stat(cfg.Data); !os.IsNotExist(err) {
			t.Errorf("something was made: %v", err)
		}
	}
}

func TestASeedThatCannotBeSownEndsTheServer(t *testing.T) {
	t.Parallel()
	cfg := server.Default()
	cfg.Listen, cfg.Media, cfg.Data = "127.0.0.1:0", "127.0.0.1:0", server.Memory
	cfg.Quotas = seedFile(t, "stages: 1\n")
	cfg.Seed = seedFile(t, "stages:\n- name: a\n- name: b\n")
	cfg.Serving = func(*server.Server) { t.Error("it says that it serves") }
	s, err := server.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "line 3: Account 000000000000 has 1 resources of type stage in region us-east-1; the limit is 1") {
		t.Errorf("got %v", err)
	}
}
