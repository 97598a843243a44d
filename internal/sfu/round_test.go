package sfu

import (
	"net/netip"
	"sync"
	"testing"

	"github.com/pion/srtp/v3"
)

// Everybody gets every packet once, whoever does the work, and sooner or later somebody helps.
func TestManyListenersAreServedByAllWhoAreIdle(t *testing.T) {
	var mu sync.Mutex
	batches, sent := map[*batch]bool{}, 0
	p := nowhere(func(b *batch) {
		mu.Lock()
		defer mu.Unlock()
		batches[b] = true
		for i := range b.trains {
			sent += b.trains[i].count
		}
	})
	p.parts, p.closed = make(chan *part), make(chan struct{})
	for range 3 {
		p.workers.Go(p.help)
	}
	defer p.workers.Wait()
	defer close(p.closed)
	const listeners, frame = 300, 6
	l, outlets := benchLayerOn(t, p, listeners, netip.MustParseAddrPort("127.0.0.1:9"), srtp.ProtectionProfileAeadAes128Gcm)
	in := benchPacket(t, 1170)
	helped := func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(batches) > 1
	}
	packets := 0
	for seq := 0; seq < 50*frame || !helped(); seq += frame {
		for i := range frame {
			in[1], in[3], in[2] = 102, byte(seq+i), byte((seq+i)>>8)
			if i == frame-1 {
				in[1] |= 0x80 // the frame is whole
			}
			l.bring(in, epoch)
		}
		l.deliver()
		packets += frame
	}
	for i, o := range outlets {
		if int(o.packets) != packets {
			t.Fatalf("listener %d got %d packets of %d", i, o.packets, packets)
		}
	}
	if sent != packets*listeners {
		t.Errorf("%d packets were sent, not %d", sent, packets*listeners)
	}
}

func TestANewcomerDoesNotWaitForTheNextPacket(t *testing.T) {
	l, outlets := benchLayer(t, 1)
	in := benchPacket(t, 100)
	for seq := range byte(3) {
		in[3] = seq
		l.accept(in, epoch)
		in[12] = 0x41
	}
	late := newOutlet(&section{kind: video, codec: l.track.codec, ssrc: 8}, wish{most: topRank}, &counters{}, func() {})
	late.out.link = outlets[0].out.link
	asked := 0
	l.track.changed = func() { asked++ }
	l.track.add(late, epoch)
	if asked == 0 {
		t.Error("the publication was not told")
	}
	l.meet(epoch)
	if late.packets != 3 {
		t.Errorf("the newcomer got %d packets, not 3", late.packets)
	}
	if outlets[0].packets != 3 {
		t.Errorf("who was there got %d packets, not 3", outlets[0].packets)
	}
}
