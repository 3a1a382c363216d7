// Package mllmtest is a fake model server for tests. It answers requests of Ollama's and of
// OpenAI's API, logs them, and fails as often and in the ways that its options say. Which
// request fails depends on the seed, the request and how often that request came before, so
// that a test gives the same result whatever the order in which requests arrive.
package mllmtest

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mllmrec/mllmrec/internal/mllm"
)

// Fault is one way to fail.
type Fault string

// The faults. With None the server answers correctly.
const (
	None        Fault = ""
	RateLimit   Fault = "429-retry-after"
	BareLimit   Fault = "429-bare"
	ServerError Fault = "500"
	Hang        Fault = "hang"       // no answer until the client leaves
	Reset       Fault = "reset"      // the connection breaks in the middle of the body
	Torn        Fault = "torn-json"  // a whole body that ends in the middle of the JSON
	WrongModel  Fault = "wrong-name" // another model answers
	Empty       Fault = "empty"
	SlowDrip    Fault = "slow-drip" // a byte at a time, for ever
	Flood       Fault = "flood"     // a body without end
	OverLong    Fault = "over-long" // ten times the words anyone asks for
	CutOff      Fault = "cut-off"   // ended by the token limit
	Loop        Fault = "loop"      // repeats itself
	Refusal     Fault = "refusal"
	PromptCut   Fault = "prompt-cut" // counts only half of the prompt
	Auth        Fault = "401"
	BadRequest  Fault = "400"
)

// Faults lists every fault but None.
func Faults() []Fault {
	return []Fault{RateLimit, BareLimit, ServerError, Hang, Reset, Torn, WrongModel, Empty, SlowDrip,
		Flood, OverLong, CutOff, Loop, Refusal, PromptCut, Auth, BadRequest}
}

// Class is the class that a client must give to the fault. The empty class means that the
// client returns the answer, whose text package check must reject.
func (f Fault) Class() mllm.Class {
	switch f {
	case RateLimit, BareLimit:
		return mllm.RateLimit
	case ServerError:
		return mllm.Server
	case Hang, SlowDrip:
		return mllm.Timeout
	case Reset:
		return mllm.Network
	case Torn, Flood:
		return mllm.BadResponse
	case WrongModel:
		return mllm.WrongModel
	case Empty:
		return mllm.Empty
	case PromptCut:
		return mllm.PromptCut
	case Auth:
		return mllm.Auth
	case BadRequest:
		return mllm.Refused
	}
	return ""
}

// Options configure a Server. The zero value answers every request correctly.
type Options struct {
	Seed          uint64
	Probability   map[Fault]float64            // per request; the sum must not exceed 1
	Script        []Fault                      // what the first requests get, in order of arrival
	Choose        func(r Record) (Fault, bool) // its fault takes precedence over all else if it returns true
	Delay         time.Duration                // of every answer
	RetryAfter    string                       // value of the header; "" = "0"
	Model         string                       // "" = gemma3:27b
	Digest        string                       // "" = a fixed one
	ContextLength int                          // 0 = 131072
	PictureTokens int                          // of one picture; 0 = mllm.ImageTokens
	Key           string                       // when set, requests without it get 401
	Answer        func(r Record) string        // nil = Honest
}

// Record is one request for an answer, as the server understood it.
type Record struct {
	Dialect        string // ollama | openai
	Model          string
	System, Prompt string
	Images         [][]byte
	Seed           int64
	Temperature    float64
	MaxTokens      int
	NumCtx         int
	KeepAlive      string // ollama
	Authorization  string
	Nth            int // how often this prompt and seed came before
	Fault          Fault
	Arrived        time.Time
	InFlight       int // requests being answered on arrival, this one included
}

// Server is a running fake server.
type Server struct {
	*httptest.Server
	opt Options

	mu       sync.Mutex
	script   []Fault
	seen     map[string]int
	records  []Record
	inFlight int
	quit     chan struct{}
}

// Cleaner is the part of testing.TB that New needs.
type Cleaner interface{ Cleanup(func()) }

// New starts a server; t's cleanup stops it. t may be nil; then call Stop.
func New(t Cleaner, opt Options) *Server {
	if opt.Model == "" {
		opt.Model = "gemma3:27b"
	}
	if opt.Digest == "" {
		opt.Digest = strings.Repeat("0123456789abcdef", 4)
	}
	if opt.ContextLength == 0 {
		opt.ContextLength = 131072
	}
	if opt.PictureTokens == 0 {
		opt.PictureTokens = mllm.ImageTokens
	}
	if opt.RetryAfter == "" {
		opt.RetryAfter = "0"
	}
	if opt.Answer == nil {
		opt.Answer = Honest
	}
	s := &Server{opt: opt, script: slices.Clone(opt.Script), seen: map[string]int{}, quit: make(chan struct{})}
	s.Server = httptest.NewServer(s.routes())
	if t != nil {
		t.Cleanup(s.Stop)
	}
	return s
}

// Digest is that of the weights behind the model's name now.
func (s *Server) Digest() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.opt.Digest
}

// Exchange puts other weights behind the model's name.
func (s *Server) Exchange(digest string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opt.Digest = digest
}

// Stop ends hanging requests and closes the server.
func (s *Server) Stop() {
	s.mu.Lock()
	select {
	case <-s.quit:
		s.mu.Unlock()
		return
	default:
	}
	close(s.quit)
	s.mu.Unlock()
	s.CloseClientConnections()
	s.Close()
}

// Honest is the answer of a server without faults: plain words that depend on everything in
// the request.
func Honest(r Record) string {
	h := sha256.New()
	fmt.Fprintf(h, "%q %q %q %d", r.Model, r.System, r.Prompt, r.Seed)
	for _, img := range r.Images {
		h.Write(img)
	}
	sum := h.Sum(nil)
	words := []string{"soft", "sturdy", "bright", "wooden", "foldable", "gentle", "colourful", "compact"}
	return fmt.Sprintf("A %s and %s product, %s in use, number %s.",
		words[sum[0]%8], words[sum[1]%8], words[sum[2]%8], hex.EncodeToString(sum[3:7]))
}

// Requests returns a copy of the log of requests for answers.
func (s *Server) Requests() []Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.records)
}

// Counts returns how many requests got each fault; None counts the correct answers.
func (s *Server) Counts() map[Fault]int {
	counts := map[Fault]int{}
	for _, r := range s.Requests() {
		counts[r.Fault]++
	}
	return counts
}

// Total returns the number of requests for answers so far.
func (s *Server) Total() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.records)
}

// admit logs r and decides which fault it gets.
func (s *Server) admit(r Record) Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := fmt.Sprintf("%s\x00%s\x00%d", r.System, r.Prompt, r.Seed)
	r.Nth = s.seen[key]
	s.seen[key]++
	s.inFlight++
	r.InFlight, r.Arrived = s.inFlight, time.Now()
	r.Fault = s.fate(r, key)
	s.records = append(s.records, r)
	return r
}

func (s *Server) fate(r Record, key string) Fault {
	if s.opt.Choose != nil {
		if f, ok := s.opt.Choose(r); ok {
			return f
		}
	}
	if s.opt.Key != "" && r.Authorization != "Bearer "+s.opt.Key {
		return Auth
	}
	if len(s.script) > 0 {
		f := s.script[0]
		s.script = s.script[1:]
		return f
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%d\x00%d\x00%s", s.opt.Seed, r.Nth, key))
	rng := rand.New(rand.NewPCG(binary.LittleEndian.Uint64(sum[:8]), binary.LittleEndian.Uint64(sum[8:16])))
	x := rng.Float64()
	for _, f := range Faults() {
		if x -= s.opt.Probability[f]; x < 0 {
			return f
		}
	}
	return None
}

func (s *Server) done() {
	s.mu.Lock()
	s.inFlight--
	s.mu.Unlock()
}

// wait sleeps unless the client leaves or the server stops first.
func (s *Server) wait(req *http.Request, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-req.Context().Done():
	case <-s.quit:
	}
	return false
}
