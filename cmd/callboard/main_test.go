package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"

	"callboard/internal/guest"
	"callboard/internal/server/servertest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"callboard": main})
}

func TestScripts(t *testing.T) {
	t.Parallel()
	vars := rehearsal(t)
	host := strings.TrimPrefix(vars["AWS_ENDPOINT_URL_IVS_REALTIME"], "http://")
	_, vars["PORT"], _ = strings.Cut(host, ":")
	vars["HOST"], vars["STARTING"], vars["SILENT"] = host, unready(t), silent(t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			for name, value := range vars {
				env.Setenv(name, value)
			}
			return nil
		},
	})
}

// unready is the URL of a server that is not ready yet.
func unready(t *testing.T) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "seeding", http.StatusServiceUnavailable)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// silent is the URL of something that takes connections and says nothing.
func silent(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return "http://" + l.Addr().String()
}

// rehearsal is a server with a stage on which alice publishes, bob watches and
// carol, whose user id needs care, has been; it gives the variables that name them.
func rehearsal(t *testing.T) map[string]string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s := servertest.Start(t, nil)
	var stage struct{ Stage struct{ ARN string } }
	call(ctx, t, s, "CreateStage", map[string]any{"name": "rehearsal"}, &stage)
	call(ctx, t, s, "CreateStage", map[string]any{"name": "empty"}, nil)
	call(ctx, t, s, "CreateStage", map[string]any{"name": "twice"}, nil)
	call(ctx, t, s, "CreateStage", map[string]any{"name": "twice"}, nil)

	carol := enter(ctx, t, s, stage.Stage.ARN, "キャロル\x1b[31m")
	if _, err := carol.Attend(ctx); err != nil {
		t.Fatal(err)
	}
	if err := carol.Close(ctx); err != nil {
		t.Fatal(err)
	}
	alice := enter(ctx, t, s, stage.Stage.ARN, "alice")
	if _, err := alice.Publish(ctx, guest.H264); err != nil {
		t.Fatal(err)
	}
	bob := enter(ctx, t, s, stage.Stage.ARN, "bob")
	watch, err := bob.Attend(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := watch.Wait(ctx, func(s guest.State) bool { p, _ := s.Person(alice.ID()); return p.IsPublishing }); err != nil {
		t.Fatal(err)
	}
	call(ctx, t, s, "GetStage", map[string]any{"arn": stage.Stage.ARN}, &stage)
	var live struct {
		Stage struct{ ActiveSessionID string }
	}
	call(ctx, t, s, "GetStage", map[string]any{"arn": stage.Stage.ARN}, &live)
	c := s.Credentials()
	return map[string]string{
		"STAGE": stage.Stage.ARN, "SESSION": live.Stage.ActiveSessionID,
		"ALICE": alice.ID(), "BOB": bob.ID(), "CAROL": carol.ID(),
		"AWS_ACCESS_KEY_ID": c.AccessKeyID, "AWS_SECRET_ACCESS_KEY": c.SecretAccessKey, "AWS_REGION": s.Config.Region,
		"AWS_ENDPOINT_URL_IVS_REALTIME": s.URL(), "AWS_MAX_ATTEMPTS": "1", "AWS_EC2_METADATA_DISABLED": "true",
	}
}

func call(ctx context.Context, t *testing.T, s *servertest.Server, operation string, in, out any) {
	t.Helper()
	if err := s.Call(ctx, operation, in, out); err != nil {
		t.Fatalf("%s: %v", operation, err)
	}
}

func enter(ctx context.Context, t *testing.T, s *servertest.Server, stage, userID string) *guest.Guest {
	t.Helper()
	token, _, err := s.CreateToken(ctx, stage, userID)
	if err != nil {
		t.Fatal(err)
	}
	g, err := guest.New(token)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(context.WithoutCancel(ctx)); err != nil {
			t.Error(err)
		}
	})
	return g
}

func TestTheExitStatusTellsAWrongCommandLineFromAFailure(t *testing.T) {
	t.Parallel()
	cases := map[string]int{
		"version": 0, "help": 0, "": 0, "completion bash": 0, "serve --print-config": 0,
		"serve --linger soon": 1, "env --data memory:": 1,
		"policy": 0, "policy check --policy IVSFullAccess --action GetStage": 0, "policy check --policy missing.json": 1,
		"bogus": 2, "policy bogus": 2, "policy check": 2, "policy check --policy IVSFullAccess --resource *": 2, "serve --bogus": 2, "ls": 2, "ls a b": 2, "ls a --state X --user-id y": 2, "version 1": 2,
	}
	for line, want := range cases {
		var stdout, stderr bytes.Buffer
		if got := run(t.Context(), strings.Fields(line), &stdout, &stderr); got != want {
			t.Errorf("%q exits with %d, want %d: %s", line, got, want, &stderr)
		}
		if lines := strings.Count(stderr.String(), "\n"); lines != min(want, 1) {
			t.Errorf("%q writes %d lines of errors: %s", line, lines, &stderr)
		}
	}
}

func TestServeSaysWhenItAnswersAndEndsInOrder(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	r, w := io.Pipe()
	status := make(chan int, 1)
	go func() {
		defer w.Close()
		status <- run(ctx, []string{"serve", "--data", data, "--listen", "127.0.0.1:0", "--media", "127.0.0.1:0", "--log-level", "error"}, w, w)
	}()
	lines := bufio.NewScanner(r)
	url := ""
	for lines.Scan() {
		if _, err := os.Stat(filepath.Join(data, "credentials.json")); err != nil {
			t.Error(err)
		}
		if rest, ok := strings.CutPrefix(lines.Text(), "Ready. "); ok {
			url, _, _ = strings.Cut(rest, " ")
			continue
		}
		break
	}
	if want := `eval "$(callboard env --listen=127.0.0.1:0 --data=` + data + " --public-url=" + url + `)"`; !strings.Contains(lines.Text(), want) {
		t.Errorf("the hint is %q; want %q in it", lines.Text(), want)
	}
	resp, err := http.Get(url + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("readyz answers %s", resp.Status)
	}
	http.DefaultClient.CloseIdleConnections()
	interrupt()
	if !lines.Scan() || lines.Text() != "Stopped." {
		t.Errorf("the last line is %q", lines.Text())
	}
	io.Copy(io.Discard, r)
	if got := <-status; got != 0 {
		t.Errorf("it exits with %d", got)
	}
}

func TestTheHintOfServeIsACommandThatWorks(t *testing.T) {
	t.Parallel()
	const secret = "a-secret-that-is-given"
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	r, w := io.Pipe()
	status := make(chan int, 1)
	go func() {
		defer w.Close()
		status <- run(ctx, []string{"serve", "--data", "memory:", "--listen", "127.0.0.1:0", "--media", "127.0.0.1:0", "--log-level", "error",
			"--access-key-id", "AKIAGIVEN", "--secret-access-key", secret}, w, w)
	}()
	lines := bufio.NewScanner(r)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "To use") {
	}
	hint := lines.Text()
	if !strings.Contains(hint, "--access-key-id=AKIAGIVEN") || !strings.Contains(hint, "set CALLBOARD_SECRET_ACCESS_KEY to its secret access key") || strings.Contains(hint, secret) {
		t.Errorf("the hint is %q", hint)
	}
	interrupt()
	io.Copy(io.Discard, r)
	if got := <-status; got != 0 {
		t.Errorf("it exits with %d", got)
	}
}

func TestTheHintOfServeRepeatsWhatVariablesSay(t *testing.T) { // not parallel: it sets some
	const secret = "a-secret-that-is-given"
	config := filepath.Join(t.TempDir(), "callboard.yaml")
	if err := os.WriteFile(config, []byte("log-level: error\nmedia: 127.0.0.1:0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"CONFIG": config, "LISTEN": "127.0.0.1:0", "DATA": "memory:", "REGION": "eu-west-1", "ACCOUNT": "111122223333",
		"ACCESS_KEY_ID": "AKIAGIVEN", "SECRET_ACCESS_KEY": secret,
	} {
		t.Setenv("CALLBOARD_"+name, value)
	}
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	r, w := io.Pipe()
	status := make(chan int, 1)
	go func() {
		defer w.Close()
		status <- run(ctx, []string{"serve", "--account", "000000000001"}, w, w)
	}()
	lines := bufio.NewScanner(r)
	url := ""
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "To use") {
		if rest, ok := strings.CutPrefix(lines.Text(), "Ready. "); ok {
			url, _, _ = strings.Cut(rest, " ")
		}
	}
	hint := lines.Text()
	want := `eval "$(callboard env --config=` + config + ` --listen=127.0.0.1:0 --data=memory: --region=eu-west-1 --account=000000000001 --access-key-id=AKIAGIVEN --public-url=` + url + `)"`
	if !strings.Contains(hint, want) || !strings.Contains(hint, "set CALLBOARD_SECRET_ACCESS_KEY") || strings.Contains(hint, secret) {
		t.Errorf("the hint is %q; want %q in it", hint, want)
	}
	interrupt()
	io.Copy(io.Discard, r)
	if got := <-status; got != 0 {
		t.Errorf("it exits with %d", got)
	}
}

func TestTheVersionIsTheOneThatTheLinkerWasTold(t *testing.T) { // the ldflags are those of the Dockerfile
	t.Parallel()
	dockerfile, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	_, flags, _ := strings.Cut(string(dockerfile), `-ldflags="`)
	flags, _, _ = strings.Cut(flags, `"`)
	binary := filepath.Join(t.TempDir(), "callboard.exe")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "-ldflags="+strings.ReplaceAll(flags, "$VERSION", "v1.2.3"), ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	out, err := exec.CommandContext(t.Context(), binary, "version").Output()
	if err != nil || !strings.HasPrefix(string(out), "callboard v1.2.3 ") {
		t.Errorf("it prints %s, %v", out, err)
	}
}

func TestADemoLeavesNothingBehind(t *testing.T) { // not parallel: it counts goroutines
	before := goleak.IgnoreCurrent()
	var stdout, stderr bytes.Buffer
	if got := run(t.Context(), []string{"demo", "--for", "6s"}, &stdout, &stderr); got != 0 {
		t.Fatalf("it exits with %d: %s\n%s", got, &stderr, &stdout)
	}
	goleak.VerifyNone(t, before)
}

func TestADemoEndsWhenItIsInterrupted(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithCancel(t.Context())
	r, w := io.Pipe()
	status := make(chan int, 1)
	var stderr bytes.Buffer
	go func() {
		defer w.Close()
		status <- run(ctx, []string{"demo"}, w, &stderr)
	}()
	if _, err := bufio.NewReader(r).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	interrupt()
	io.Copy(io.Discard, r)
	if got := <-status; got != 0 {
		t.Errorf("it exits with %d: %s", got, &stderr)
	}
}
