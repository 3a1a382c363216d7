package texts

import (
	"context"
	"time"
)

// The statuses of a stored generation.
const (
	StatusOK          = "ok"          // an answer; it is never asked for again
	StatusQuarantined = "quarantined" // every attempt so far failed; the next run tries again
)

// Generation is one entry of the ledger: an answer, or the last failure to get one, with
// everything that determined it. Tokens, seconds and attempts are sums over all tries so
// far, failed ones included.
type Generation struct {
	Key          string    `json:"key"`     // SHA-256, hex, of all that determines the answer; see [DescribeKey], [ReasonKey]
	Stage        string    `json:"stage"`   // StageDescribe, StageReason, StageConclusion, or that of the notes about pictures
	Subject      string    `json:"subject"` // item id or user id
	Fold         int       `json:"fold"`    // FullFold, or the fold left out; FullFold for pictures
	Model        string    `json:"model"`
	ModelDigest  string    `json:"model_digest"`
	Params       string    `json:"params"` // canonical JSON
	PromptHash   string    `json:"prompt_hash"`
	ImageHash    string    `json:"image_hash"`
	SplitHash    string    `json:"split_hash"` // of the split that the history was cut from
	Scope        string    `json:"scope"`      // "train" or "all"
	Sources      []int32   `json:"sources"`    // ids of the interactions shown
	Text         string    `json:"text"`
	Status       string    `json:"status"` // StatusOK or StatusQuarantined
	Class        string    `json:"class"`  // of the last failure; empty if ok
	Error        string    `json:"error"`  // the last failure; empty if ok
	Finish       string    `json:"finish"` // why the model stopped
	PromptTokens int       `json:"prompt_tokens"`
	AnswerTokens int       `json:"answer_tokens"`
	Seconds      float64   `json:"seconds"`
	Attempt      int       `json:"attempt"` // requests sent so far
	Created      time.Time `json:"created"`
}

// AnswerStatus is the part of a [Generation] that says whether its question must be asked
// (again), and what the tries so far took.
type AnswerStatus struct {
	Status       string // StatusOK or StatusQuarantined
	Class        string // of the last failure; empty if ok
	PromptTokens int
	AnswerTokens int
	Seconds      float64
	Attempt      int
}

// Count is the number of generations of one stage, model and status, and what they took.
type Count struct {
	Stage, Model, Status string
	Generations          int
	PromptTokens         int64
	AnswerTokens         int64
	Seconds              float64
}

// Store keeps generations. It is safe for concurrent use, also by several processes.
// Package texts/ledger and its sub-package postgres implement it; the tests in package
// texts/ledger/ledgertest define what every implementation must do.
type Store interface {
	// Get returns the generations stored under keys, by key. Keys without one are left out.
	Get(ctx context.Context, keys []string) (map[string]Generation, error)
	// Statuses returns the statuses of the generations stored under keys. It is faster than
	// Get, which reads the texts too.
	Statuses(ctx context.Context, keys []string) (map[string]AnswerStatus, error)
	// Put stores all generations or, on an error, none. A stored generation that is StatusOK
	// is never replaced; a quarantined one is replaced by any later generation of its key.
	Put(ctx context.Context, generations []Generation) error
	// Each calls fn with every generation of a stage, in the order of subject, fold and
	// creation, until fn fails.
	Each(ctx context.Context, stage string, fn func(Generation) error) error
	// Find returns the generations about one subject, by fold and creation.
	Find(ctx context.Context, stage, subject string) ([]Generation, error)
	// Counts returns the counts of everything stored, ordered by stage, model and status.
	Counts(ctx context.Context) ([]Count, error)
	Close() error
}

// UnwritableError says that a store cannot be written now, for a reason that may pass: a full
// disk, a lock. What was to be stored is good, and may be stored later.
type UnwritableError struct{ Err error }

func (e *UnwritableError) Error() string { return e.Err.Error() }

// Unwrap returns the reason.
func (e *UnwritableError) Unwrap() error { return e.Err }
