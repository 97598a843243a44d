//go:build e2e

package e2e

import (
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// presign signs the URL of a GET for whoever has it.
func (b *board) presign(t *testing.T, address string) string {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, address+"?X-Amz-Expires=300", nil)
	must(t, err)
	const ofNothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	signed, _, err := v4.NewSigner().PresignHTTP(t.Context(), aws.Credentials{AccessKeyID: b.id, SecretAccessKey: b.secret}, r, ofNothing, "ivs", region, time.Now())
	must(t, err)
	return signed
}

// thread is a way to the board that can be cut.
type thread struct {
	mu    sync.Mutex
	conns []net.Conn
}

func newThread(t *testing.T, to string) (w *thread, url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	w = &thread{}
	var carrying sync.WaitGroup
	carrying.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", to)
			if err != nil {
				near.Close()
				continue
			}
			w.mu.Lock()
			w.conns = append(w.conns, near, far)
			w.mu.Unlock()
			for _, pair := range [][2]net.Conn{{near, far}, {far, near}} {
				carrying.Go(func() { io.Copy(pair[0], pair[1]); pair[0].Close() })
			}
		}
	})
	t.Cleanup(func() { l.Close(); w.cut(); carrying.Wait() })
	return w, "http://" + l.Addr().String()
}

func (w *thread) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.conns {
		c.Close()
	}
	w.conns = nil
}

// watching is a page's roll, kept as the documentation has it. It counts messages by
// their names, and gives a promise for the moment when the roll is what is expected.
const watching = `(() => {
	const roll = new Map(), heard = {}, source = new EventSource(%s)
	const put = e => { const { view, participant: p } = JSON.parse(e.data); view === 'exited' ? roll.delete(p.participantId) : roll.set(p.participantId, p) }
	const on = (name, f) => source.addEventListener(name, e => { heard[name] = (heard[name] ?? 0) + 1; f(e) })
	for (const name of ['joined', 'left', 'published', 'unpublished']) on(name, put)
	on('session-started', () => roll.clear())
	const ready = new Promise(done => on('caught-up', done))
	on('snapshot', e => { const s = JSON.parse(e.data); if (s.part === 1) roll.clear(); for (const p of s.participants) roll.set(p.participantId, p) })
	window.board = { heard, source, until: async (want) => {
		const now = () => [...roll.values()].sort((a, b) => a.joinSequence - b.joinSequence).map(p => p.userId + ' ' + p.state).join(', ')
		for (let i = 0; i < 600 && now() !== want; i++) await new Promise(done => setTimeout(done, 50))
		return now()
	} }
	return ready.then(() => true)
})()`

func TestABrowserWatchesARollAndGoesOnAfterALostConnection(t *testing.T) {
	b := newBoard(t)
	arn := b.stage(t)
	line, url := newThread(t, strings.TrimPrefix(b.url, "http://"))
	tab := newTab(t, pages(t))
	do[bool](t, tab, watching, b.presign(t, url+"/callboard/v1/stages/"+arn[strings.LastIndex(arn, "/")+1:]+"/watch"))
	ada := b.guest(t, arn, "ada")
	_, err := ada.Attend(t.Context())
	must(t, err)
	const one = "ada CONNECTED"
	equal(t, "roll", do[string](t, tab, "board.until(%s)", one), one)

	line.cut()
	_, err = b.guest(t, arn, "bob").Attend(t.Context())
	must(t, err)
	must(t, ada.Close(t.Context()))
	const two = "ada DISCONNECTED, bob CONNECTED"
	equal(t, "roll", do[string](t, tab, "board.until(%s)", two), two)
	heard := do[map[string]int](t, tab, "board.heard")
	equal(t, "snapshots, joins, leaves and times caught up", []int{heard["snapshot"], heard["joined"], heard["left"], heard["caught-up"]}, []int{1, 2, 1, 2})
}
