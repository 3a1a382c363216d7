package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mllmrec/mllmrec/internal/database/pg/pgtest"
	"github.com/mllmrec/mllmrec/internal/live"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// TestOutage needs a server that may be stopped.
func TestOutage(t *testing.T) {
	server := pgtest.StartOwn(t)
	t.Run("away", func(t *testing.T) { away(t, server) })
	t.Run("dead connections", func(t *testing.T) { deadConnections(t, server) })
	t.Run("restarts under load", func(t *testing.T) { restarts(t, server) })
}

func post(ctx context.Context, s *live.Store, key string) error {
	_, err := s.AddEvents(ctx, []live.Event{{User: "u", Item: "i", Type: live.View, Key: key}})
	return err
}

// While the database is away, every call says so at once and that it may pass; who follows goes
// on; and once it is back, calls of the same store succeed.
func away(t *testing.T, server *pgtest.Server) {
	address := server.Database(t)
	s := openStore(t, address)
	if err := post(t.Context(), s, "before"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	seen, trouble := make(chan string, 10), atomic.Int64{}
	var following sync.WaitGroup
	following.Go(func() {
		err := s.Follow(ctx, 0, 10*time.Millisecond, func(changes []live.Change, _ int64) error {
			for _, c := range changes {
				seen <- c.User.ID
			}
			return nil
		}, func(err error) {
			if !live.Unavailable(err) {
				t.Errorf("Follow: %v", err)
			}
			trouble.Add(1)
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Follow ended: %v", err)
		}
	})
	defer following.Wait()
	defer cancel()
	server.Stop(t)
	for what, call := range map[string]func() error{
		"AddEvents": func() error { return post(t.Context(), s, "meanwhile") },
		"Events":    func() error { _, err := s.Events(t.Context(), 0, 1); return err },
		"EditPreference": func() error {
			_, err := s.EditPreference(t.Context(), live.Edit{User: "u", Text: "t", By: live.ByUser})
			return err
		},
		"Check": func() error { return s.Check(t.Context()) },
		"Open":  func() error { _, err := Open(t.Context(), address, "shop"); return err },
	} {
		begun := time.Now()
		err := call()
		if !live.Unavailable(err) || usererr.KindOf(err) != usererr.KindUnavailable || strings.Contains(fmt.Sprint(err), "s3cret-word") {
			t.Errorf("%s while the database is away: %v (kind %q)", what, err, usererr.KindOf(err))
		}
		if took := time.Since(begun); took > 10*time.Second {
			t.Errorf("%s took %v to say so", what, took)
		}
	}
	for deadline := time.Now().Add(10 * time.Second); trouble.Load() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("who follows is not told")
		}
	}
	server.Resume(t)
	if err := post(t.Context(), s, "after"); err != nil {
		t.Errorf("after the restart: %v", err)
	}
	if _, err := s.AddUsers(t.Context(), []string{"new"}); err != nil {
		t.Error(err)
	}
	select {
	case id := <-seen:
		if id != "new" {
			t.Errorf("saw %s", id)
		}
	case <-time.After(10 * time.Second):
		t.Error("who follows does not go on")
	}
	if got, err := s.Events(t.Context(), 0, 10); err != nil || len(got) != 2 || got[0].Key != "before" || got[1].Key != "after" {
		t.Errorf("%+v, %v", got, err)
	}
}

// A restart that nobody noticed leaves a pool of dead connections. No call fails for them.
func deadConnections(t *testing.T, server *pgtest.Server) {
	s := openStore(t, server.Database(t))
	var wg sync.WaitGroup
	for i := range 6 { // reads, so that each has a connection of its own
		wg.Go(func() {
			for range 20 {
				if _, _, err := s.Preference(t.Context(), fmt.Sprint(i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	server.Restart(t)
	if err := post(t.Context(), s, "first"); err != nil {
		t.Errorf("the first post after a restart: %v", err)
	}
	server.Restart(t)
	if _, err := s.AddUsers(t.Context(), []string{"u"}); err != nil {
		t.Errorf("the first change after a restart: %v", err)
	}
}

// Two replicas post while the database restarts, and post again what failed. Every event is there
// once.
func restarts(t *testing.T, server *pgtest.Server) {
	address := server.Database(t)
	replicas := []*live.Store{openStore(t, address), openStore(t, address)}
	const clients = 12
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var failures atomic.Int64
	posted := make([]int, clients)
	for c := range clients {
		wg.Go(func() {
			for i := 0; ; i++ {
				for {
					err := post(t.Context(), replicas[c%2], fmt.Sprint(c, "-", i))
					if err == nil {
						break
					}
					if !live.Unavailable(err) {
						t.Errorf("client %d: %v", c, err)
						return
					}
					failures.Add(1)
					time.Sleep(5 * time.Millisecond)
				}
				posted[c] = i + 1
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	for range 2 {
		time.Sleep(200 * time.Millisecond)
		server.Restart(t)
	}
	time.Sleep(200 * time.Millisecond)
	close(stop)
	wg.Wait()
	if failures.Load() == 0 {
		t.Error("no post failed: the test does not see what it is for")
	}
	want := 0
	for _, n := range posted {
		want += n
	}
	keys := map[string]bool{}
	if err := replicas[0].EachEvent(t.Context(), 0, func(e live.Event) error { keys[e.Key] = true; return nil }); err != nil {
		t.Fatal(err)
	}
	last, _, err := replicas[1].Last(t.Context())
	if err != nil || len(keys) != want || last != int64(want) {
		t.Errorf("%d events, %d different, of %d, %v", last, len(keys), want, err)
	}
	t.Logf("%d events, %d posts failed and were posted again", want, failures.Load())
}

// A database holds one shop.
func shops(t *testing.T, server *pgtest.Server) {
	address := server.Database(t)
	for _, c := range []struct {
		shop string
		fine bool
	}{{"", true}, {"toys", true}, {"", true}, {"toys", true}, {"books", false}} {
		s, err := Open(t.Context(), address, c.shop)
		if (err == nil) != c.fine {
			t.Errorf("shop %q: %v", c.shop, err)
		}
		if err == nil {
			s.Close()
		} else if hint, _ := usererr.Hint(err); !strings.Contains(err.Error(), `"toys"`) || hint == "" {
			t.Errorf("%v (hint %q)", err, hint)
		}
	}
}
