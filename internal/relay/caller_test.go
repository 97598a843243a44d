package relay

import (
	"bufio"
	"bytes"
	"errors"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
)

func TestAFrameIsReadAsAWholeHoweverItComes(t *testing.T) {
	t.Parallel()
	client, server := net.Pipe()
	defer client.Close()
	c := &caller{Conn: server, relay: &Relay{}, in: bufio.NewReaderSize(server, 2048)}
	message := append([]byte{0, 1, 0, 8, 0x21, 0x12, 0xa4, 0x42}, make([]byte, 12+8)...)
	data := append([]byte{0x40, 0, 0, 5}, make([]byte, 8)...) // with its padding
	var sending sync.WaitGroup
	defer sending.Wait()
	sending.Go(func() {
		for _, b := range append(append(slices.Clone(message), data...), 0, 1, 0xff, 0xfc) {
			if _, err := client.Write([]byte{b}); err != nil {
				return
			}
		}
	})
	b := make([]byte, 1600)
	for _, want := range [][]byte{message, data} {
		if n, err := c.Read(b); err != nil || !bytes.Equal(b[:n], want) {
			t.Fatalf("%x (%v), not %x", b[:n], err, want)
		}
	}
	if _, err := c.Read(b); !errors.Is(err, errFrame) {
		t.Errorf("a frame of 64 KiB: %v", err)
	}
}

// deaf is a connection that nothing can be written to.
type deaf struct{ net.Conn }

func (deaf) Write([]byte) (int, error) { return 0, syscall.EPIPE }

func TestWhatHasComeIsReadAlthoughNothingCanBeWritten(t *testing.T) {
	t.Parallel()
	client, server := net.Pipe()
	defer client.Close()
	c := &caller{Conn: deaf{server}, relay: &Relay{}, in: bufio.NewReaderSize(server, 2048)}
	goodbye := []byte{0x40, 0, 0, 4, 1, 2, 3, 4}
	var sending sync.WaitGroup
	defer sending.Wait()
	sending.Go(func() { _, _ = client.Write(goodbye) })
	for range 2 {
		if _, err := c.Write(goodbye); err == nil {
			t.Error("written")
		}
	}
	b := make([]byte, 1600)
	if n, err := c.Read(b); err != nil || !bytes.Equal(b[:n], goodbye) {
		t.Fatalf("%x: %v", b[:n], err)
	}
	if _, err := c.Read(b); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the end is %v", err)
	}
}
