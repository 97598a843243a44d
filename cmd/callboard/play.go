package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ivsrealtime"
	"github.com/aws/aws-sdk-go-v2/service/ivsrealtime/types"
)

const (
	pace    = 900 * time.Millisecond // time to read the list between two steps
	glance  = 50 * time.Millisecond  // between two looks at the list
	soon    = 5 * time.Second        // bound for what the server is told of
	atLast  = 40 * time.Second       // bound for what it has to find out by itself
	curtain = 15 * time.Second       // bound for everybody's leaving at the end
)

// play is what happens in the demo. One goroutine runs it and knows the truth;
// the work of a step is done by another while the first looks at the list.
type play struct {
	client *ivsrealtime.Client
	screen *screen
	stage  string
	title  string
	advice string

	session string // "" until somebody has joined
	cast    []*actor
	told    string // what is happening
	settled bool   // it has happened, and the list says so

	looks   int
	steps   int
	slowest time.Duration
}

// step is one thing that happens, and what is true of its actor afterwards.
type step struct {
	told  string
	who   *actor
	truth row
	later bool // the server has to find out by itself, nobody waits for it
	do    func(ctx context.Context) error
}

// run goes through the script, then lets people come and go until ctx ends,
// which is no error.
func (p *play) run(ctx context.Context) error {
	err := p.perform(ctx)
	if _, ok := errors.AsType[*untruth](err); ok {
		return err
	}
	if ctx.Err() != nil {
		return nil // whatever the end of the show cut short
	}
	return err
}

func (p *play) perform(ctx context.Context) error {
	script, encore, err := p.script(ctx)
	if err != nil {
		return err
	}
	if err := p.takeAll(ctx, script); err != nil {
		return err
	}
	if err := p.screen.keep(p.advice); err != nil {
		return err
	}
	for {
		if err := p.takeAll(ctx, encore); err != nil {
			return err
		}
	}
}

func (p *play) takeAll(ctx context.Context, steps []step) error {
	for _, s := range steps {
		took, err := p.take(ctx, s)
		if err != nil {
			return err
		}
		p.settled = true
		if !s.later {
			p.steps++
			p.slowest = max(p.slowest, took)
			p.told = fmt.Sprintf("%s; the list said so within %v", s.told, took.Round(time.Millisecond))
		}
		if _, err := p.look(ctx, pace, never); err != nil {
			return err
		}
	}
	return nil
}

// take runs the step's work beside the looks at the list and waits until the list
// says what is true then. It gives the time from the end of the work. A step
// that fails, or is cut short, leaves its actor in motion.
func (p *play) take(ctx context.Context, s step) (time.Duration, error) {
	p.told, p.settled = s.told, false
	s.who.truth, s.who.moving = s.truth, true
	var finished time.Time // set before work is sent
	work := make(chan error, 1)
	go func() {
		bounded, cancel := context.WithTimeout(ctx, soon)
		defer cancel()
		err := s.do(bounded)
		finished = time.Now()
		work <- err
	}()

	over := false
	var failed error
	done := func() bool {
		if !over {
			select {
			case failed = <-work:
				over = true
			default:
				return false
			}
		}
		return failed != nil || s.later || s.who.agrees()
	}
	agreed, err := p.look(ctx, 2*soon, done) // as long for the work as for the list
	if !over {
		failed = <-work
	}
	switch {
	case err != nil:
		return 0, err
	case failed != nil:
		return 0, fmt.Errorf("%s: %w", s.told, failed)
	case s.later:
		s.who.by = time.Now().Add(atLast)
		return 0, nil
	case !agreed || time.Since(finished) > soon:
		return 0, untrue("%s, so %s is %s, but %v later it says %s", s.told, s.who.name, s.truth, time.Since(finished).Round(time.Second), s.who.listed)
	}
	s.who.moving = false
	return time.Since(finished), nil
}

func never() bool { return false }

// unnoticed are those who vanished and whom the server may still list.
func (p *play) unnoticed() (names []string) {
	for _, a := range p.cast {
		if !a.by.IsZero() {
			names = append(names, a.name)
		}
	}
	return names
}

// look reads the list again and again, checks it and shows it, until it is enough
// or time is over. A list that is untrue is an error whenever it is seen.
func (p *play) look(ctx context.Context, atMost time.Duration, enough func() bool) (bool, error) {
	over := time.NewTimer(atMost)
	defer over.Stop()
	tick := time.NewTicker(glance)
	defer tick.Stop()
	for {
		list, err := p.list(ctx)
		if err != nil {
			return false, err
		}
		p.looks++
		if err := check(p.cast, list); err != nil {
			return false, err
		}
		if err := p.show(list); err != nil {
			return false, err
		}
		if enough() {
			return true, nil
		}
		select {
		case <-tick.C:
		case <-over.C:
			return false, nil
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

// show draws the stage. Pictures that stay, as in a log, are of settled things only.
func (p *play) show(list []types.ParticipantSummary) error {
	if p.screen.plain && !p.settled {
		return nil
	}
	return p.screen.show(strings.Join([]string{p.title, p.told, "", rollTable(list)}, "\n"))
}

// list reads the whole roll call, in small pages, so that there are several.
func (p *play) list(ctx context.Context) ([]types.ParticipantSummary, error) {
	if p.session == "" {
		got, err := p.client.GetStage(ctx, &ivsrealtime.GetStageInput{Arn: &p.stage})
		if err != nil {
			return nil, err
		}
		if p.session = aws.ToString(got.Stage.ActiveSessionId); p.session == "" {
			return nil, nil
		}
	}
	list, _, err := rollQuery{pageSize: 3, all: true}.ask(ctx, p.client, p.stage, p.session)
	return list, err
}

// finish has everybody leave, requires the list to say so, and lets go of what
// vanished guests hold. Of those the list may not know yet.
func (p *play) finish(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, curtain)
	defer cancel()
	p.told, p.settled = "everybody leaves", false
	var errs []error
	for _, a := range p.cast {
		if a.by.IsZero() {
			a.truth, a.moving = a.listed.gone(), true
		}
		errs = append(errs, a.leave(ctx))
	}
	gone := func() bool {
		for _, a := range p.cast {
			if a.by.IsZero() && a.listed.state == types.ParticipantStateConnected {
				return false
			}
		}
		return true
	}
	allGone, err := p.look(ctx, soon, gone)
	if err == nil && !allGone {
		err = untrue("everybody has left, and %v later it still has somebody who is connected", soon)
	}
	if p.settled = true; err == nil {
		_, err = p.look(ctx, 0, never)
	}
	errs = append(errs, err)
	for _, a := range p.cast {
		errs = append(errs, a.release(ctx))
	}
	return errors.Join(errs...)
}
