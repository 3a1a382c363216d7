package cli

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// lengths encodes a text as its length and notes how many texts came at a time.
type lengths struct{ batches []int }

func (e *lengths) Encode(_ context.Context, texts []string) (*tensor.Matrix, error) {
	e.batches = append(e.batches, len(texts))
	x := tensor.New(len(texts), 1)
	for i, t := range texts {
		x.Row(i)[0] = float32(len(t))
	}
	return x, nil
}

func (*lengths) Dim() int   { return 1 }
func (*lengths) ID() string { return "lengths" }

// Whoever keeps the pipe open gets the vectors of what was sent so far.
func TestEmbedAnswersBeforeTheEnd(t *testing.T) {
	in, send := io.Pipe()
	receive, out := io.Pipe()
	finished := make(chan error, 1)
	go func() { finished <- embed(t.Context(), &lengths{}, in, out) }()
	answers := bufio.NewScanner(receive)
	for _, text := range []string{"a", "", "three words here"} {
		fmt.Fprintln(send, text)
		if !answers.Scan() || answers.Text() != fmt.Sprintf("[%d]", len(text)) {
			t.Fatalf("answer to %q: %q", text, answers.Text())
		}
	}
	send.Close() //nolint:errcheck // a pipe in memory
	select {
	case err := <-finished:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("embed goes on after the end of its input")
	}
}

func TestEmbedBatchesWhatIsThere(t *testing.T) {
	var want, out bytes.Buffer
	var lines []string
	for i := range 1000 {
		lines = append(lines, strings.Repeat("x", i%7))
		fmt.Fprintf(&want, "[%d]\n", i%7)
	}
	enc := &lengths{}
	// The last line has no end.
	if err := embed(t.Context(), enc, strings.NewReader(strings.Join(lines, "\n")+"last"), &out); err != nil {
		t.Fatal(err)
	}
	got := strings.TrimSuffix(out.String(), fmt.Sprintf("[%d]\n", 999%7+4)) + fmt.Sprintf("[%d]\n", 999%7)
	if got != want.String() {
		t.Error("vectors are missing, doubled or out of order")
	}
	if len(enc.batches) > 6 {
		t.Errorf("batches of %v texts", enc.batches)
	}
}

func TestEmbedRefusesEndlessLine(t *testing.T) {
	var out bytes.Buffer
	err := embed(t.Context(), &lengths{}, strings.NewReader("good\n"+strings.Repeat("x", maxLine+1)), &out)
	if err == nil || !strings.Contains(err.Error(), "line 2: a text of more than") {
		t.Errorf("err = %v", err)
	}
	if out.String() != "[4]\n" {
		t.Errorf("before the bad line: %q", out.String())
	}
}
