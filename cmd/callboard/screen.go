package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// screen shows one picture of text after another: in place on a terminal, as
// separate snapshots elsewhere, where one that changes nothing is left out.
type screen struct {
	out   io.Writer
	last  string
	below string // stays under every picture
	plain bool
}

func newScreen(out io.Writer) *screen {
	return &screen{out: out, plain: !isTerminal(out)}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func (s *screen) show(text string) error {
	if s.plain {
		if text == s.last {
			return nil
		}
		s.last = text
		_, err := fmt.Fprintln(s.out, strings.TrimRight(text, "\n")+"\n")
		return err
	}
	const home, clearLine, clearBelow = "\x1b[H", "\x1b[K", "\x1b[J"
	if s.last == "" {
		fmt.Fprint(s.out, "\x1b[2J")
	}
	s.last = text
	_, err := fmt.Fprint(s.out, home+strings.ReplaceAll(text+s.below, "\n", clearLine+"\n")+clearBelow)
	return err
}

// keep has text stay under every picture from now on; where pictures follow one
// another it is said once.
func (s *screen) keep(text string) error {
	if s.plain {
		return s.note(text)
	}
	s.below = "\n" + text
	return nil
}

// note says something after the last picture.
func (s *screen) note(text string) error {
	_, err := fmt.Fprintln(s.out, text)
	return err
}

// watch shows what draw writes, at every interval until ctx ends, which is no
// error. Once it has succeeded, a draw that fails is shown under the last picture,
// for what is watched may come back.
func watch(ctx context.Context, out io.Writer, interval time.Duration, draw func(io.Writer) error) error {
	s := newScreen(out)
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for good, any := "", false; ; {
		var text bytes.Buffer
		err := draw(&text)
		if ctx.Err() != nil {
			return nil
		}
		picture := text.String()
		switch {
		case errors.Is(err, errNoLiveSession):
			picture, err = "Nobody is there now; waiting for a live session.\n", nil
		case err != nil && !any:
			return err
		case err != nil:
			picture = good + "Not up to date: " + sentence(err) + "\n"
		}
		if err == nil {
			good, any = picture, true
		}
		if err := s.show(picture); err != nil {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}
