package sfu

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// passively has an offer say that its client waits for our hello.
func passively(offer string) string {
	return strings.ReplaceAll(offer, "a=setup:actpass", "a=setup:passive")
}

func TestWhoWaitsForTheHandshakeIsCalled(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Options{})
	c, hellos := newClient(t), make(chan []byte, 99)
	ignoreFirst := func(b []byte) bool {
		if !isHello(b) {
			return false
		}
		hellos <- bytes.Clone(b)
		return len(hellos) == 1
	}
	c.wire.drop.Store(&ignoreFirst)
	camera := publish(t, e, cameraOptions{client: c, mangle: passively})
	if !strings.Contains(camera.answer, "a=setup:active\r\n") {
		t.Error(camera.answer)
	}
	wait(t, camera.media, "media")
	first, second := wait(t, hellos, "hello"), wait(t, hellos, "second hello")
	if !bytes.Equal(first, second) {
		t.Error("the second hello is not the first one again, but came when patience was over")
	}
	v := subscribe(t, e, camera.pub, viewerOptions{})
	inOrder(t, v.video, 50)
}

func TestWhoIsCalledHasToHaveTheCertificateOfTheOffer(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Options{})
	c := publish(t, e, cameraOptions{mangle: func(offer string) string {
		before, rest, _ := strings.Cut(passively(offer), "a=fingerprint:sha-256 ")
		digest, rest, _ := strings.Cut(rest, "\r\n")
		return before + "a=fingerprint:sha-256 " + strings.Repeat("00:", 31) + "00\r\n" + strings.ReplaceAll(rest, digest, strings.Repeat("00:", 31)+"00")
	}})
	if err := wait(t, c.closed, "end"); !errors.Is(err, errNeverConnected) {
		t.Error(err)
	}
}
