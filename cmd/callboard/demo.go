package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ivsrealtime"
	"github.com/spf13/cobra"

	"callboard/internal/server"
)

func demoCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show a stage at work on this machine",
		Long: `Demo starts a server on free ports of this machine, with everything in memory, and
fills a stage with real WebRTC participants: some publish by WHIP, some subscribe
by WHEP, some hold a presence WebSocket; they come, go, and drop off the network.

Meanwhile it calls the roll through signed ListParticipants requests, as any AWS
client would, and compares the answer with what it did. If the list is ever untrue,
or does not come true in time, demo says so and fails.

It leaves nothing behind.`,
		Example: `  callboard demo              until Ctrl-C, with lines to try by hand
  callboard demo --for 20s    ends by itself`,
		Args: noArgs,
	}
	length := cmd.Flags().Duration("for", 0, "end after this time (default: until interrupted)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *length < 0 {
			return fmt.Errorf("--for is %v: it must be a duration such as 20s", *length)
		}
		return runDemo(cmd.Context(), *length, newScreen(cmd.OutOrStdout()))
	}
	return cmd
}

// runDemo runs the play on a server of its own and takes both down again.
func runDemo(ctx context.Context, length time.Duration, s *screen) error {
	cfg := server.Default()
	cfg.Listen, cfg.Media, cfg.Data = "127.0.0.1:0", "127.0.0.1:0", server.Memory
	serving := make(chan struct{})
	cfg.Serving = func(*server.Server) { close(serving) }
	srv, err := server.New(ctx, cfg)
	if err != nil {
		return err
	}
	lights, out := context.WithCancel(context.WithoutCancel(ctx)) // the server outlives the play
	defer out()
	ended := make(chan error, 1)
	go func() { ended <- srv.Run(lights) }()
	<-serving
	err = perform(ctx, length, srv, s)
	out()
	return errors.Join(err, <-ended)
}

// perform makes the stage, runs the play and tells how it went.
func perform(ctx context.Context, length time.Duration, srv *server.Server, s *screen) error {
	transport := new(http.Transport)
	defer transport.CloseIdleConnections()
	client := demoClient(srv, &http.Client{Transport: transport})
	made, err := client.CreateStage(ctx, &ivsrealtime.CreateStageInput{Name: aws.String("demo")})
	if err != nil {
		return err
	}
	p := &play{
		client: client, screen: s, stage: aws.ToString(made.Stage.Arn),
		title:  fmt.Sprintf("Callboard demo at %s, everything in memory", srv.URL()),
		advice: advice(srv, aws.ToString(made.Stage.Arn)),
	}
	showtime, curtain := ctx, context.CancelFunc(func() {})
	if length > 0 {
		showtime, curtain = context.WithTimeout(ctx, length)
	}
	defer curtain()
	err = p.run(showtime)
	if end := p.finish(context.WithoutCancel(ctx)); err == nil {
		err = end
	}
	if err != nil {
		return err
	}
	text := fmt.Sprintf("The list was true each of the %d times it was read; the slowest of %d changes was in it within %v.",
		p.looks, p.steps, p.slowest.Round(time.Millisecond))
	if names := p.unnoticed(); len(names) > 0 {
		text += fmt.Sprintf("\nThe end came before the server had to notice that %s vanished.", strings.Join(names, ", "))
	}
	return s.note(text)
}

func demoClient(srv *server.Server, h *http.Client) *ivsrealtime.Client {
	c := srv.Credentials()
	return ivsrealtime.New(ivsrealtime.Options{
		Region:       server.Default().Region,
		BaseEndpoint: aws.String(srv.URL()),
		Credentials:  credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, ""),
		HTTPClient:   h,
	})
}

// advice is what to type in another terminal while the demo runs.
func advice(srv *server.Server, stage string) string {
	return fmt.Sprintf(`Try it yourself in another terminal:

%s
callboard ls demo --watch
aws ivs-realtime list-stages
aws ivs-realtime list-stage-sessions --stage-arn %[2]s
SESSION=$(aws ivs-realtime get-stage --arn %[2]s --query stage.activeSessionId --output text)
aws ivs-realtime list-participants --stage-arn %[2]s --session-id $SESSION --filter-by-published
python3 - <<'PY'
import boto3
ivs = boto3.client("ivs-realtime")
stage = ivs.get_stage(arn="%[2]s")["stage"]
for p in ivs.list_participants(stageArn=stage["arn"], sessionId=stage["activeSessionId"])["participants"]:
    print(p["participantId"], p["userId"], p["state"], p["published"])
PY

Ctrl-C ends the demo.
`, environment(srv.Credentials(), "", server.Default().Region, srv.URL()).lines(posix), stage)
}
