package proof

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// A run is recorded by strace, which sees what the kernel sees: whatever SQLite
// and this program did to files, in which order, and when an answer was given.

// calls are the system calls that change files or make changes durable.
const calls = "open,openat,openat2,creat,mkdir,mkdirat,write,pwrite64,pwritev,pwritev2,writev,ftruncate,truncate,fallocate,fsync,fdatasync,sync_file_range,unlink,unlinkat,rename,renameat,renameat2,link,linkat,symlinkat,rmdir,msync,mmap,io_submit,io_getevents"

// step is one thing that happened to a file, or an answer that was given.
type step struct {
	kind stepKind
	path string
	at   int64
	data []byte
	size int64 // of truncates; of syncs how many steps there were when the call began
}

type stepKind int

const (
	writes stepKind = iota
	truncates
	creates // the entry in its directory
	removes
	mkdirs
	syncs   // of a file or a directory; everything before the call began
	fails   // a sync that is answered with an error
	answers // data says which
)

// tracer reads what strace has written.
type tracer struct {
	t     *testing.T
	root  string            // only what is below it matters
	begun map[string]string // of each thread, a call that has not returned
	since map[string]int    // and how many steps there were when it began
	steps []step
	seen  map[string]bool // files that are there
	known int             // steps before which a call that returns now began
	asked map[string]step // of each queue of the kernel, the sync that it was asked for
}

func readTrace(t *testing.T, file, root string) []step {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	x := &tracer{t: t, root: root, begun: map[string]string{}, since: map[string]int{}, seen: map[string]bool{}, asked: map[string]step{}}
	lines := bufio.NewReaderSize(f, 1<<20)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return x.steps
		}
		x.line(strings.TrimSuffix(line, "\n"))
	}
}

// line puts together calls that were interrupted by those of other threads. A
// call counts from when it has returned.
func (x *tracer) line(line string) {
	thread, rest, _ := strings.Cut(line, " ")
	rest = strings.TrimLeft(rest, " ")
	if call, ok := strings.CutSuffix(rest, " <unfinished ...>"); ok {
		x.begun[thread], x.since[thread] = call, len(x.steps)
		return
	}
	x.known = len(x.steps)
	if strings.HasPrefix(rest, "<... ") {
		_, end, _ := strings.Cut(rest, " resumed>")
		rest = x.begun[thread] + end
		x.known = x.since[thread]
		delete(x.begun, thread)
	}
	name, rest, ok := strings.Cut(rest, "(")
	equals := strings.LastIndex(rest, " = ")
	if !ok || equals < 0 {
		return // a signal, the end of a thread
	}
	result, rest := rest[equals+len(" = "):], strings.TrimSuffix(strings.TrimRight(rest[:equals], " "), ")")
	if strings.HasPrefix(result, "-") || strings.HasPrefix(result, "?") {
		if path := x.path(arguments(rest)[0]); name == "fsync" && x.ours(path) {
			x.add(step{kind: fails, path: path, size: int64(x.known)})
		}
		return
	}
	x.call(name, arguments(rest), result)
}

// arguments splits at the commas that are not in quotes or brackets.
func arguments(text string) (list []string) {
	quoted, depth, from := false, 0, 0
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"':
			quoted = !quoted // with -xx there is no quote in quotes
		case quoted:
		case c == '[' || c == '{' || c == '<':
			depth++
		case c == ']' || c == '}' || c == '>':
			depth--
		case c == ',' && depth == 0:
			list, from = append(list, strings.TrimSpace(text[from:i])), i+1
		}
	}
	return append(list, strings.TrimSpace(text[from:]))
}

// unhex reads strace's -xx form of a string.
func (x *tracer) unhex(text string) []byte {
	text = strings.Trim(text, `"`)
	b := make([]byte, 0, len(text)/4)
	for i := 0; i+4 <= len(text); i += 4 {
		n, err := strconv.ParseUint(text[i+2:i+4], 16, 8)
		if err != nil {
			x.t.Fatalf("not the form of strace -xx: %.40s", text[i:])
		}
		b = append(b, byte(n))
	}
	return b
}

// path gives the file of a descriptor, as strace -y shows it.
func (x *tracer) path(descriptor string) string {
	number, path, ok := strings.Cut(strings.TrimSuffix(descriptor, ">"), "<")
	if number == "1" {
		return "answers"
	}
	if !ok {
		return ""
	}
	return string(x.unhex(path))
}

func (x *tracer) number(text string) int64 {
	text, _, _ = strings.Cut(text, " ")
	n, err := strconv.ParseInt(text, 0, 64)
	if err != nil {
		x.t.Fatalf("strace shows no number: %q", text)
	}
	return n
}

func (x *tracer) add(s step) { x.steps = append(x.steps, s) }

func (x *tracer) ours(path string) bool { return path == x.root || strings.HasPrefix(path, x.root+"/") }

// call takes one call that has succeeded.
func (x *tracer) call(name string, args []string, result string) {
	switch name {
	case "open", "openat":
		flags := args[1]
		if name == "openat" {
			flags = args[2]
		}
		path := x.path("3" + result[strings.Index(result, "<"):])
		if !x.ours(path) || x.seen[path] {
			return
		}
		if strings.Contains(flags, "O_TRUNC") {
			x.t.Fatalf("%s is opened to be overwritten, which is not modelled", path)
		}
		if strings.Contains(flags, "O_CREAT") {
			x.seen[path] = true
			x.add(step{kind: creates, path: path})
		}
	case "mkdirat", "mkdir":
		path := string(x.unhex(args[len(args)-2]))
		if x.ours(path) {
			x.add(step{kind: mkdirs, path: path})
		}
	case "write", "pwrite64":
		path := x.path(args[0])
		data := x.unhex(args[1])[:x.number(result)]
		switch {
		case path == "answers":
			x.add(step{kind: answers, data: data})
		case x.ours(path) && name == "write":
			x.t.Fatalf("%s is written to without a position, which is not modelled", path)
		case x.ours(path):
			x.add(step{kind: writes, path: path, at: x.number(args[3]), data: data})
		}
	case "ftruncate":
		if path := x.path(args[0]); x.ours(path) {
			x.add(step{kind: truncates, path: path, size: x.number(args[1])})
		}
	case "fsync", "fdatasync":
		if path := x.path(args[0]); x.ours(path) {
			x.add(step{kind: syncs, path: path, size: int64(x.known)})
		}
	case "io_submit": // of one sync at a time, which is over when it was answered
		_, descriptor, _ := strings.Cut(args[2], "aio_fildes=")
		if path := x.path(descriptor[:strings.Index(descriptor, ">")+1]); x.ours(path) {
			if args[1] != "1" || !strings.Contains(args[2], "IOCB_CMD_FDSYNC") {
				x.t.Fatalf("io_submit of something else than a sync is not modelled: %s", args[2])
			}
			x.asked[args[0]] = step{kind: syncs, path: path, size: int64(x.known)}
		}
	case "io_getevents":
		if s, ok := x.asked[args[0]]; ok && strings.Contains(args[3], "res=0,") {
			x.add(s)
		}
		delete(x.asked, args[0])
	case "unlink", "unlinkat":
		path := string(x.unhex(args[min(len(args)-1, len(args)/2)]))
		if x.ours(path) {
			delete(x.seen, path)
			x.add(step{kind: removes, path: path})
		}
	case "mmap":
		if path := x.path(args[4]); x.ours(path) && strings.Contains(args[2], "PROT_WRITE") && !strings.HasSuffix(path, "-shm") {
			x.t.Fatalf("%s is written to through memory, which is not modelled", path)
		}
	default:
		for _, a := range args {
			if strings.HasPrefix(a, `"`) && x.ours(string(x.unhex(a))) || strings.Contains(a, "<") && x.ours(x.path(a)) {
				x.t.Fatalf("%s of %s is not modelled", name, a)
			}
		}
	}
}

func (s step) String() string {
	return fmt.Sprintf("%d of %s at %d, %d bytes", s.kind, filepath.Base(s.path), s.at, len(s.data))
}
