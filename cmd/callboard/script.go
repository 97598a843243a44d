package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ivsrealtime"

	"callboard/internal/guest"
)

// script gives tokens to the cast and writes the play: the steps that happen
// once, and those that are repeated until the end.
func (p *play) script(ctx context.Context) (script, encore []step, err error) {
	for _, name := range []string{"alice", "bob", "carol", "dave", "erin", "frank"} {
		a, err := p.engage(ctx, name)
		if err != nil {
			return nil, nil, err
		}
		p.cast = append(p.cast, a)
	}
	alice, bob, carol, dave, erin, frank := p.cast[0], p.cast[1], p.cast[2], p.cast[3], p.cast[4], p.cast[5]
	script = []step{
		{told: "alice publishes H.264 and Opus by WHIP", who: alice, truth: publishing, do: alice.publishes(guest.H264)},
		{told: "frank opens a presence WebSocket", who: frank, truth: here, do: frank.attends},
		{told: "bob opens a presence WebSocket", who: bob, truth: here, do: bob.attends},
		{told: "bob subscribes to alice by WHEP and sees a picture", who: bob, truth: here, do: bob.watches(alice)},
		{told: "frank's network is gone, without a goodbye; the server has to find out", who: frank, truth: here.gone(), later: true, do: frank.vanishes},
		{told: "carol publishes VP8 and Opus by WHIP", who: carol, truth: publishing, do: carol.publishes(guest.VP8)},
		{told: "dave subscribes to carol by WHEP, without any WebSocket", who: dave, truth: here, do: dave.watches(carol)},
		{told: "alice stops publishing and leaves", who: alice, truth: publishing.gone(), do: alice.leave},
		{told: "erin publishes audio alone by WHIP", who: erin, truth: publishing, do: erin.publishes(guest.NoVideo)},
		{told: "alice comes back with the same token, to look on", who: alice, truth: publishing, do: alice.attends},
		{told: "erin is removed by DisconnectParticipant, and refused when she tries again", who: erin, truth: publishing.gone(), do: p.removes(erin)},
		{told: "bob, who only watched so far, publishes H.264", who: bob, truth: publishing, do: bob.publishes(guest.H264)},
	}
	encore = []step{
		{told: "dave closes his player", who: dave, truth: here.gone(), do: dave.leave},
		{told: "carol leaves", who: carol, truth: publishing.gone(), do: carol.leave},
		{told: "carol publishes again", who: carol, truth: publishing, do: carol.publishes(guest.VP8)},
		{told: "dave subscribes to carol again", who: dave, truth: here, do: dave.watches(carol)},
	}
	return script, encore, nil
}

// engage has the API make a token, which lets nobody in yet.
func (p *play) engage(ctx context.Context, name string) (*actor, error) {
	out, err := p.client.CreateParticipantToken(ctx, &ivsrealtime.CreateParticipantTokenInput{StageArn: &p.stage, UserId: &name})
	if err != nil {
		return nil, err
	}
	return &actor{name: name, token: aws.ToString(out.ParticipantToken.Token), id: aws.ToString(out.ParticipantToken.ParticipantId)}, nil
}

func (a *actor) attends(ctx context.Context) error {
	if err := a.enter(); err != nil {
		return err
	}
	_, err := a.guest.Attend(ctx)
	return err
}

func (a *actor) publishes(video guest.Video) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := a.enter(); err != nil {
			return err
		}
		_, err := a.guest.Publish(ctx, video)
		return err
	}
}

// watches subscribes and waits for the first picture.
func (a *actor) watches(publisher *actor) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := a.enter(); err != nil {
			return err
		}
		s, err := a.guest.Subscribe(ctx, publisher.id, guest.SubscribeOptions{})
		if err != nil {
			return err
		}
		return s.WaitFrames(ctx, 1)
	}
}

func (a *actor) vanishes(context.Context) error {
	a.vanish()
	return nil
}

// removes disconnects a participant through the API, for good.
func (p *play) removes(a *actor) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := p.client.DisconnectParticipant(ctx, &ivsrealtime.DisconnectParticipantInput{
			StageArn: &p.stage, ParticipantId: &a.id, Reason: aws.String("end of the scene"),
		})
		if err != nil {
			return err
		}
		_, err = a.guest.Publish(ctx, guest.NoVideo)
		if r, ok := errors.AsType[*guest.Refusal](err); !ok || r.Status != http.StatusForbidden {
			return fmt.Errorf("the door should answer 403 to %s, got: %v", a.name, err)
		}
		return nil
	}
}
