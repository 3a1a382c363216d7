package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/mllmrec/mllmrec/internal/mllm/mllmtest"
)

// sight is what a slow server saw.
type sight struct {
	Requests    int
	First, Last time.Time // arrivals
}

// runSlowServer is the program slow-server: it takes the given time for each answer,
// says where it is, and what it saw when its input ends.
func runSlowServer(delay string) int {
	d, err := time.ParseDuration(delay)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	s := mllmtest.New(nil, mllmtest.Options{Delay: d})
	defer s.Stop()
	fmt.Println(s.URL)
	io.Copy(io.Discard, os.Stdin)
	var saw sight
	if log := s.Requests(); len(log) > 0 {
		saw = sight{len(log), log[0].Arrived, log[len(log)-1].Arrived}
	}
	if err := json.NewEncoder(os.Stdout).Encode(saw); err != nil {
		return 1
	}
	return 0
}

// startSlowServer runs a slow server in a process of its own, so that what it does is not
// taken for ours. stop ends it and tells what it saw.
func startSlowServer(b *testing.B, delay time.Duration) (url string, stop func() sight) {
	b.Helper()
	cmd := exec.Command("slow-server", delay.String())
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		b.Fatal("the server does not say where it is")
	}
	return lines.Text(), func() (saw sight) {
		in.Close()
		if !lines.Scan() {
			b.Fatal("the server does not say what it saw")
		}
		if err := json.Unmarshal(lines.Bytes(), &saw); err != nil {
			b.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			b.Fatal(err)
		}
		return saw
	}
}

// postMany sends requests as a program would that does nothing with the answers.
func postMany(b *testing.B, url string, requests, flight int) {
	b.Helper()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: flight}}
	defer client.CloseIdleConnections()
	next := make(chan int)
	var wg sync.WaitGroup
	for range flight {
		wg.Go(func() {
			for i := range next {
				body := fmt.Appendf(nil, `{"model":"gemma3:27b","stream":false,"messages":[{"role":"user","content":"Question %d"}]}`, i)
				resp, err := client.Post(url+"/api/chat", "application/json", bytes.NewReader(body))
				if err != nil {
					b.Error(err)
					continue
				}
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
		})
	}
	for i := range requests {
		next <- i
	}
	close(next)
	wg.Wait()
}
