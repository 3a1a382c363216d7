package stage

import (
	"fmt"
	"sync"
	"time"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/consent"
	"github.com/mllmrec/mllmrec/internal/eval"
	"github.com/mllmrec/mllmrec/internal/file/arrayfile"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// Session is the work of one process on one workspace. The data set is read once and
// handed out as views.
type Session struct {
	WS      *workspace.Workspace
	Observe Observer      // progress; may be nil
	Consent *consent.Gate // before what the workspace's records name

	mu    sync.Mutex
	judge *eval.Judge
}

// NewSession returns a session on a workspace.
func NewSession(ws *workspace.Workspace, observe Observer) *Session {
	return &Session{WS: ws, Observe: observe, Consent: consent.NewGate(ws.Dir())}
}

// Dataset returns the catalogue and the views of the interactions on it.
func (s *Session) Dataset() (*dataset.Dataset, error) { return s.WS.Dataset() }

// Judge returns what measures rankings against the held-out interactions.
func (s *Session) Judge() (*eval.Judge, error) {
	ds, err := s.Dataset()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.judge == nil {
		s.judge = eval.NewJudge(ds)
	}
	return s.judge, nil
}

// Matrix reads a file of an artefact as an array of numbers.
func (s *Session) Matrix(address, name string) (*tensor.Matrix, error) {
	f, err := s.WS.OpenFile(address, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return arrayfile.NPYOf(f)
}

// UserVectors reads the users' vectors of an artefact, and those that are blind to one
// fold of the train items each, if there are any.
func (s *Session) UserVectors(address string) (full *tensor.Matrix, folds []*tensor.Matrix, err error) {
	if full, err = s.Matrix(address, workspace.UserVectorsFile); err != nil {
		return nil, nil, err
	}
	a, _ := s.WS.Artefact(address)
	for k := 0; ; k++ {
		name := workspace.FoldVectorsFile(k)
		if _, ok := a.Files[name]; !ok {
			return full, folds, nil
		}
		m, err := s.Matrix(address, name)
		if err != nil {
			return nil, nil, err
		}
		folds = append(folds, m)
	}
}

// Graph reads the item graph of an artefact.
func (s *Session) Graph(address string) (*tensor.CSR, error) {
	f, err := s.WS.OpenFile(address, workspace.ItemGraphFile)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return arrayfile.CSROf(f)
}

// Observer receives progress. It is called from one goroutine at a time.
type Observer func(Event)

// Event is a step of progress.
type Event struct {
	Stage   string
	Message string        // what is being done, or what came of it when End is set
	Done    int           // units finished
	Total   int           // units in all; 0 where that is unknown
	Elapsed time.Duration // since the stage began
	Left    time.Duration // where the stage knows better than Elapsed tells: till its end; below 0 = unknown
	End     bool          // the stage is done (or an epoch is): keep the line
}

// BeforeETA is how long a stage has to work before its rate means anything.
const BeforeETA = 3 * time.Second

// ETA estimates the time left from the rate so far; 0 where that is unknown.
func (e Event) ETA() time.Duration {
	if e.Left != 0 {
		return max(e.Left, 0)
	}
	if e.Elapsed < BeforeETA || e.Done == 0 || e.Total == 0 || e.Done >= e.Total {
		return 0
	}
	return time.Duration(float64(e.Elapsed) * float64(e.Total-e.Done) / float64(e.Done))
}

// Emit hands an event to the observer.
func (s *Session) Emit(e Event) {
	if s.Observe != nil {
		s.Observe(e)
	}
}

// Say reports what is being done.
func (s *Session) Say(stage, format string, args ...any) {
	s.Emit(Event{Stage: stage, Message: fmt.Sprintf(format, args...)})
}

// Note reports something that the user should see whatever comes next.
func (s *Session) Note(stage, format string, args ...any) {
	s.Emit(Event{Stage: stage, Message: fmt.Sprintf(format, args...), End: true})
}

// Finish reports what came of a stage's work.
func (s *Session) Finish(stage string, since time.Time, format string, args ...any) {
	s.Emit(Event{Stage: stage, Message: fmt.Sprintf(format, args...), Elapsed: time.Since(since), End: true})
}
