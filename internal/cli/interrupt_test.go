package cli

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mllmrec/mllmrec/internal/mllm/mllmtest"
)

// TestSecondInterruptEndsAtOnce stops a run whose server does not answer, as an impatient
// user does: the first time it says what it waits for, the second time it is gone.
func TestSecondInterruptEndsAtOnce(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot be interrupted there")
	}
	server := mllmtest.New(t, mllmtest.Options{Probability: map[mllmtest.Fault]float64{mllmtest.Hang: 1}})
	ws := shopOfUsers(t, t.TempDir(), 20)
	cmd := exec.Command("mllmrec", "reason", ws, "--base-url", server.URL)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill() //nolint:errcheck // it has ended
	said := make(chan bool, 1)
	go func() {
		lines := bufio.NewScanner(stderr)
		for lines.Scan() {
			if strings.Contains(lines.Text(), "interrupt again to stop at once") {
				said <- true
			}
		}
		close(said)
	}()
	for end := time.Now().Add(20 * time.Second); server.Total() == 0 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if !<-said {
		t.Fatal("it did not say that it is stopping")
	}
	began := time.Now()
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	for range said { // until it has closed its standard error
	}
	var ended *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &ended) {
		t.Fatalf("it ended with %v", err)
	}
	if status := ended.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGINT {
		t.Errorf("it ended by itself, %s after the second interrupt: %v", time.Since(began), ended)
	}
}
