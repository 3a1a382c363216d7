package livetest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mllmrec/mllmrec/internal/live"
)

// The variables that make a test binary a shop that posts feedback until it is killed.
const (
	envShop = "MLLMREC_LIVE_TEST_STORE"  // where the store is
	envFrom = "MLLMREC_LIVE_TEST_BEGINS" // the number of each poster's first event
)

// posters is how many posts of the shop are under way at a time.
const posters = 16

// Main is the TestMain of a driver: it runs the tests, or is the shop that [Kill] kills.
func Main(m *testing.M, open func(ctx context.Context, where string) (*live.Store, error)) {
	where := os.Getenv(envShop)
	if where == "" {
		os.Exit(m.Run())
	}
	from, err := strconv.Atoi(os.Getenv(envFrom))
	if err == nil {
		err = post(where, from, open)
	}
	fmt.Fprintln(os.Stderr, "shop:", err)
	os.Exit(1)
}

// post posts events until the process is killed or its standard input ends, and says of each when
// it has been acknowledged.
func post(where string, from int, open func(ctx context.Context, where string) (*live.Store, error)) error {
	s, err := open(context.Background(), where)
	if err != nil {
		return err
	}
	go func() {
		io.Copy(io.Discard, os.Stdin) //nolint:errcheck // it ends with the parent
		os.Exit(0)
	}()
	failed := make(chan error)
	var saying sync.Mutex
	for p := range posters {
		go func() {
			for i := from; ; i += 2 {
				receipts, err := s.AddEvents(context.Background(), []live.Event{posted(p, i), posted(p, i+1)})
				if err != nil {
					failed <- err
					return
				}
				saying.Lock()
				for k, r := range receipts {
					fmt.Printf("%s %d %v\n", posted(p, i+k).Key, r.Seq, r.Again)
				}
				saying.Unlock()
			}
		}()
	}
	return <-failed
}

// posted is the event of a number that a poster posts, in whichever life of the shop.
func posted(poster, i int) live.Event {
	return live.Event{User: fmt.Sprint("u", poster), Item: fmt.Sprint("i", i%97), Type: live.EventTypes[i%4], Key: fmt.Sprintf("%d-%d", poster, i), Arm: fmt.Sprint("arm", poster%2)}
}

// Kill kills a process that posts feedback so many times, at random moments. Each time every event
// that was acknowledged is there, and none twice, though the next process posts again what may
// have been under way.
func Kill(t *testing.T, where string, kills int, again func(t testing.TB) *live.Store) {
	rng := rand.New(rand.NewPCG(5, 0))
	acknowledged := map[string]int64{} // the number of each event, by key
	reached := make([]int, posters)
	resent := 0
	for k := range kills {
		from := reached[0]
		for _, n := range reached {
			from = min(from, n)
		}
		from = max(0, from-4) &^ 1
		for _, said := range lines(t, where, from, 1+rng.IntN(400)) {
			var p, i int
			var seq int64
			var repeated bool
			if _, err := fmt.Sscanf(said, "%d-%d %d %t", &p, &i, &seq, &repeated); err != nil {
				t.Fatalf("%q: %v", said, err)
			}
			key := posted(p, i).Key
			if old, there := acknowledged[key]; there && (old != seq || !repeated) {
				t.Errorf("kill %d: %s was event %d and is acknowledged as %d, known %v", k, key, old, seq, repeated)
			}
			if repeated {
				resent++
			}
			acknowledged[key], reached[p] = seq, max(reached[p], i+1)
		}
		compare(t, again(t), acknowledged)
	}
	if resent == 0 {
		t.Error("no event was sent again: the test does not see what it is for")
	}
	t.Logf("%d kills, %d events acknowledged, %d of them again", kills, len(acknowledged), resent)
}

// lines starts a shop and kills it once it has acknowledged so many events. It returns all that the
// shop said.
func lines(t *testing.T, where string, from, until int) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), envShop+"="+where, envFrom+"="+strconv.Itoa(from))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	watchdog := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() }) //nolint:errcheck // it may have ended by itself
	defer watchdog.Stop()
	var said []string
	for r := bufio.NewReader(out); ; {
		line, err := r.ReadString('\n')
		if err != nil { // killed: what is left is half a line
			break
		}
		if said = append(said, strings.TrimSpace(line)); len(said) == until {
			cmd.Process.Kill() //nolint:errcheck // Wait says whether it was
		}
	}
	if err := cmd.Wait(); err == nil || len(said) < until {
		t.Fatalf("the shop ended after %d of %d events: %v", len(said), until, err)
	}
	return said
}

// compare looks for what was acknowledged, and for what is there twice.
func compare(t *testing.T, s *live.Store, acknowledged map[string]int64) {
	t.Helper()
	keys := map[string]int64{}
	var last int64
	counts := map[live.EventCount]int64{}
	for _, e := range all(t, s) {
		if before, twice := keys[e.Key]; twice || e.Seq != last+1 {
			t.Errorf("event %d, %s, after %d; it was there as %d", e.Seq, e.Key, last, before)
		}
		keys[e.Key], last = e.Seq, e.Seq
		counts[live.EventCount{Arm: e.Arm, Type: e.Type}]++
		var p, i int
		if _, err := fmt.Sscanf(e.Key, "%d-%d", &p, &i); err != nil {
			t.Fatal(err)
		}
		want := posted(p, i)
		if e.User != want.User || e.Item != want.Item || e.Type != want.Type || e.Arm != want.Arm {
			t.Errorf("event %d is %+v, posted was %+v", e.Seq, e, want)
		}
	}
	for key, seq := range acknowledged {
		if keys[key] != seq {
			t.Errorf("%s was acknowledged as event %d and is %d (0: not there)", key, seq, keys[key])
		}
	}
	stated, err := s.CountEvents(t.Context())
	if err != nil || len(stated) != len(counts) {
		t.Errorf("%d counts of %d, %v", len(stated), len(counts), err)
	}
	for _, c := range stated {
		if n := counts[live.EventCount{Arm: c.Arm, Type: c.Type}]; n != c.Events {
			t.Errorf("%d events of %s in %s are counted as %d", n, c.Type, c.Arm, c.Events)
		}
	}
}
