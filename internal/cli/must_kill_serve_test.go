package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/mllmrec/mllmrec/client"
	"github.com/mllmrec/mllmrec/internal/live"
	"github.com/mllmrec/mllmrec/internal/live/sqlite"
)

// A server is killed again and again while feedback and edits come in: every event and edit that was acknowledged is there afterwards, none twice,
// though clients post again what was not acknowledged; and what the next process serves heeds it.
func TestKilledServer(t *testing.T) {
	kills := 4
	if slow {
		kills = 20
	}
	t.Setenv("MLLMREC_CONFIG_DIR", t.TempDir())
	ws := importedShop(t)
	ok(t, "run", ws, "--model", "bm25", "-q")
	r := rand.New(rand.NewPCG(1, 9))
	acknowledged := map[string]int64{}
	var mu sync.Mutex
	next := 0 // key to post
	for kill := range kills {
		cmd, address := startServer(t, ws)
		ctx, cancel := context.WithCancel(t.Context())
		var posting sync.WaitGroup
		for range 4 {
			posting.Go(func() {
				c := client.New(address, "")
				for ctx.Err() == nil {
					mu.Lock()
					key := fmt.Sprint("k", next)
					next++
					mu.Unlock()
					for { // until it is acknowledged, or the server is dead
						receipts, err := c.Feedback(ctx, client.Event{Key: key, User: "u" + key, Item: "i1", Type: "like"})
						if err == nil {
							mu.Lock()
							acknowledged[key] = receipts[0].Seq
							mu.Unlock()
							break
						}
						if ctx.Err() != nil {
							mu.Lock()
							next = min(next, numberOf(key)) // whether it was stored is not known: it is posted again
							mu.Unlock()
							return
						}
					}
				}
			})
		}
		time.Sleep(time.Duration(100+r.IntN(300)) * time.Millisecond)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		cancel()
		posting.Wait()
		cmd.Wait() //nolint:errcheck // it was killed
		if len(acknowledged) == 0 && kill == kills-1 {
			t.Fatal("no event was acknowledged: this test shows nothing")
		}
	}
	store, err := sqlite.Open(t.Context(), filepath.Join(ws, "live.db"))
	if err != nil {
		t.Fatal(err)
	}
	stored := map[string]int64{}
	err = store.EachEvent(t.Context(), 0, func(e live.Event) error {
		if stored[e.Key] != 0 {
			t.Errorf("event %s is stored twice", e.Key)
		}
		stored[e.Key] = e.Seq
		return nil
	})
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	for key, seq := range acknowledged {
		if stored["/"+key] != seq {
			t.Errorf("event %s was acknowledged as %d and is stored as %d", key, seq, stored["/"+key])
		}
	}
	_, address := startServer(t, ws)
	for key := range acknowledged {
		list, err := client.New(address, "").ForUser(t.Context(), "u"+key, 3)
		if err != nil || list.Basis != "user" {
			t.Errorf("the user of event %s: %v %+v", key, err, list)
		}
		break
	}
	t.Logf("%d kills, %d events acknowledged, %d stored", kills, len(acknowledged), len(stored))
}

func numberOf(key string) (n int) {
	fmt.Sscanf(key, "k%d", &n) //nolint:errcheck // it was made so
	return n
}

// startServer serves a workspace in a process of its own, which the test's end kills.
func startServer(t *testing.T, ws string) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.Command("mllmrec", "serve", ws, "--addr", "127.0.0.1:0", "--stay", "--json")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() }) //nolint:errcheck // it may be dead
	var up struct{ Address string }
	if err := json.NewDecoder(bufio.NewReader(out)).Decode(&up); err != nil {
		t.Fatalf("serve says no address: %v", err)
	}
	return cmd, up.Address
}
