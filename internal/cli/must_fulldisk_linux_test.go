package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mllmrec/mllmrec/internal/mllm/mllmtest"
)

// smallDisk mounts a disk of so many kilobytes. fill takes all but a part of it, free gives it back.
func smallDisk(t *testing.T, kilobytes string) (dir string, fill func(leave int), free func()) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+kilobytes+"k"); err != nil {
		t.Skipf("mounting a small disk takes root: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) }) //nolint:errcheck // the folder is temporary
	filler := filepath.Join(dir, "filler")
	fill = func(leave int) {
		t.Helper()
		f, err := os.Create(filler)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		block, size := make([]byte, 4096), int64(0)
		for err == nil {
			_, err = f.Write(block)
			size += 4096
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
		if err := f.Truncate(max(size-4096-int64(leave), 0)); err != nil {
			t.Fatal(err)
		}
	}
	return dir, fill, func() { os.Remove(filler) } //nolint:errcheck // a test that fails here fails by what follows
}

// settled waits until the server has got no request for a while.
func settled(s *mllmtest.Server) int {
	for last := -1; ; time.Sleep(150 * time.Millisecond) {
		n := s.Total()
		if n == last {
			return n
		}
		last = n
	}
}

// command is a call of the program that goes on while the test does something to its disk.
type command struct {
	mu   sync.Mutex
	said strings.Builder
	stop context.CancelFunc // as Ctrl-C does
	code chan int
}

func (c *command) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.said.Write(p)
}

func (c *command) says() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.said.String()
}

func begin(t *testing.T, args ...string) *command {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	c := &command{stop: stop, code: make(chan int, 1)}
	go func() { c.code <- run(ctx, args, c, c) }()
	t.Cleanup(stop)
	return c
}

// waitToSay waits until the command said something.
func (c *command) waitToSay(t *testing.T, text string) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !strings.Contains(c.says(), text); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it never said %q: %s", text, c.says())
		}
	}
}

// TestFullDiskLosesNoAnswer fills the disk of a workspace while answers are in flight. Every
// answer that the server gave is kept: in memory until there is room, or saved elsewhere,
// also on the very disk that is full, when the run is stopped; none is asked for twice.
func TestFullDiskLosesNoAnswer(t *testing.T) {
	const users = 400
	t.Setenv("MLLMREC_CONFIG_DIR", t.TempDir())
	for name, c := range map[string]struct {
		spoolOnDisk, stop bool
	}{
		"room comes back": {false, false}, "stopped": {false, true}, "stopped, saved to the same disk": {true, true},
	} {
		t.Run(name, func(t *testing.T) {
			disk, fill, free := smallDisk(t, "8192")
			ws := shopOfUsers(t, disk, users)
			server := mllmtest.New(t, mllmtest.Options{Delay: 10 * time.Millisecond})
			args := []string{"reason", ws, "--base-url", server.URL, "--concurrency", "8"}
			if c.spoolOnDisk {
				args = append(args, "--spool", filepath.Join(disk, "spool"))
			}
			p := begin(t, args...)
			for server.Total() < 20 {
				time.Sleep(time.Millisecond)
			}
			fill(24 << 10)
			p.waitToSay(t, "cannot be stored")
			asked := settled(server)
			if asked >= users {
				t.Fatalf("all %d users were asked about: the disk was not full in time", asked)
			}
			if !c.stop {
				free()
				if code := <-p.code; code != 0 {
					t.Fatalf("exit %d: %s", code, p.says())
				}
				if n := len(stored(t, ws)); n != users || server.Total() != users {
					t.Errorf("%d answers stored of %d users, %d asked for", n, users, server.Total())
				}
				return
			}
			p.stop()
			<-p.code
			if said := p.says(); !strings.Contains(said, "are saved in") || strings.Contains(said, "lost") {
				t.Errorf("stopped, it says: %s", said)
			}
			free()
			p = begin(t, args...)
			if code := <-p.code; code != 0 {
				t.Fatalf("exit %d: %s", code, p.says())
			}
			if n := len(stored(t, ws)); n != users || server.Total() != users {
				t.Errorf("%d answers stored of %d users, %d asked for, %d of them before the stop: %s", n, users, server.Total(), asked, p.says())
			}
			if !strings.Contains(p.says(), "that an earlier run saved") {
				t.Errorf("going on, it does not say what it took in: %s", p.says())
			}
		})
	}
}
