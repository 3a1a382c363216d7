package texts

import (
	"maps"
	"time"
)

// Failure is an item or user about whom there is no answer, and why.
type Failure struct {
	Subject string `json:"subject"`
	Fold    int    `json:"fold"`
	Class   string `json:"class"` // a class of package mllm, "image:<kind>", or "other"
	Error   string `json:"error"`
	Attempt int    `json:"attempt"`
}

// maxListed bounds the failures that a report lists. Its counts include all failures.
const maxListed = 1000

// Report says what a run did. Every subject (an item, or one text of a user) is counted
// in exactly one of Stored, Answered, Neutral, Plain, Quarantined, ImageFailed, Pending.
type Report struct {
	Total        int            `json:"total"`        // subjects
	Stored       int            `json:"stored"`       // answers that were in the store already
	Answered     int            `json:"answered"`     // new answers
	Neutral      int            `json:"neutral"`      // texts from no items, written without asking
	Plain        int            `json:"plain"`        // items without a picture: their text is enough
	Quarantined  int            `json:"quarantined"`  // failed: the fallback wrote the text, the next run tries again
	ImageFailed  int            `json:"image_failed"` // picture could not be read; the item keeps its text
	Pending      int            `json:"pending"`      // not asked (limit, or the run was stopped)
	Asked        int            `json:"asked"`        // requests sent, retries included
	Classes      map[string]int `json:"classes"`      // failed requests and pictures by class
	PromptTokens int64          `json:"prompt_tokens"`
	AnswerTokens int64          `json:"answer_tokens"`
	Seconds      float64        `json:"seconds"`
	Failures     []Failure      `json:"failures"` // the first thousand
}

// Done is the number of subjects that are not pending.
func (r *Report) Done() int { return r.Total - r.Pending }

func (r *Report) fail(f Failure) {
	if len(r.Failures) < maxListed {
		r.Failures = append(r.Failures, f)
	}
}

// Progress is the state of a run at one moment.
type Progress struct {
	Stage        string
	Done, Total  int
	Stored       int // of Done, those whose answer was in the store already
	Answered     int
	Quarantined  int
	PromptTokens int64
	AnswerTokens int64
	Classes      map[string]int // failed requests by class so far
	Elapsed      time.Duration
}

func (r *Report) progress(stage string, started time.Time) Progress {
	return Progress{
		Stage: stage, Done: r.Done(), Total: r.Total, Stored: r.Stored, Answered: r.Answered, Quarantined: r.Quarantined,
		PromptTokens: r.PromptTokens, AnswerTokens: r.AnswerTokens,
		Classes: maps.Clone(r.Classes), Elapsed: time.Since(started),
	}
}
