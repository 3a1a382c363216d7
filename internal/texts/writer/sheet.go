package writer

import (
	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/mllm/check"
)

// Sheet shows answers of several models, or to several prompts, side by side, so that a
// person can choose between them before the whole catalogue is paid for.
type Sheet struct {
	Title   string
	Columns []Column
	Rows    []Row
}

// Column is one describer or reasoner.
type Column struct {
	Name string // such as "gemma3:27b" or the name of a folder of prompts
	ID   string // of the describer or reasoner
}

// Row is one item or user.
type Row struct {
	Subject string
	Image   mllm.Image // of an item; may be empty
	Shown   []string   // what the model was given, a line each
	Cells   []Cell     // one for each column
}

// Cell is one answer, or the failure to get one.
type Cell struct {
	Text                       string
	Failure                    string // why there is no answer; empty if there is one
	PromptTokens, AnswerTokens int
	Seconds                    float64
}

// Words counts the words of the answer as the checks of answers do.
func (c Cell) Words() int { return check.Words(c.Text) }

// EvenlySpaced returns n of the positions 0 to total-1, evenly spaced and ascending: the
// middles of n ranges of equal length. If n is total or more, it returns all positions.
func EvenlySpaced(n, total int) []int {
	n = max(min(n, total), 0)
	out := make([]int, n)
	for i := range out {
		out[i] = int((2*int64(i) + 1) * int64(total) / (2 * int64(n)))
	}
	return out
}
